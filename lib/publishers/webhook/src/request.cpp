// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "request.hpp"

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
// as somebody else, or change what a signature is believed to cover.
bool is_reserved(std::string_view name) noexcept {
    constexpr std::array<std::string_view, 16> names{"host",
                                                     "content-length",
                                                     "content-type",
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
    constexpr std::array<std::string_view, 4> prefixes{"proxy-", "webhook-", "ce-", "once-"};
    return std::ranges::any_of(names, [&](auto one) { return same_name(name, one); }) ||
           std::ranges::any_of(prefixes, [&](auto one) { return begins_with(name, one); });
}

/// Topic, key and time as plain headers; CloudEvents has them all, and encoded so that any key fits into a header.
std::vector<header> plain_headers(delivery const& message) {
    std::vector<header> made;
    for (auto& [name, value] : binary_cloud_event(message)) {
        if (name == "ce-type") {
            made.emplace_back("Once-Topic", std::move(value));
        } else if (name == "ce-partitionkey") {
            made.emplace_back("Once-Key", std::move(value));
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

std::optional<request> make_request(delivery const& message, webhook_options const& options,
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
        if (!is_http_header(one)) {
            return std::nullopt;
        }
        if (!is_reserved(one.first) && !given_by_options(one.first)) {
            made.headers.push_back(one);
        }
    }
    made.headers.insert(made.headers.end(), options.headers.begin(), options.headers.end());
    if (!std::ranges::all_of(made.headers, is_http_header)) {
        return std::nullopt; // a media type or a trace context that came from elsewhere
    }
    return made;
}

std::string header_line(header const& header) {
    return header.second.empty() ? header.first + ';' : header.first + ": " + header.second;
}

} // namespace once::webhook
