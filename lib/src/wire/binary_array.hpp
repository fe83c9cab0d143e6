// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/message_id.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace once::detail {

/// Types of PostgreSQL by their object id, which is fixed for built-in types.
enum class element_type : std::uint32_t {
    bytea = 17,
    int8 = 20,
    text = 25,
    json = 114,
    timestamptz = 1184,
    uuid = 2950,
};

/// A one-dimensional array in PostgreSQL's binary format, built element by element.
/**
 * Any number of values in one parameter: no limit of 65535, no escaping, no text to parse. Text and JSON must be UTF-8
 * without NUL; the server checks that.
 */
class binary_array {
public:
    explicit binary_array(element_type type);

    void add(std::string_view value);
    void add(message_id const& id);
    void add_null();
    /// Null when it is empty.
    void add_or_null(std::string_view value);
    void add_int8(std::int64_t value);

    /// Whether all elements are null.
    [[nodiscard]] bool nothing_but_nulls() const noexcept { return m_nulls == m_count; }
    [[nodiscard]] std::size_t bytes() const noexcept { return m_data.size(); }

    /// The finished array. Valid until the next change.
    [[nodiscard]] std::span<std::byte const> finish();
    void clear();

private:
    element_type m_type;
    std::uint32_t m_count = 0;
    std::uint32_t m_nulls = 0;
    std::string m_data;
};

/// Texts as one parameter.
[[nodiscard]] binary_array text_array(std::span<std::string const> texts);

/// Appends a number as the protocol writes it: most significant byte first.
template <class Unsigned>
void append_big_endian(std::string& to, Unsigned value) {
    for (int shift = static_cast<int>(sizeof value) * 8 - 8; shift >= 0; shift -= 8) {
        to += static_cast<char>((value >> shift) & 0xffU);
    }
}

} // namespace once::detail
