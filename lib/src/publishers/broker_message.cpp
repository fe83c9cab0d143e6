// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/detail/broker_sender.hpp>
#include <once/error.hpp>

#include "publishers/rendering.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace once {

namespace {

constexpr std::array<std::string_view, 3> placeholders{"{topic}", "{service}", "{subscription}"};

bool fits(std::string_view pattern, std::string_view topic) {
    if (pattern.ends_with(".*")) {
        return topic.starts_with(pattern.substr(0, pattern.size() - 1));
    }
    return topic == pattern;
}

void check_template(std::string const& text, char const* field) {
    auto const refuse = [&](std::string const& why) { throw invalid_argument{field, why}; };
    if (text.empty()) {
        refuse("it must not be empty");
    }
    for (std::size_t at = 0; (at = text.find_first_of("{}", at)) != std::string::npos;) {
        auto const rest = std::string_view{text}.substr(at);
        auto const* const known =
            std::ranges::find_if(placeholders, [&](auto one) { return rest.starts_with(one); });
        if (known == placeholders.end()) {
            refuse("in braces only {topic}, {service} and {subscription} are known");
        }
        at += known->size();
    }
}

void check_pattern(std::string const& pattern) {
    auto const star = pattern.find('*');
    if (pattern.empty() ||
        (star != std::string::npos && (star + 1 != pattern.size() || !pattern.ends_with(".*") || star < 2))) {
        throw invalid_argument{"broker_options.topic_map",
                               "a pattern is a topic, or a prefix that ends with .*"};
    }
}

} // namespace

void validate(broker_options const& options) {
    check_template(options.name, "broker_options.name");
    for (auto const& [pattern, name] : options.topic_map) {
        check_pattern(pattern);
        check_template(name, "broker_options.topic_map");
    }
    constexpr std::size_t most_messages = 100'000;
    if (options.window_messages < 1 || options.window_messages > most_messages) {
        throw invalid_argument{"broker_options.window_messages", "it must be between 1 and 100000"};
    }
    constexpr std::size_t least_bytes = 1024;
    if (options.window_bytes < least_bytes) {
        throw invalid_argument{"broker_options.window_bytes", "it must be at least 1024"};
    }
}

} // namespace once

namespace once::detail {

namespace {

std::string destination_of(delivery const& message, broker_options const& options) {
    auto const rule = std::ranges::find_if(options.topic_map,
                                           [&](auto const& one) { return fits(one.pattern, message.topic); });
    std::string_view const text = rule == options.topic_map.end() ? options.name : rule->name;
    std::array<std::string_view, 3> const values{message.topic, message.service, options.subscription};
    std::string made;
    for (std::size_t at = 0; at < text.size();) {
        auto const rest = text.substr(at);
        auto const* const known =
            std::ranges::find_if(placeholders, [&](auto one) { return rest.starts_with(one); });
        if (known == placeholders.end()) {
            made += text[at++];
        } else {
            made += values.at(static_cast<std::size_t>(known - placeholders.begin()));
            at += known->size();
        }
    }
    return made;
}

char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_name(std::string_view a, std::string_view b) noexcept {
    return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

constexpr std::string_view content_type = "content-type";

std::vector<header> plain_headers(delivery const& message) {
    std::vector<header> made{{"id", message.id.to_string()}, {"topic", message.topic}};
    auto const add = [&](char const* name, std::string value) {
        if (!value.empty()) {
            made.emplace_back(name, std::move(value));
        }
    };
    add("key", message.key);
    add("time", rfc3339(message.published_at));
    add("content-type", message.payload.content_type());
    add("traceparent", message.traceparent);
    add("given-id", message.given_id ? message.given_id->to_string() : "");
    return made;
}

std::vector<header> attribute_headers(delivery const& message, broker_options const& options,
                                      std::string_view prefix) {
    std::vector<header> made;
    for (auto& [name, value] : cloud_event_attributes(message, options.cloud_event)) {
        made.emplace_back(std::string{prefix} + name, std::move(value));
    }
    made.emplace_back(content_type, cloud_event_content_type(message));
    return made;
}

// A message must not pass for another one, whichever form its reader expects.
bool is_reserved(std::string_view name, std::string_view prefix) {
    constexpr std::array<std::string_view, 7> names{"id",         "topic",       "key",     "time",
                                                    content_type, "traceparent", "given-id"};
    return std::ranges::any_of(names, [&](auto one) { return same_name(name, one); }) ||
           (name.size() >= prefix.size() && same_name(name.substr(0, prefix.size()), prefix));
}

} // namespace

std::size_t broker_message::bytes() const noexcept {
    std::size_t sum = destination.size() + source->key.size() + body().size();
    for (auto const& [name, value] : headers) {
        sum += name.size() + value.size();
    }
    return sum;
}

broker_message make_broker_message(delivery const& message, broker_options const& options,
                                   std::string_view attribute_prefix) {
    broker_message made{.source = &message, .destination = destination_of(message, options)};
    switch (options.form) {
    case broker_form::plain:
        made.headers = plain_headers(message);
        break;
    case broker_form::cloud_event_binary:
        made.headers = attribute_headers(message, options, attribute_prefix);
        break;
    case broker_form::cloud_event_structured:
        made.headers = {{std::string{content_type}, "application/cloudevents+json; charset=utf-8"}};
        made.text = structured_cloud_event(message, options.cloud_event);
        break;
    }
    made.set_here = made.headers.size();
    for (auto const& own : message.headers) {
        if (!is_reserved(own.first, attribute_prefix)) {
            made.headers.push_back(own);
        }
    }
    return made;
}

} // namespace once::detail
