// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/cloud_event.hpp>
#include <once/detail/fields.hpp>
#include <once/publisher.hpp>
#include <once/webhook/export.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace once {

/// How messages are posted. Checked when the publisher is constructed.
struct webhook_options {
    /// Secrets of Standard Webhooks: "whsec_" and the base64 of 24 to 64 random bytes. With one or more, each request
    /// is signed with each, so that a secret can be changed: add the new one, change the receiver, drop the old one.
    std::vector<std::string> secrets{};

    /// In which form the message travels.
    enum class form {
        /// The body is the payload as it is; topic, key and time are headers (Once-Topic, Once-Key,
        /// Once-Time, and Once-Given-Id when the application gave the message an id).
        plain,
        /// The body is the payload; the CloudEvents attributes are ce- headers.
        cloud_event_binary,
        /// The body is one JSON text of media type application/cloudevents+json.
        cloud_event_structured,
    };
    form message_form = form::plain;
    cloud_event_options cloud_event{};

    /// Sent with each request, for example Authorization; never shown in an error. A message's own header of the same
    /// name is not sent, nor are those that frame a request or name its sender (Host, Content-..., Authorization,
    /// Cookie, X-Forwarded-..., Webhook-...). A message with a header name of other characters than letters, digits and
    /// - is rejected: many servers take - and _ for the same.
    std::vector<header> headers{};

    /// Requests under way at once, 1 to 256, each on a connection of its own; never two of one key.
    std::size_t parallel = 16;

    /// For a connection to be made, TLS included, 1 millisecond to 5 minutes.
    once::detail::time_field<"webhook_options.connect_timeout"> connect_timeout{
        std::chrono::milliseconds{5'000}};

    /// For one request, from its beginning to the end of the answer, 1 millisecond to 1 hour. Shorter than the publish
    /// deadline of the relay, so that one silent receiver does not use up the time of a whole batch.
    once::detail::time_field<"webhook_options.request_timeout"> request_timeout{
        std::chrono::milliseconds{5'000}};

    /// The longest Retry-After that is honoured; a longer one counts as this.
    once::detail::time_field<"webhook_options.max_retry_after"> max_retry_after{std::chrono::hours{1}};

    /// What is read of an answer. Only its status counts, so the rest is not waited for.
    std::size_t max_answer_bytes = std::size_t{64} * 1024;

    /// Whether 409 and 422 count as accepted: for receivers that say so of what they have already.
    bool conflict_is_accepted = false;

    /// Connects to public addresses only: not to loopback, private, link-local or multicast ones, whatever name leads
    /// there. For addresses that customers enter.
    bool public_addresses_only = false;

    /// A proxy as libcurl takes it. Empty: none; the environment is not asked.
    std::string proxy{};

    /// A file of certificates to trust, PEM. Empty: what libcurl trusts. Certificates are always verified.
    std::string ca_file{};
};

/// Posts each message to an HTTP receiver.
/**
 * Every request carries `Idempotency-Key: "<message id>"`, the payload as body with its media type, the headers of the
 * message, and traceparent. Headers that HTTP itself or this publisher sets are not taken from the message
 * (Host, Content-Length, Connection, Idempotency-Key, webhook-..., ce-..., Once-..., ...).
 *
 * With secrets it is signed as Standard Webhooks 1.0 says: webhook-id, webhook-timestamp, and webhook-signature with
 * v1,base64(HMAC-SHA256(secret, id.timestamp.body)) for each secret.
 *
 * | answer | result |
 * | --- | --- |
 * | 2xx | accepted |
 * | 408, 425, 429, 5xx | retry, no sooner than Retry-After; see below |
 * | 409 | retry: the receiver is still at work on an earlier attempt, as the Idempotency-Key draft says |
 * | 401, 403, 404, 405, 407 | retry: they speak of the receiver's set-up, not of the message |
 * | 3xx | retry: no redirect is followed, because the message and its secrets are for this address only |
 * | 422 and other 4xx | rejected |
 * | connection lost, silent, answer torn | retry; see below |
 * | no connection | unavailable |
 *
 * When everything that was sent got 429, 502, 503, 504 or no answer, the report says "unavailable", too. The relay
 * then finds out with other messages whether it is the receiver, and no attempt counts, or these messages, and theirs
 * do.
 *
 * @par Thread safety
 * One thread at a time.
 */
class ONCE_WEBHOOK_EXPORT webhook_publisher final : public publisher {
public:
    /// @param url http or https
    /// @throws once::invalid_argument naming the field; never with the URL or a secret in it
    explicit webhook_publisher(std::string const& url, webhook_options options = {});
    ~webhook_publisher() override;

    [[nodiscard]] publish_report publish(std::span<delivery const> messages,
                                         std::chrono::steady_clock::time_point deadline) override;

private:
    struct state;
    std::unique_ptr<state> m_state;
};

/// The value of webhook-signature: for each secret v1,base64(HMAC-SHA256), separated by spaces.
/**
 * For receivers written in C++ that want to verify: compare with what came, and refuse timestamps that are minutes old.
 * @param secrets "whsec_" and base64
 * @throws once::invalid_argument when a secret has another form
 */
[[nodiscard]] ONCE_WEBHOOK_EXPORT std::string webhook_signature(std::vector<std::string> const& secrets,
                                                                std::string_view id,
                                                                std::string_view timestamp,
                                                                std::string_view body);

/// Whether one of the signatures that came is that of one of the secrets. Takes the same time wherever they differ.
/**
 * @param signatures the value of webhook-signature
 * @param tolerance  how far `timestamp` may be from `now`, both ways
 */
[[nodiscard]] ONCE_WEBHOOK_EXPORT bool
verify_webhook(std::vector<std::string> const& secrets, std::string_view id, std::string_view timestamp,
               std::string_view body, std::string_view signatures,
               std::chrono::system_clock::time_point now = std::chrono::system_clock::now(),
               std::chrono::seconds tolerance = std::chrono::minutes{5});

} // namespace once
