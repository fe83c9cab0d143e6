// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "text/text_rules.hpp"

#include <nlohmann/json.hpp>

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

namespace {

// Accepts any value; only counts how deep it is.
class depth_counter : public nlohmann::json_sax<nlohmann::json> {
public:
    static constexpr int deepest = 512;

    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return true; }
    bool number_unsigned(number_unsigned_t) override { return true; }
    bool number_float(number_float_t, string_t const&) override { return true; }
    bool string(string_t&) override { return true; }
    bool binary(binary_t&) override { return false; }
    bool key(string_t&) override { return true; }
    bool start_object(std::size_t) override { return ++m_depth <= deepest; }
    bool end_object() override { return --m_depth >= 0; }
    bool start_array(std::size_t) override { return ++m_depth <= deepest; }
    bool end_array() override { return --m_depth >= 0; }
    bool parse_error(std::size_t, std::string const&, nlohmann::detail::exception const&) override {
        return false;
    }

private:
    int m_depth = 0;
};

/// Says yes to plain JSON: ASCII, no escapes, numbers without exponent, not deep. Most bodies are, and to see that
/// takes a fraction of the time of a parser. No means: ask the parser.
class plain_json {
public:
    explicit plain_json(std::string_view text) noexcept
        : m_at{text.data()}, m_end{text.data() + text.size()} {}

    [[nodiscard]] bool whole() noexcept {
        if (!value(0)) {
            return false;
        }
        skip_space();
        return m_at == m_end;
    }

private:
    static constexpr int deepest = 16;
    static constexpr int most_digits = 18;

    void skip_space() noexcept {
        while (m_at != m_end && (*m_at == ' ' || *m_at == '\n' || *m_at == '\t' || *m_at == '\r')) {
            ++m_at;
        }
    }
    [[nodiscard]] bool take(char wanted) noexcept {
        skip_space();
        if (m_at == m_end || *m_at != wanted) {
            return false;
        }
        ++m_at;
        return true;
    }
    [[nodiscard]] bool take(std::string_view word) noexcept {
        if (!std::string_view{m_at, m_end}.starts_with(word)) {
            return false;
        }
        m_at += word.size();
        return true;
    }
    [[nodiscard]] bool string() noexcept {
        if (!take('"')) {
            return false;
        }
        while (m_at != m_end && *m_at >= ' ' && *m_at <= '~' && *m_at != '"' && *m_at != '\\') {
            ++m_at;
        }
        return take(std::string_view{"\""}); // a space would belong to the string
    }
    [[nodiscard]] int digits() noexcept {
        auto const* const begin = m_at;
        while (m_at != m_end && *m_at >= '0' && *m_at <= '9') {
            ++m_at;
        }
        return static_cast<int>(m_at - begin);
    }
    [[nodiscard]] bool number() noexcept {
        if (*m_at == '-') {
            ++m_at;
        }
        bool const zero = m_at != m_end && *m_at == '0';
        int const whole = digits();
        if (whole == 0 || whole > most_digits || (zero && whole > 1)) {
            return false;
        }
        if (m_at != m_end && *m_at == '.') {
            ++m_at;
            int const fraction = digits();
            return fraction > 0 && fraction <= most_digits;
        }
        return true;
    }
    // Behind the opening bracket.
    [[nodiscard]] bool members(char closing, int depth) noexcept {
        if (take(closing)) {
            return true;
        }
        do {
            if ((closing == '}' && !(string() && take(':'))) || !value(depth)) {
                return false;
            }
        } while (take(','));
        return take(closing);
    }
    // NOLINTNEXTLINE(misc-no-recursion): as deep as said above
    [[nodiscard]] bool value(int depth) noexcept {
        skip_space();
        if (m_at == m_end) {
            return false;
        }
        switch (*m_at) {
        case '"':
            return string();
        case '{':
            ++m_at;
            return depth < deepest && members('}', depth + 1);
        case '[':
            ++m_at;
            return depth < deepest && members(']', depth + 1);
        case 't':
            return take(std::string_view{"true"});
        case 'f':
            return take(std::string_view{"false"});
        case 'n':
            return take(std::string_view{"null"});
        default:
            return number();
        }
    }

    char const* m_at;
    char const* m_end;
};

} // namespace

bool is_storable_json(std::string_view text) {
    if (plain_json{text}.whole()) {
        return true;
    }
    // nlohmann/json takes a NUL for the end of the text, and skips a byte order mark; the server does neither.
    if (text.find('\0') != std::string_view::npos || text.starts_with("\xef\xbb\xbf")) {
        return false;
    }
    depth_counter counter;
    return nlohmann::json::sax_parse(text, &counter);
}

} // namespace once::detail
