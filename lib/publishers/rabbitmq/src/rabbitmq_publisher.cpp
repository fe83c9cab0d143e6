// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/detail/broker_sender.hpp>
#include <once/error.hpp>
#include <once/rabbitmq_publisher.hpp>

#include "rabbitmq_transport.hpp"

namespace once {

namespace {

rabbitmq_options checked(rabbitmq_options options, bool tls) {
    using namespace std::chrono_literals;
    auto const refuse = [](char const* field, char const* why) {
        throw invalid_argument{std::string{"rabbitmq_options."} + field, why};
    };
    validate(options.messages);
    if (options.connect_timeout < 1ms || options.connect_timeout > 5min) {
        refuse("connect_timeout", "it must be between 1 millisecond and 5 minutes");
    }
    constexpr std::size_t longest = 127;
    if (options.exchange.size() > longest) {
        refuse("exchange", "it has more than 127 bytes");
    }
    if (tls && options.ca_file.empty()) {
        refuse("ca_file", "amqps needs a file with the certificates to trust");
    }
    if (options.certificate_file.empty() != options.key_file.empty()) {
        refuse("certificate_file", "a certificate needs its key, and a key its certificate");
    }
    return options;
}

} // namespace

rabbitmq_publisher::rabbitmq_publisher(std::string const& url, rabbitmq_options options) {
    auto where = rabbitmq::parse_url(url);
    options = checked(std::move(options), where.tls);
    auto messages = options.messages;
    m_sender = std::make_unique<detail::broker_sender>(
        std::move(messages),
        "cloudEvents:", std::make_unique<rabbitmq::transport>(std::move(where), std::move(options)));
}

rabbitmq_publisher::~rabbitmq_publisher() = default;

publish_report rabbitmq_publisher::publish(std::span<delivery const> messages,
                                           std::chrono::steady_clock::time_point deadline) {
    return m_sender->publish(messages, deadline);
}

} // namespace once
