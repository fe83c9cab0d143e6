// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/statement.hpp>

#include "fuzz/fuzz.hpp"
#include "text/text_rules.hpp"

using namespace once::fuzzing;

namespace {

std::string encoded(std::uint32_t point) {
    auto const tail = [&](unsigned shift) { return static_cast<char>(0x80U | (point >> shift & 0x3fU)); };
    if (point < 0x80) {
        return {static_cast<char>(point)};
    }
    if (point < 0x800) {
        return {static_cast<char>(0xc0U | point >> 6U), tail(0)};
    }
    if (point < 0x10000) {
        return {static_cast<char>(0xe0U | point >> 12U), tail(6), tail(0)};
    }
    return {static_cast<char>(0xf0U | point >> 18U), tail(12), tail(6), tail(0)};
}

// By another way than the library: decode without looking for mistakes, encode, and compare.
bool survives_decoding(std::string_view text) {
    while (!text.empty()) {
        auto const lead = static_cast<unsigned char>(text[0]);
        std::size_t const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
        if (length > text.size() || (lead >= 0x80 && lead < 0xc0) || lead >= 0xf8) {
            return false;
        }
        std::uint32_t point = length == 1 ? lead : lead & (0x7fU >> length);
        for (char const c : text.substr(1, length - 1)) {
            point = point << 6U | (static_cast<unsigned char>(c) & 0x3fU);
        }
        if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff) ||
            encoded(point) != text.substr(0, length)) {
            return false;
        }
        text.remove_prefix(length);
    }
    return true;
}

} // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    auto const text = input{data, size}.rest();
    bool const valid = survives_decoding(text);
    claim(once::detail::is_utf8(text) == valid, "is_utf8 says the same as decoding and encoding");
    bool const sendable = valid && text.find('\0') == std::string_view::npos;
    try {
        once::parameters const values{text};
        claim(sendable, "no text with a NUL or a mistake becomes a parameter");
        claim(values.values()[0].data == text, "a parameter is kept as it is");
    } catch (once::invalid_argument const&) {
        claim(!sendable, "valid text becomes a parameter");
    }
    return 0;
}
