// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/broker_options.hpp>
#include <once/detail/fields.hpp>
#include <once/nats/export.hpp>
#include <once/publisher.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace once::detail {
class broker_sender;
}

namespace once {

/// How messages get into JetStream. Checked when the publisher is constructed.
struct nats_options {
    /// Subjects ("{topic}" by default), form, and how much is under way.
    broker_options messages{};

    /// The stream that has to take the messages. It is looked at when a connection is made, and each message names it,
    /// so that none gets into another stream by mistake. Empty: whichever stream has the subject.
    std::string stream{};

    /// Whether each message carries its id as Nats-Msg-Id, so that the server takes a repeat within the stream's
    /// duplicate window (2 minutes by default) only once. Receivers have to detect repeats all the same.
    bool deduplicate = true;

    /// For a connection to be made, TLS included, 1 millisecond to 5 minutes.
    once::detail::time_field<"nats_options.connect_timeout"> connect_timeout{
        std::chrono::milliseconds{5'000}};

    /// Instead of a user in the URL.
    std::string user{};
    std::string password{};
    std::string token{};
    /// A file as `nsc` writes it, with a user's JWT and seed.
    std::string credentials_file{};

    /// TLS, also where the URL does not say so. Certificates are always verified.
    bool tls = false;
    /// A file of certificates to trust, PEM. Empty: what the system trusts. Turns `tls` on.
    std::string ca_file{};
    /// A certificate of one's own and the key to it, PEM: both or none.
    std::string certificate_file{};
    std::string key_file{};

    /// Gets a line for people when the stream cannot keep what `accepted` promises: because it is in memory, for
    /// example.
    std::function<void(std::string_view)> log{};
};

/// Hands each message to NATS JetStream, and waits for the acknowledgement of its stream.
/**
 * `accepted` means that the stream has the message: the leader and a majority of its replicas. With one replica, or
 * without `sync_interval: always` at the server, that is not yet on disk: docs/nats.md.
 *
 * Values of headers that are not printable ASCII are percent-encoded in `id`, `key` and all that this publisher sets
 * (as CloudEvents does); the message's own are sent as they are, except those that are empty, or that begin or end with
 * a space, which NATS cannot carry: they are left out. A message with a header name that has other characters than
 * printable ASCII without spaces and colons is rejected. Headers that begin with Nats- are commands to the server and
 * not taken from the message.
 *
 * | what happens | result |
 * | --- | --- |
 * | acknowledged, also as a duplicate | accepted |
 * | larger than max_payload of the server or max_msg_size of the stream; a subject that cannot be | rejected |
 * | no stream takes the subject, it is full or has no leader, no right to publish | retry; if all get it: unavailable |
 * | any other error of the stream | retry |
 * | no connection, wrong password, no stream of that name | unavailable |
 * | the connection is lost, or nothing is answered | unavailable |
 *
 * Subjects and streams are never created: that, and how many replicas there are, is for an operator to decide.
 *
 * @par Thread safety
 * One thread at a time. The client library has threads of its own.
 */
class ONCE_NATS_EXPORT nats_publisher final : public publisher {
public:
    /// @param urls one or more servers of a cluster, separated by commas: nats://HOST:PORT or tls://HOST:PORT
    /// @throws once::invalid_argument naming the field; never with the URL or a secret in it
    explicit nats_publisher(std::string const& urls, nats_options options = {});
    ~nats_publisher() override;

    [[nodiscard]] publish_report publish(std::span<delivery const> messages,
                                         std::chrono::steady_clock::time_point deadline) override;

private:
    std::unique_ptr<once::detail::broker_sender> m_sender;
};

} // namespace once
