// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/message.hpp>

#include "text/text_rules.hpp"
#include "wire/validate_response.hpp"

#include <algorithm>
#include <string_view>

namespace once {

namespace {

constexpr std::size_t max_topic_bytes = 249;
constexpr std::size_t max_ordering_key_bytes = 255;
constexpr std::size_t traceparent_bytes = 55;

bool is_topic(std::string_view text) noexcept {
    bool word_begins = true; // a dot here would be one too many
    for (char const c : text) {
        bool const in_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                             c == '_' || c == '-';
        if (!in_word && (c != '.' || word_begins)) {
            return false;
        }
        word_begins = !in_word;
    }
    return !word_begins;
}

bool has_control_character(std::string_view text) noexcept {
    return std::ranges::any_of(text,
                               [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool is_traceparent(std::string_view text) noexcept {
    if (text.size() != traceparent_bytes) {
        return false;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        char const c = text[i];
        bool const hyphen_here = i == 2 || i == 35 || i == 52;
        bool const is_hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        if (hyphen_here ? c != '-' : !is_hex) {
            return false;
        }
    }
    return true;
}

} // namespace

void validate(message const& message) {
    using namespace std::chrono;
    if (message.topic.size() > max_topic_bytes || !is_topic(message.topic)) {
        throw invalid_argument{
            "message.topic",
            "it must be words of ASCII letters, digits, _ and -, joined by dots, 1 to 249 bytes"};
    }
    if (message.key.size() > max_ordering_key_bytes || has_control_character(message.key) ||
        !detail::is_utf8(message.key)) {
        throw invalid_argument{
            "message.key", "it must be UTF-8 without control characters, up to 255 bytes; empty for no key"};
    }
    if (message.payload.data().size() > max_payload_bytes) {
        throw invalid_argument{"message.payload", "it has " + std::to_string(message.payload.data().size()) +
                                                      " bytes; " + std::to_string(max_payload_bytes) +
                                                      " is the limit. Store it elsewhere and send its name"};
    }
    detail::validate_content_type(message.payload.content_type(), "message.payload.content_type");
    detail::validate_headers(message.headers, "message.headers");
    if (!message.traceparent.empty() && !is_traceparent(message.traceparent)) {
        throw invalid_argument{
            "message.traceparent",
            "it must have the form of W3C Trace Context, 00-<32 hex>-<16 hex>-<2 hex>, lower case"};
    }
    constexpr sys_days earliest{year{1970} / 1 / 1};
    constexpr sys_days latest{year{9999} / 12 / 31};
    if (message.deliver_at && (*message.deliver_at < earliest || *message.deliver_at > latest)) {
        throw invalid_argument{"message.deliver_at", "it must be between the years 1970 and 9999"};
    }
}

} // namespace once
