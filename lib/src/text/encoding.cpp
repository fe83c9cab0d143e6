// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "text/encoding.hpp"

#include <cstdint>

namespace once::detail {

namespace {

/// Each three bytes are four digits of 64; what is left at the end gets one digit more than it has bytes.
std::string in_base64(std::span<std::byte const> bytes, std::string_view digits) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    std::uint32_t pending = 0;
    unsigned bits = 0;
    for (auto const byte : bytes) {
        pending = (pending << 8U) | std::to_integer<std::uint32_t>(byte);
        for (bits += 8; bits >= 6;) {
            bits -= 6;
            text += digits[(pending >> bits) & 0x3fU];
        }
    }
    if (bits > 0) {
        text += digits[(pending << (6 - bits)) & 0x3fU];
    }
    return text;
}

} // namespace

void append_hex(std::string& to, std::byte byte) {
    constexpr std::string_view digits = "0123456789abcdef";
    to += digits[std::to_integer<std::size_t>(byte >> 4)];
    to += digits[std::to_integer<std::size_t>(byte & std::byte{0x0f})];
}

std::string to_hex(std::span<std::byte const> bytes) {
    std::string text;
    text.reserve(bytes.size() * 2);
    for (auto const byte : bytes) {
        append_hex(text, byte);
    }
    return text;
}

int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

std::optional<std::string> from_hex(std::string_view digits) {
    if (digits.size() % 2 != 0) {
        return std::nullopt;
    }
    std::string bytes;
    bytes.reserve(digits.size() / 2);
    for (std::size_t i = 0; i < digits.size(); i += 2) {
        int const high = hex_digit(digits[i]);
        int const low = hex_digit(digits[i + 1]);
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        bytes += static_cast<char>(high * 16 + low);
    }
    return bytes;
}

std::string to_base64(std::span<std::byte const> bytes) {
    auto text = in_base64(bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    text.append((4 - text.size() % 4) % 4, '=');
    return text;
}

std::string to_base64url(std::span<std::byte const> bytes) {
    return in_base64(bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
}

} // namespace once::detail
