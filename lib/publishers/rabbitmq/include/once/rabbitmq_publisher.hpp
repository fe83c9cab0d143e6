// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/broker_options.hpp>
#include <once/detail/fields.hpp>
#include <once/publisher.hpp>
#include <once/rabbitmq/export.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace once::detail {
class broker_sender;
}

namespace once {

/// How messages get into RabbitMQ. Checked when the publisher is constructed.
struct rabbitmq_options {
    /// Routing keys ("{topic}" by default), form, and how much is under way.
    broker_options messages{};

    /// The exchange. It must be there. Empty: the default exchange, where a routing key is the name of a queue.
    std::string exchange{};

    /// Whether a message that no queue gets counts as accepted. It is lost then.
    bool allow_unroutable = false;

    /// Longer payloads are rejected before they are sent: the broker answers one by ending the channel with all that is
    /// under way. RabbitMQ takes 16 MiB from 4.0 on, 128 MiB before.
    std::size_t max_message_bytes = std::size_t{16} * 1024 * 1024;

    /// For a connection to be made, TLS and login included, 1 millisecond to 5 minutes.
    once::detail::time_field<"rabbitmq_options.connect_timeout"> connect_timeout{
        std::chrono::milliseconds{5'000}};

    /// Instead of those in the URL.
    std::string user{};
    std::string password{};

    /// For amqps: the certificates to trust, PEM; it is needed there. The host's name is always verified,
    /// against names in the certificate only: librabbitmq compares no addresses, so the URL has to have a name.
    std::string ca_file{};
    /// A certificate of one's own and the key to it, PEM: both or none.
    std::string certificate_file{};
    std::string key_file{};
};

/// Publishes each message to an exchange of RabbitMQ, persistent, mandatory and with publisher confirms.
/**
 * `accepted` means that every queue that the message was routed to has confirmed it. How durable that is depends on the
 * queues: docs/rabbitmq.md. Exchanges, queues and bindings are never created.
 *
 * Headers are byte for byte; the id is the property message-id, too.
 *
 * | what happens | result |
 * | --- | --- |
 * | basic.ack, and the message was not returned | accepted |
 * | longer than `max_message_bytes`; a routing key or the name of a header longer than 255 bytes | rejected |
 * | returned, because no queue gets it; basic.nack, because a queue is full | retry; if all get it: unavailable |
 * | no connection, wrong password, no right, an exchange that is not there | unavailable |
 * | a memory or disk alarm of the broker | unavailable |
 * | the connection or the channel is lost, or nothing is answered | unavailable |
 *
 * @par Thread safety
 * One thread at a time.
 */
class ONCE_RABBITMQ_EXPORT rabbitmq_publisher final : public publisher {
public:
    /// @param url amqp://HOST[:PORT][/VHOST] or amqps://, with USER:PASSWORD@ in front of the host if they are not in
    /// the options; percent-encoded, so the vhost / is %2f
    /// @throws once::invalid_argument naming the field; never with the URL or a secret in it
    explicit rabbitmq_publisher(std::string const& url, rabbitmq_options options = {});
    ~rabbitmq_publisher() override;

    [[nodiscard]] publish_report publish(std::span<delivery const> messages,
                                         std::chrono::steady_clock::time_point deadline) override;

private:
    std::unique_ptr<once::detail::broker_sender> m_sender;
};

} // namespace once
