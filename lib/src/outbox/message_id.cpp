// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/message_id.hpp>

#include "text/encoding.hpp"
#include "text/random_ids.hpp"
#include "text/sha256.hpp"
#include "text/text_rules.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <sys/random.h>
#include <system_error>

namespace once {

namespace {

using byte_array = message_id::byte_array;

constexpr std::size_t plain_length = 32;
constexpr std::size_t hyphenated_length = 36;

bool hyphen_belongs_at(std::size_t i) noexcept {
    return i == 8 || i == 13 || i == 18 || i == 23;
}

std::optional<byte_array> read(std::string_view text) noexcept {
    if (text.size() >= 2 && text.front() == '{' && text.back() == '}') {
        text = text.substr(1, text.size() - 2);
    }
    bool const hyphenated = text.size() == hyphenated_length;
    if (!hyphenated && text.size() != plain_length) {
        return std::nullopt;
    }
    byte_array made{};
    std::size_t digits = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (hyphenated && hyphen_belongs_at(i)) {
            if (text[i] != '-') {
                return std::nullopt;
            }
            continue;
        }
        int const value = detail::hex_digit(text[i]);
        if (value < 0) {
            return std::nullopt;
        }
        auto& byte = made[digits / 2];
        byte = (byte << 4) | static_cast<std::byte>(value);
        ++digits;
    }
    return made;
}

bool is_nil(std::span<std::byte const, 16> bytes) noexcept {
    return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

void fill_with_random(std::span<std::byte> bytes) {
    while (!bytes.empty()) {
        auto const drawn = ::getrandom(bytes.data(), bytes.size(), 0);
        if (drawn > 0) {
            bytes = bytes.subspan(static_cast<std::size_t>(drawn));
        } else if (errno != EINTR) {
            throw std::system_error{errno, std::generic_category(), "once: getrandom"};
        }
    }
}

byte_array random_bytes() {
    byte_array made{};
    fill_with_random(made);
    return made;
}

void stamp(byte_array& bytes, unsigned version) noexcept {
    bytes[6] = (bytes[6] & std::byte{0x0f}) | static_cast<std::byte>(version << 4U);
    bytes[8] = (bytes[8] & std::byte{0x3f}) | std::byte{0x80}; // the variant of RFC 9562
}

// As name_uuid() of the schema: RFC 9562, appendix B.2.
byte_array name_bytes(std::span<std::byte const> space, std::string_view name) {
    std::string text{reinterpret_cast<char const*>(space.data()), space.size()};
    auto const hash = detail::sha256(text.append(name));
    byte_array made{};
    std::ranges::transform(std::span{hash}.first(made.size()), made.begin(),
                           [](std::uint8_t byte) { return std::byte{byte}; });
    stamp(made, 8);
    return made;
}

void require_name(std::string_view text, std::size_t longest, char const* field) {
    if (text.empty() || text.size() > longest || text.find('\0') != std::string_view::npos ||
        !detail::is_utf8(text)) {
        throw invalid_argument{field,
                               "it must be UTF-8 without NUL, 1 to " + std::to_string(longest) + " bytes"};
    }
}

} // namespace

std::optional<message_id> message_id::try_parse(std::string_view text) noexcept {
    auto const bytes = read(text);
    if (!bytes || is_nil(*bytes)) {
        return std::nullopt;
    }
    return message_id{*bytes};
}

message_id message_id::parse(std::string_view text) {
    if (auto const id = try_parse(text)) {
        return *id;
    }
    throw invalid_argument{"message_id", read(text) ? "it is the nil UUID, which names no message"
                                                    : "it is no UUID (8-4-4-4-12 or 32 hexadecimal digits)"};
}

message_id message_id::from_bytes(std::span<std::byte const, 16> bytes) {
    if (is_nil(bytes)) {
        throw invalid_argument{"message_id", "it is the nil UUID, which names no message"};
    }
    byte_array made{};
    std::ranges::copy(bytes, made.begin());
    return message_id{made};
}

message_id message_id::random() {
    auto bytes = random_bytes();
    stamp(bytes, 4);
    return message_id{bytes};
}

message_id message_id::time_ordered() {
    auto const now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    auto const count = static_cast<std::uint64_t>(now.time_since_epoch().count());
    auto bytes = random_bytes();
    for (std::size_t i = 0; i < 6; ++i) {
        bytes[i] = static_cast<std::byte>(count >> (40U - 8U * i));
    }
    stamp(bytes, 7);
    return message_id{bytes};
}

message_id message_id::from_name(std::string_view source, std::string_view name) {
    require_name(source, 255, "message_id.source");
    require_name(name, 4096, "message_id.name");
    static auto const names = parse("007b1b20-ccbb-416c-b52b-e844fd500d44");
    return message_id{name_bytes(name_bytes(names.bytes(), source), name)};
}

message_id detail::random_ids::next() {
    if (m_given == m_drawn) {
        auto const drawn = std::clamp<std::size_t>(m_drawn * 2, 1, most);
        fill_with_random(std::span{m_bytes}.first(16 * drawn));
        m_drawn = drawn;
        m_given = 0;
    }
    byte_array bytes{};
    std::ranges::copy(std::span{m_bytes}.subspan(16 * m_given++, 16), bytes.begin());
    stamp(bytes, 4);
    return message_id::from_bytes(bytes);
}

std::string message_id::to_string() const {
    std::string text;
    text.reserve(hyphenated_length);
    for (auto const byte : m_bytes) {
        if (hyphen_belongs_at(text.size())) {
            text += '-';
        }
        detail::append_hex(text, byte);
    }
    return text;
}

std::optional<std::chrono::sys_time<std::chrono::milliseconds>> message_id::time() const noexcept {
    if (std::to_integer<unsigned>(m_bytes[6]) >> 4U != 7) {
        return std::nullopt;
    }
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < 6; ++i) {
        count = (count << 8U) | std::to_integer<std::uint64_t>(m_bytes[i]);
    }
    return std::chrono::sys_time<std::chrono::milliseconds>{
        std::chrono::milliseconds{static_cast<std::int64_t>(count)}};
}

} // namespace once
