// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <sys/random.h>
#include <system_error>

namespace shop {

/// 128 random bits of the operating system, as 32 hexadecimal digits: nobody can guess it.
inline std::string random_text() {
    std::array<unsigned char, 16> bytes{};
    if (::getentropy(bytes.data(), bytes.size()) != 0) {
        throw std::system_error{errno, std::generic_category(), "getentropy"};
    }
    constexpr std::string_view digits{"0123456789abcdef"};
    std::string text;
    for (unsigned const byte : bytes) {
        text += {digits[byte >> 4U], digits[byte & 0xfU]};
    }
    return text;
}

} // namespace shop
