// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/kafka_publisher.hpp>

#include "relay/broker.hpp"
#include "relay/publishers.hpp"
#include "relay/secrets.hpp"
#include "relay/urls.hpp"

#include <map>
#include <stdexcept>

namespace once::command {

namespace {

// The file is as those of Kafka's own tools: name=value, and # in front of a comment.
std::map<std::string, std::string> properties_of(relay_settings const& settings) {
    std::map<std::string, std::string> made;
    if (!settings.kafka.properties_file.empty()) {
        for (auto const& line :
             lines_of(read_secret_file("properties-file", settings.kafka.properties_file))) {
            auto const equals = line.find('=');
            if (equals == 0 || equals == std::string::npos) {
                throw std::invalid_argument{
                    "--properties-file: each line is NAME=VALUE, a property of librdkafka"};
            }
            made.insert_or_assign(line.substr(0, equals), line.substr(equals + 1));
        }
    }
    auto const set = [&](char const* name, std::string const& value) {
        if (!value.empty()) {
            made.insert_or_assign(name, value);
        }
    };
    bool const tls = settings.broker.tls || !settings.receiver.ca_file.empty() ||
                     !settings.broker.certificate_file.empty();
    bool const login = !settings.broker.user.empty();
    if (tls || login) {
        set("security.protocol", std::string{login ? "SASL_" : ""} + (tls ? "SSL" : "PLAINTEXT"));
    }
    if (login && !made.contains("sasl.mechanisms") && !made.contains("sasl.mechanism")) {
        set("sasl.mechanisms", "PLAIN");
    }
    set("sasl.username", settings.broker.user);
    if (login) {
        set("sasl.password", password_of(settings));
    }
    set("ssl.ca.location", settings.receiver.ca_file);
    set("ssl.certificate.location", settings.broker.certificate_file);
    set("ssl.key.location", settings.broker.key_file);
    return made;
}

class kafka_destination final : public destination {
public:
    kafka_destination(relay_settings const& settings, std::function<void(std::string_view)> log)
        : m_log{std::move(log)},
          m_brokers{url_of(settings)},
          m_options{.messages = broker_options_of(settings),
                    .config = properties_of(settings),
                    .connect_timeout = settings.receiver.connect_timeout,
                    .log = [this](std::string_view line) { m_log(line); }} {
        static_cast<void>(kafka_publisher{m_brokers, m_options}); // looks at the options
    }
    [[nodiscard]] std::string place() const override { return m_brokers; }
    std::unique_ptr<publisher> make_publisher() override {
        return std::make_unique<kafka_publisher>(m_brokers, m_options);
    }

private:
    each_line_once m_log;
    std::string m_brokers;
    kafka_options m_options;
};

} // namespace

std::unique_ptr<destination> make_kafka(relay_settings const& settings,
                                        std::function<void(std::string_view)> log) {
    return std::make_unique<kafka_destination>(settings, std::move(log));
}

} // namespace once::command
