// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/broker_options.hpp>
#include <once/detail/fields.hpp>
#include <once/kafka/export.hpp>
#include <once/publisher.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace once::detail {
class broker_sender;
}

namespace once {

/// How messages get into Kafka. Checked when the publisher is constructed.
struct kafka_options {
    /// Topics ("{topic}" by default), form, and how much is under way.
    broker_options messages{};

    /// Properties of librdkafka, for TLS and SASL above all: security.protocol, ssl.ca.location, sasl.mechanisms,
    /// sasl.username, sasl.password. Those that make `accepted` true (acks, enable.idempotence, retries, timeouts of a
    /// message, transactions) are refused.
    std::map<std::string, std::string> config{};

    /// For a first answer of a broker, 1 millisecond to 5 minutes.
    once::detail::time_field<"kafka_options.connect_timeout"> connect_timeout{
        std::chrono::milliseconds{5'000}};

    /// How long a call waits for more answers when no broker can be reached any more, 0 to 1 minute.
    once::detail::time_field<"kafka_options.idle_grace"> idle_grace{std::chrono::milliseconds{500}};

    /// Gets a line for people when a topic cannot keep what `accepted` promises.
    std::function<void(std::string_view)> log{};
};

/// Hands each message to a topic of Kafka, as an idempotent producer with acks=all.
/**
 * `accepted` means that all replicas in sync have the record. How many those are is for the topic to say
 * (min.insync.replicas): docs/kafka.md.
 *
 * The key of a message is the key of the record, with the partitioner of the Java client. Headers and payload are byte
 * for byte. Topics are never created.
 *
 * | what happens | result |
 * | --- | --- |
 * | the report says: persisted | accepted |
 * | larger than max.message.bytes of the topic; a name that no topic can have | rejected |
 * | a topic that is not there, no right to write, too few replicas in sync | retry; if all get it: unavailable |
 * | no broker, wrong password, an untrusted certificate | unavailable |
 * | the connection is lost, or nothing is answered | unavailable |
 *
 * After a call nothing is under way: a producer with messages that were not answered is destroyed with them.
 *
 * @par Thread safety
 * One thread at a time. The client library has threads of its own.
 */
class ONCE_KAFKA_EXPORT kafka_publisher final : public publisher {
public:
    /// @param brokers one or more HOST:PORT, separated by commas
    /// @throws once::invalid_argument naming the field, or the property; never with its value
    explicit kafka_publisher(std::string const& brokers, kafka_options options = {});
    ~kafka_publisher() override;

    [[nodiscard]] publish_report publish(std::span<delivery const> messages,
                                         std::chrono::steady_clock::time_point deadline) override;

private:
    std::unique_ptr<once::detail::broker_sender> m_sender;
};

} // namespace once
