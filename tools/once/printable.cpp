// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "printable.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

namespace once::command {

namespace {

struct code_point {
    std::uint32_t value = 0;
    std::size_t size = 1;
    /// It is UTF-8.
    bool valid = false;
};

struct range {
    std::uint32_t first;
    std::uint32_t last;
};

// Unicode 15: general categories Cc, Cf, Zl, Zp, and what is no character at all. Variation selectors and other marks
// that are only drawn stay.
constexpr std::array unseen{
    range{0x00, 0x1f},       range{0x7f, 0x9f},       range{0xad, 0xad},       range{0x600, 0x605},
    range{0x61c, 0x61c},     range{0x6dd, 0x6dd},     range{0x70f, 0x70f},     range{0x890, 0x891},
    range{0x8e2, 0x8e2},     range{0x180e, 0x180e},   range{0x200b, 0x200f},   range{0x2028, 0x202e},
    range{0x2060, 0x206f},   range{0xfdd0, 0xfdef},   range{0xfeff, 0xfeff},   range{0xfff9, 0xfffb},
    range{0xfffe, 0xffff},   range{0x110bd, 0x110bd}, range{0x110cd, 0x110cd}, range{0x13430, 0x1343f},
    range{0x1bca0, 0x1bca3}, range{0x1d173, 0x1d17a}, range{0xe0000, 0xe0fff},
};

// What terminals give no column, and two columns: the common blocks.
constexpr std::array no_column{
    range{0x300, 0x36f},   range{0x483, 0x489},   range{0x591, 0x5bd},   range{0x610, 0x61a},
    range{0x64b, 0x65f},   range{0x1ab0, 0x1aff}, range{0x1dc0, 0x1dff}, range{0x20d0, 0x20ff},
    range{0xfe00, 0xfe0f}, range{0xfe20, 0xfe2f},
};
constexpr std::array two_columns{
    range{0x1100, 0x115f},   range{0x2e80, 0x303e},   range{0x3041, 0xa4cf},   range{0xac00, 0xd7a3},
    range{0xf900, 0xfaff},   range{0xfe30, 0xfe6f},   range{0xff00, 0xff60},   range{0xffe0, 0xffe6},
    range{0x1f300, 0x1f64f}, range{0x1f680, 0x1f6ff}, range{0x1f900, 0x1f9ff}, range{0x20000, 0x3fffd},
};

template <class Ranges>
bool holds(Ranges const& ranges, std::uint32_t value) {
    return std::ranges::any_of(ranges,
                               [value](range const& one) { return value >= one.first && value <= one.last; });
}

code_point first_of(std::string_view text) {
    auto const byte = [&](std::size_t i) { return std::uint32_t{static_cast<unsigned char>(text[i])}; };
    auto const lead = byte(0);
    if (lead < 0x80U) {
        return {lead, 1, true};
    }
    std::size_t const size = lead >= 0xf0U ? 4 : lead >= 0xe0U ? 3 : 2;
    if (lead < 0xc2U || lead > 0xf4U || text.size() < size) {
        return {lead};
    }
    std::uint32_t value = lead & (0x7fU >> size);
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(i) & 0xc0U) != 0x80U) {
            return {lead};
        }
        value = (value << 6U) | (byte(i) & 0x3fU);
    }
    constexpr std::array<std::uint32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
    bool const surrogate = value >= 0xd800U && value <= 0xdfffU;
    if (value < least[size] || value > 0x10ffffU || surrogate) {
        return {lead};
    }
    return {value, size, true};
}

std::string in_hex(char const* form, std::uint32_t value) {
    std::array<char, 16> text{};
    auto const size =
        std::snprintf(text.data(), text.size(), form, value); // NOLINT(cppcoreguidelines-pro-type-vararg)
    return {text.data(), static_cast<std::size_t>(size)};
}

std::string escaped(code_point const& one) {
    switch (one.value) {
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        return !one.valid || one.value < 0x80U ? in_hex("\\x%02x", one.value)
                                               : in_hex("\\u{%04x}", one.value);
    }
}

std::string escaped_in_json(code_point const& one) {
    if (!one.valid) {
        return "\xef\xbf\xbd"; // it stood in no well-formed JSON
    }
    if (one.value < 0x10000U) {
        return in_hex("\\u%04x", one.value);
    }
    auto const rest = one.value - 0x10000U;
    return in_hex("\\u%04x", 0xd800U + (rest >> 10U)) + in_hex("\\u%04x", 0xdc00U + (rest & 0x3ffU));
}

template <class Escape>
std::string replace_unseen(std::string_view text, bool keep_lines, Escape const& escape) {
    std::string made;
    made.reserve(text.size());
    while (!text.empty()) {
        auto const one = first_of(text);
        bool const kept = one.valid && (!holds(unseen, one.value) || (keep_lines && one.value == '\n'));
        made += kept ? std::string{text.substr(0, one.size)} : escape(one);
        text.remove_prefix(one.size);
    }
    return made;
}

std::size_t columns_of(code_point const& one) {
    return holds(no_column, one.value) ? 0 : holds(two_columns, one.value) ? 2 : 1;
}

} // namespace

std::string printable(std::string_view text) {
    return replace_unseen(text, false, escaped);
}

std::string printable_lines(std::string_view text) {
    return replace_unseen(text, true, escaped);
}

std::string printable_json(std::string_view json) {
    return replace_unseen(json, true, escaped_in_json);
}

std::size_t columns_of(std::string_view text) {
    std::size_t sum = 0;
    while (!text.empty()) {
        auto const one = first_of(text);
        sum += columns_of(one);
        text.remove_prefix(one.size);
    }
    return sum;
}

std::string cut_to_columns(std::string const& text, std::size_t columns) {
    if (columns_of(text) <= columns) {
        return text;
    }
    std::size_t sum = 0;
    std::string_view rest = text;
    while (!rest.empty()) {
        auto const one = first_of(rest);
        if (sum + columns_of(one) + 1 > columns) {
            break;
        }
        sum += columns_of(one);
        rest.remove_prefix(one.size);
    }
    return text.substr(0, text.size() - rest.size()) + "\xe2\x80\xa6";
}

} // namespace once::command
