// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "request/text_rules.hpp"

#include <cstddef>
#include <string_view>
#include <vector>

namespace once::detail {

namespace {

// Checks RFC 8259 without building anything: each payload and each response passes through here.
class json_checker {
public:
    explicit json_checker(std::string_view text) noexcept
        : m_at{text.data()}, m_end{text.data() + text.size()} {}

    bool check() {
        for (;;) {
            // A value is due here, or the end of an empty array.
            skip_space();
            if (m_at == m_end) {
                return false;
            }
            if (*m_at == '{' || *m_at == '[') {
                if (!open(*m_at++)) {
                    return false;
                }
                if (!m_closed_at_once) {
                    continue;
                }
            } else if (!scalar()) {
                return false;
            }
            if (!after_value()) {
                return m_open.empty() && !m_failed && m_at == m_end;
            }
        }
    }

private:
    static constexpr std::size_t deepest = 512;

    void skip_space() noexcept {
        while (m_at != m_end && (*m_at == ' ' || *m_at == '\n' || *m_at == '\r' || *m_at == '\t')) {
            ++m_at;
        }
    }

    bool take(char wanted) noexcept {
        if (m_at == m_end || *m_at != wanted) {
            return false;
        }
        ++m_at;
        return true;
    }

    // Behind { or [. In an object the first name is read, too.
    bool open(char kind) {
        if (m_open.size() == deepest) {
            return false;
        }
        skip_space();
        m_closed_at_once = take(kind == '{' ? '}' : ']');
        if (m_closed_at_once) {
            return true;
        }
        m_open.push_back(kind);
        return kind == '[' || name();
    }

    bool name() noexcept {
        skip_space();
        if (!take('"') || !string()) {
            return false;
        }
        skip_space();
        return take(':');
    }

    // Closes what ends here. False when no value follows: at the end of the text, or where it is wrong.
    bool after_value() noexcept {
        for (;;) {
            skip_space();
            if (m_open.empty()) {
                return false;
            }
            bool const object = m_open.back() == '{';
            if (take(',')) {
                m_failed = object && !name();
                return !m_failed;
            }
            if (!take(object ? '}' : ']')) {
                m_failed = true;
                return false;
            }
            m_open.pop_back();
        }
    }

    bool scalar() noexcept {
        switch (*m_at) {
        case '"':
            ++m_at;
            return string();
        case 't':
            return word("true");
        case 'f':
            return word("false");
        case 'n':
            return word("null");
        default:
            return number();
        }
    }

    bool word(std::string_view wanted) noexcept {
        if (!std::string_view{m_at, static_cast<std::size_t>(m_end - m_at)}.starts_with(wanted)) {
            return false;
        }
        m_at += wanted.size();
        return true;
    }

    bool digits() noexcept {
        auto const* const begin = m_at;
        while (m_at != m_end && *m_at >= '0' && *m_at <= '9') {
            ++m_at;
        }
        return m_at != begin;
    }

    bool number() noexcept {
        take('-');
        if (!take('0') && !digits()) {
            return false;
        }
        if (take('.') && !digits()) {
            return false;
        }
        if (take('e') || take('E')) {
            if (!take('+')) {
                take('-');
            }
            return digits();
        }
        return true;
    }

    // Behind the opening quote.
    bool string() noexcept {
        auto const* const begin = m_at;
        bool ascii = true;
        while (m_at != m_end) {
            auto const c = static_cast<unsigned char>(*m_at);
            if (c == '"') {
                std::string_view const text{begin, static_cast<std::size_t>(m_at++ - begin)};
                return ascii || is_utf8(text);
            }
            if (c < 0x20) {
                return false;
            }
            ascii = ascii && c < 0x80;
            ++m_at;
            if (c == '\\' && !escape()) {
                return false;
            }
        }
        return false;
    }

    // Behind the backslash.
    bool escape() noexcept {
        if (m_at == m_end) {
            return false;
        }
        char const kind = *m_at++;
        if (kind != 'u') {
            return std::string_view{"\"\\/bfnrt"}.find(kind) != std::string_view::npos;
        }
        auto const unit = code_unit();
        if (unit < 0xd800 || unit > 0xdfff) {
            return unit >= 0;
        }
        // The server keeps half a surrogate pair, but ->> of it fails ever after.
        if (unit > 0xdbff || !take('\\') || !take('u')) {
            return false;
        }
        auto const low = code_unit();
        return low >= 0xdc00 && low <= 0xdfff;
    }

    // Four hexadecimal digits; -1 when they are none.
    int code_unit() noexcept {
        int unit = 0;
        for (int i = 0; i < 4; ++i) {
            char const c = m_at == m_end ? ' ' : *m_at++;
            int const digit = c >= '0' && c <= '9'   ? c - '0'
                              : c >= 'a' && c <= 'f' ? c - 'a' + 10
                              : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                     : -1;
            if (digit < 0) {
                return -1;
            }
            unit = unit * 16 + digit;
        }
        return unit;
    }

    char const* m_at;
    char const* m_end;
    std::vector<char> m_open;
    bool m_closed_at_once = false;
    bool m_failed = false;
};

} // namespace

bool is_storable_json(std::string_view text) {
    return json_checker{text}.check();
}

} // namespace once::detail
