// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/http/idempotency_key.hpp>
#include <once/request.hpp>

#include <algorithm>
#include <optional>

namespace once::http {

namespace {

bool is_bare(std::string_view text) noexcept {
    constexpr std::string_view marks{"_-!#$%&'*+.^`|~:/="};
    auto const is_alphanumeric = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    };
    // A value that begins with ':' or '?' is a byte sequence or a boolean of RFC 8941, not a string without quotes.
    return !text.empty() && (is_alphanumeric(text.front()) || text.front() == '_' || text.front() == '-') &&
           std::ranges::all_of(
               text, [&](char c) { return is_alphanumeric(c) || marks.find(c) != std::string_view::npos; });
}

struct quoted_string {
    std::string key;
    /// What stands behind the closing quote.
    std::string_view rest;
};

// RFC 8941, section 4.2.5; `text` begins with the opening quote.
std::optional<quoted_string> read_quoted(std::string_view text) {
    std::string key;
    for (std::size_t i = 1; i < text.size(); ++i) {
        char const c = text[i];
        if (c == '"') {
            return quoted_string{std::move(key), text.substr(i + 1)};
        }
        if (c == '\\') {
            ++i;
            if (i == text.size() || (text[i] != '"' && text[i] != '\\')) {
                return std::nullopt;
            }
            key += text[i];
        } else {
            key += c; // whether it may be in a key is looked at afterwards
        }
    }
    return std::nullopt;
}

// Proxies may join several header lines with a comma, so a list counts as a repeated header.
bool goes_on_as_list(std::string_view rest) {
    auto const next = rest.find_first_not_of(" \t");
    return next != std::string_view::npos && rest[next] == ',';
}

std::optional<key_defect> defect_of_key(std::string_view key) noexcept {
    if (key.empty()) {
        return key_defect::empty;
    }
    if (key.size() > max_key_bytes) {
        return key_defect::too_long;
    }
    if (!std::ranges::all_of(key, [](char c) { return c >= 0x20 && c <= 0x7e; })) {
        return key_defect::malformed;
    }
    if (key.front() == ' ' || key.back() == ' ') {
        return key_defect::outer_space;
    }
    return std::nullopt;
}

std::string_view trimmed(std::string_view text) noexcept {
    auto const first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

} // namespace

parsed_key parse_idempotency_key(std::span<std::string_view const> values, key_syntax syntax) {
    if (values.empty()) {
        return key_defect::missing;
    }
    if (values.size() > 1) {
        return key_defect::repeated;
    }
    if (values.front().size() > max_key_field_bytes) {
        return key_defect::too_long;
    }
    auto const value = trimmed(values.front());
    if (value.empty()) {
        return key_defect::empty;
    }
    std::string key;
    if (value.front() == '"') {
        auto quoted = read_quoted(value);
        if (!quoted) {
            return key_defect::malformed;
        }
        if (!quoted->rest.empty()) {
            return goes_on_as_list(quoted->rest) ? key_defect::repeated : key_defect::malformed;
        }
        key = std::move(quoted->key);
    } else if (!is_bare(value)) {
        auto const comma = value.find(',');
        bool const list = comma != std::string_view::npos && is_bare(trimmed(value.substr(0, comma)));
        return list ? key_defect::repeated : key_defect::malformed;
    } else if (syntax == key_syntax::quoted) {
        return key_defect::unquoted;
    } else {
        key = value;
    }
    return check_idempotency_key(key);
}

parsed_key check_idempotency_key(std::string_view key) {
    if (auto const defect = defect_of_key(key)) {
        return *defect;
    }
    return std::string{key};
}

std::string format_idempotency_key(std::string_view key) {
    if (defect_of_key(key)) {
        throw invalid_argument{"key", "1 to 255 bytes of printable ASCII (0x20 to 0x7e) are allowed, with no "
                                      "space at either end"};
    }
    std::string value{'"'};
    for (char const c : key) {
        if (c == '"' || c == '\\') {
            value += '\\';
        }
        value += c;
    }
    value += '"';
    return value;
}

std::string_view explain(key_defect defect) noexcept {
    switch (defect) {
    case key_defect::missing:
        return "This request needs the header Idempotency-Key: a string in double quotes that is unique to "
               "the request and the same for every repeat of it.";
    case key_defect::repeated:
        return "The header Idempotency-Key must be there once, with one string.";
    case key_defect::unquoted:
        return "The value of Idempotency-Key must be a string in double quotes (RFC 8941).";
    case key_defect::empty:
        return "The value of Idempotency-Key must not be empty.";
    case key_defect::outer_space:
        return "The string in Idempotency-Key must not begin or end with a space.";
    case key_defect::too_long:
        return "The string in Idempotency-Key may have 255 bytes at most.";
    case key_defect::malformed:
        break;
    }
    return "The value of Idempotency-Key must be one string of printable ASCII in double quotes (RFC 8941), "
           "without parameters.";
}

} // namespace once::http
