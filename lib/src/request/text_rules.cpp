// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "request/text_rules.hpp"

#include <algorithm>
#include <cstddef>

namespace once::detail {

bool is_printable_ascii(std::string_view text) noexcept {
    return !text.empty() && text.front() != ' ' && text.back() != ' ' &&
           std::ranges::all_of(text, [](char c) { return c >= 0x20 && c <= 0x7e; });
}

bool is_utf8(std::string_view text) noexcept {
    auto const byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    auto const within = [&](std::size_t i, unsigned low, unsigned high) {
        return byte(i) >= low && byte(i) <= high;
    };
    for (std::size_t i = 0; i < text.size();) {
        unsigned const lead = byte(i);
        std::size_t length = 0;
        unsigned low = 0x80;
        unsigned high = 0xbf;
        if (lead < 0x80) {
            length = 1;
        } else if (lead >= 0xc2 && lead <= 0xdf) {
            length = 2;
        } else if (lead >= 0xe0 && lead <= 0xef) {
            length = 3;
            low = lead == 0xe0 ? 0xa0 : 0x80;  // overlong
            high = lead == 0xed ? 0x9f : 0xbf; // surrogates
        } else if (lead >= 0xf0 && lead <= 0xf4) {
            length = 4;
            low = lead == 0xf0 ? 0x90 : 0x80;  // overlong
            high = lead == 0xf4 ? 0x8f : 0xbf; // above U+10FFFF
        } else {
            return false;
        }
        if (length > 1 && !within(i + 1, low, high)) {
            return false;
        }
        for (std::size_t k = 2; k < length; ++k) {
            if (!within(i + k, 0x80, 0xbf)) {
                return false;
            }
        }
        i += length;
    }
    return true;
}

} // namespace once::detail
