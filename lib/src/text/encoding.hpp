// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace once::detail {

/// Appends one byte as two lower-case digits.
void append_hex(std::string& to, std::byte byte);

/// Two lower-case digits for each byte.
[[nodiscard]] std::string to_hex(std::span<std::byte const> bytes);

/// The value of a hexadecimal digit in upper or lower case, -1 for anything else.
[[nodiscard]] int hex_digit(char c) noexcept;

/// Bytes from two digits each; nothing where there is anything else.
[[nodiscard]] std::optional<std::string> from_hex(std::string_view digits);

/// RFC 4648, section 4: with padding.
[[nodiscard]] std::string to_base64(std::span<std::byte const> bytes);

/// RFC 4648, section 5: for URLs and names of files, and without padding.
[[nodiscard]] std::string to_base64url(std::span<std::byte const> bytes);

/// The bytes of a text, as the functions above take them.
[[nodiscard]] inline std::span<std::byte const> bytes_of(std::string_view text) noexcept {
    return std::as_bytes(std::span{text});
}

} // namespace once::detail
