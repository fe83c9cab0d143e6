// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/http/request.hpp>
#include <once/request.hpp>

#include "header_name.hpp"

#include <algorithm>

namespace once::http {

namespace {

bool is_plain(char c) noexcept {
    constexpr std::string_view marks{"-._~@:/+=,"};
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           marks.find(c) != std::string_view::npos;
}

void append_encoded(std::string& text, std::string_view raw) {
    constexpr std::string_view digits{"0123456789ABCDEF"};
    for (char const c : raw) {
        if (is_plain(c)) {
            text += c;
        } else {
            auto const byte = static_cast<unsigned char>(c);
            text += {'%', digits[byte >> 4U], digits[byte & 0xfU]};
        }
    }
}

} // namespace

bool is_safe(std::string_view method) noexcept {
    return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "TRACE";
}

std::vector<std::string_view> header_values(std::vector<header> const& headers, std::string_view name) {
    std::vector<std::string_view> values;
    for (auto const& [each, value] : headers) {
        if (detail::same_name(each, name)) {
            values.emplace_back(value);
        }
    }
    return values;
}

parsed_key key_of(request const& request, key_syntax syntax) {
    if (request.key) {
        return check_idempotency_key(*request.key);
    }
    return parse_idempotency_key(header_values(request.headers, idempotency_key_header), syntax);
}

once::fingerprint fingerprint_of(request const& request) {
    // Several lines of one header mean the same as one line with commas (RFC 9110, 5.2).
    std::string content_type;
    for (auto const value : header_values(request.headers, "Content-Type")) {
        content_type += content_type.empty() ? "" : ", ";
        content_type += value;
    }
    return once::fingerprint{request.method, request.target, content_type, request.body};
}

std::string scope_of(std::string_view prefix, std::string_view principal) {
    bool const printable = std::ranges::all_of(prefix, [](char c) { return c >= 0x21 && c <= 0x7e; });
    if (prefix.empty() || !printable) {
        throw invalid_argument{"options.scope_prefix", "it must be printable ASCII without spaces"};
    }
    if (principal.empty()) {
        throw invalid_argument{"request.principal", "it is missing; give what the authentication found out"};
    }
    std::string scope{prefix};
    scope += ' ';
    append_encoded(scope, principal);
    if (scope.size() > max_key_bytes) {
        throw invalid_argument{"request.principal",
                               "with options.scope_prefix it makes a scope of " +
                                   std::to_string(scope.size()) +
                                   " bytes; 255 is the limit. Give a shorter id, or a hash of it"};
    }
    return scope;
}

} // namespace once::http
