// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/export.hpp>

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace once {

/// The identity of one message: a UUID, made when the message is, and never changed after.
/**
 * Any version of UUID is good. The nil UUID is not: it is what a field holds that nobody filled in, and two messages
 * that carry it would count as one. A `message_id` is never nil, so there is no default constructor.
 *
 * @par Thread safety
 * A value: distinct objects are independent.
 */
class ONCE_EXPORT message_id {
public:
    using byte_array = std::array<std::byte, 16>;

    /// Reads the usual spellings: 8-4-4-4-12 or 32 hexadecimal digits, upper or lower case, with or without braces.
    /**
     * All spellings of one UUID are one id; `to_string` gives the canonical one.
     * @throws once::invalid_argument when it is no UUID, or the nil UUID. Never make an id up for such a message: put
     *         it aside for a person.
     */
    [[nodiscard]] static message_id parse(std::string_view text);

    /// The same as a value: empty for what `parse` refuses.
    [[nodiscard]] static std::optional<message_id> try_parse(std::string_view text) noexcept;

    /// @throws once::invalid_argument when all bytes are zero.
    [[nodiscard]] static message_id from_bytes(std::span<std::byte const, 16> bytes);

    /// A new one of version 4: 122 random bits from the operating system.
    /// @throws std::system_error when the system has no random bits to give.
    [[nodiscard]] static message_id random();

    /// A new one of version 7: milliseconds since 1970 by this machine's clock, then 74 random bits.
    /**
     * Ids made near each other in time lie near each other in an index. The order says nothing more than that: clocks
     * differ, and within one millisecond it is random.
     * @throws std::system_error when the system has no random bits to give.
     */
    [[nodiscard]] static message_id time_ordered();

    /// The id of a message that its source names by a text: `from_name("stripe", "evt_1PqJ")`.
    /**
     * The same two texts give the same id, here and in `message_id_from_name()` of the schema: a UUID of version 8,
     * from SHA-256. `source` keeps the names of one source apart from those of another.
     * @param source 1 to 255 bytes of UTF-8 without NUL
     * @param name   1 to 4096 bytes of UTF-8 without NUL
     * @throws once::invalid_argument when one of them is not. Never make a name up for such a message: put it aside for
     * a
     *         person.
     */
    [[nodiscard]] static message_id from_name(std::string_view source, std::string_view name);

    /// Lower case, 8-4-4-4-12.
    [[nodiscard]] std::string to_string() const;

    [[nodiscard]] byte_array const& bytes() const noexcept { return m_bytes; }

    /// When it was made, by the clock of the process that made it; only version 7 says.
    [[nodiscard]] std::optional<std::chrono::sys_time<std::chrono::milliseconds>> time() const noexcept;

    /// By bytes, as PostgreSQL orders uuid.
    auto operator<=>(message_id const&) const = default;

private:
    explicit message_id(byte_array const& bytes) noexcept : m_bytes{bytes} {}

    byte_array m_bytes;
};

} // namespace once

template <>
struct std::hash<once::message_id> {
    [[nodiscard]] std::size_t operator()(once::message_id const& id) const noexcept {
        std::array<std::size_t, 16 / sizeof(std::size_t)> words{};
        std::memcpy(words.data(), id.bytes().data(), id.bytes().size());
        std::size_t made = 0;
        for (auto const word : words) {
            made = (made ^ word) * static_cast<std::size_t>(0x9e3779b97f4a7c15U);
        }
        return made;
    }
};
