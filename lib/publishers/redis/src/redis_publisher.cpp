// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/detail/broker_sender.hpp>
#include <once/error.hpp>
#include <once/redis_publisher.hpp>

#include "redis_transport.hpp"

namespace once {

namespace {

redis_options checked(redis_options options) {
    using namespace std::chrono_literals;
    auto const refuse = [](char const* field, char const* why) {
        throw invalid_argument{std::string{"redis_options."} + field, why};
    };
    validate(options.messages);
    if (options.connect_timeout < 1ms || options.connect_timeout > 5min) {
        refuse("connect_timeout", "it must be between 1 millisecond and 5 minutes");
    }
    if (options.wait_replicas < 0 || options.wait_replicas > 100) {
        refuse("wait_replicas", "it must be between 0 and 100");
    }
    return options;
}

} // namespace

redis_publisher::redis_publisher(std::string const& url, redis_options options) {
    auto where = redis::parse_url(url);
    options = checked(std::move(options));
    auto messages = options.messages;
    m_sender = std::make_unique<detail::broker_sender>(
        std::move(messages), "ce_", std::make_unique<redis::transport>(std::move(where), std::move(options)));
}

redis_publisher::~redis_publisher() = default;

publish_report redis_publisher::publish(std::span<delivery const> messages,
                                        std::chrono::steady_clock::time_point deadline) {
    return m_sender->publish(messages, deadline);
}

} // namespace once
