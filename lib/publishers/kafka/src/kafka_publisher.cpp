// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/detail/broker_sender.hpp>
#include <once/error.hpp>
#include <once/kafka_publisher.hpp>

#include "kafka_transport.hpp"

#include <algorithm>

namespace once {

namespace {

void check_brokers(std::string const& brokers) {
    bool const known =
        !brokers.empty() && brokers.front() != ',' && brokers.back() != ',' &&
        std::ranges::all_of(brokers, [](char c) { return c > 0x20 && c < 0x7f && c != '@' && c != '/'; });
    if (!known) {
        throw invalid_argument{"kafka_publisher.brokers",
                               "it is HOST:PORT, or several of them with commas between"};
    }
}

kafka_options checked(kafka_options options) {
    using namespace std::chrono_literals;
    auto const refuse = [](char const* field, char const* why) {
        throw invalid_argument{std::string{"kafka_options."} + field, why};
    };
    validate(options.messages);
    if (options.connect_timeout < 1ms || options.connect_timeout > 5min) {
        refuse("connect_timeout", "it must be between 1 millisecond and 5 minutes");
    }
    if (options.idle_grace < 0ms || options.idle_grace > 1min) {
        refuse("idle_grace", "it must be between 0 and 1 minute");
    }
    return options;
}

} // namespace

kafka_publisher::kafka_publisher(std::string const& brokers, kafka_options options) {
    check_brokers(brokers);
    options = checked(std::move(options));
    auto messages = options.messages;
    m_sender = std::make_unique<detail::broker_sender>(
        std::move(messages), "ce_", std::make_unique<kafka::transport>(brokers, std::move(options)));
}

kafka_publisher::~kafka_publisher() = default;

publish_report kafka_publisher::publish(std::span<delivery const> messages,
                                        std::chrono::steady_clock::time_point deadline) {
    return m_sender->publish(messages, deadline);
}

} // namespace once
