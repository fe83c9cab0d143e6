// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "request.hpp"

#include <once/error.hpp>

#include "signature.hpp"

#include <algorithm>
#include <array>

namespace once::webhook {

namespace {

char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_name(std::string_view a, std::string_view b) noexcept {
    return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

bool begins_with(std::string_view name, std::string_view prefix) noexcept {
    return name.size() >= prefix.size() && same_name(name.substr(0, prefix.size()), prefix);
}

// What frames a request, names its sender, or is set here. A message that could set them could split a request, pose
// as another sender, or change what a signature is believed to cover.
bool is_reserved(std::string_view name) noexcept {
    constexpr std::array<std::string_view, 21> names{"host",
                                                     "forwarded",
                                                     "via",
                                                     "x-real-ip",
                                                     "x-http-method-override",
                                                     "x-http-method",
                                                     "x-method-override",
                                                     "range",
                                                     "transfer-encoding",
                                                     "connection",
                                                     "keep-alive",
                                                     "te",
                                                     "trailer",
                                                     "upgrade",
                                                     "expect",
                                                     "idempotency-key",
                                                     "traceparent",
                                                     "cookie",
                                                     "authorization",
                                                     "user-agent",
                                                     "accept-encoding"};
    constexpr std::array<std::string_view, 7> prefixes{"proxy-",   "webhook-", "ce-",         "once-",
                                                       "content-", "sec-",     "x-forwarded-"};
    return std::ranges::any_of(names, [&](auto one) { return same_name(name, one); }) ||
           std::ranges::any_of(prefixes, [&](auto one) { return begins_with(name, one); });
}

// Of a message's own headers only such names are sent. Some servers take - and _, or . and _, for the same: what is
// none of the reserved names here could become one there, as Idempotency_Key does in CGI, WSGI and Rack.
bool is_plain_name(std::string_view name) noexcept {
    return !name.empty() && std::ranges::all_of(name, [](char c) {
        return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '-';
    });
}

// For an error. What is no token at all could be anything.
std::string shown(std::string_view name) {
    constexpr std::size_t longest = 64;
    return name.size() <= longest && is_http_header({std::string{name}, ""}) ? '"' + std::string{name} + '"'
                                                                             : "of the message";
}

/// Topic, key and time as plain headers; CloudEvents has them all, and encoded so that any key fits into a header.
std::vector<header> plain_headers(delivery const& message) {
    std::vector<header> made;
    for (auto& [name, value] : binary_cloud_event(message)) {
        if (name == "ce-type") {
            made.emplace_back("Once-Topic", std::move(value));
        } else if (name == "ce-partitionkey") {
            made.emplace_back("Once-Key", std::move(value));
        } else if (name == "ce-givenid") {
            made.emplace_back("Once-Given-Id", std::move(value));
        } else if (name == "ce-time") {
            made.emplace_back("Once-Time", std::move(value));
        } else if (name == "Content-Type") {
            made.emplace_back(std::move(name), std::move(value));
        }
    }
    return made;
}

void add_form(request& to, delivery const& message, webhook_options const& options) {
    using enum webhook_options::form;
    switch (options.message_form) {
    case cloud_event_structured:
        to.headers.emplace_back("Content-Type", "application/cloudevents+json; charset=utf-8");
        to.body = structured_cloud_event(message, options.cloud_event);
        return;
    case cloud_event_binary:
        to.headers = binary_cloud_event(message, options.cloud_event);
        break;
    case plain:
        to.headers = plain_headers(message);
        break;
    }
    to.body = message.payload.data();
}

} // namespace

bool is_http_header(header const& header) noexcept {
    auto const& [name, value] = header;
    constexpr std::string_view others = "!#$%&'*+-.^_`|~";
    return !name.empty() && std::ranges::all_of(name, [&](char c) {
        return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') ||
               others.find(c) != std::string_view::npos;
    }) && std::ranges::all_of(value, [](char c) {
        return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    });
}

request make_request(delivery const& message, webhook_options const& options,
                     std::vector<std::string> const& keys, std::string_view timestamp) {
    auto const id = message.id.to_string();
    request made;
    add_form(made, message, options);
    made.headers.emplace_back("Idempotency-Key", '"' + id + '"');
    if (!message.traceparent.empty()) {
        made.headers.emplace_back("traceparent", message.traceparent);
    }
    if (!keys.empty()) {
        made.headers.emplace_back("webhook-id", id);
        made.headers.emplace_back("webhook-timestamp", timestamp);
        made.headers.emplace_back("webhook-signature", sign(keys, id, timestamp, made.body));
    }
    auto const given_by_options = [&](std::string_view name) {
        return std::ranges::any_of(options.headers,
                                   [&](auto const& one) { return same_name(one.first, name); });
    };
    for (auto const& one : message.headers) {
        if (!is_plain_name(one.first)) {
            throw invalid_argument{
                "header " + shown(one.first),
                "a webhook takes names of letters, digits and - only, because servers read other "
                "characters as -"};
        }
        if (!is_http_header(one)) {
            throw invalid_argument{"header " + shown(one.first), "its value holds a control character"};
        }
        if (!is_reserved(one.first) && !given_by_options(one.first)) {
            made.headers.push_back(one);
        }
    }
    made.headers.insert(made.headers.end(), options.headers.begin(), options.headers.end());
    // A media type or a trace context that came from elsewhere.
    if (auto const bad = std::ranges::find_if_not(made.headers, is_http_header); bad != made.headers.end()) {
        throw invalid_argument{"header " + shown(bad->first), "it cannot be sent over HTTP"};
    }
    return made;
}

std::string header_line(header const& header) {
    return header.second.empty() ? header.first + ';' : header.first + ": " + header.second;
}

} // namespace once::webhook
