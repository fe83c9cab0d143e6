// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/cloud_event.hpp>
#include <once/detail/broker_sender.hpp>

#include "publishers/rendering.hpp"
#include "text/encoding.hpp"

#include <string_view>

namespace once {

namespace {

std::string source_of(delivery const& message, cloud_event_options const& options) {
    return options.source.empty() ? "/" + message.service : options.source;
}

} // namespace

namespace detail {

std::string cloud_event_content_type(delivery const& message) {
    return message.payload.content_type().empty() ? "application/octet-stream"
                                                  : message.payload.content_type();
}

std::string percent_encoded(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string made;
    for (char const c : text) {
        auto const byte = static_cast<unsigned char>(c);
        if (byte <= 0x20 || byte >= 0x7f || c == '"' || c == '%') {
            made += '%';
            made += digits[byte >> 4U];
            made += digits[byte & 0xfU];
        } else {
            made += c;
        }
    }
    return made;
}

std::vector<header> cloud_event_attributes(delivery const& message, cloud_event_options const& options) {
    std::vector<header> made{{"specversion", "1.0"},
                             {"id", message.id.to_string()},
                             {"source", source_of(message, options)},
                             {"type", options.type_prefix + message.topic},
                             {"time", rfc3339(message.published_at)}};
    if (message.given_id) {
        made.emplace_back("givenid", message.given_id->to_string());
    }
    if (!message.key.empty()) {
        made.emplace_back("partitionkey", message.key);
    }
    if (!message.traceparent.empty()) {
        made.emplace_back("traceparent", message.traceparent);
    }
    return made;
}

} // namespace detail

std::string structured_cloud_event(delivery const& message, cloud_event_options const& options) {
    std::string made{"{"};
    for (auto const& [name, value] : detail::cloud_event_attributes(message, options)) {
        made += '"' + name + "\":" + detail::json_string(value) + ',';
    }
    made += "\"datacontenttype\":" + detail::json_string(detail::cloud_event_content_type(message)) + ',';
    if (detail::embeds_as_json(message.payload, false)) {
        made += "\"data\":" + message.payload.data();
    } else {
        made += "\"data_base64\":\"" + detail::to_base64(detail::bytes_of(message.payload.data())) + '"';
    }
    return made += '}';
}

std::vector<header> binary_cloud_event(delivery const& message, cloud_event_options const& options) {
    std::vector<header> made;
    for (auto const& [name, value] : detail::cloud_event_attributes(message, options)) {
        made.emplace_back("ce-" + name, detail::percent_encoded(value));
    }
    made.emplace_back("Content-Type", detail::cloud_event_content_type(message));
    return made;
}

} // namespace once
