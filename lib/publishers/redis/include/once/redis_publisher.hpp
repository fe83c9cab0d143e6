// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/broker_options.hpp>
#include <once/detail/fields.hpp>
#include <once/publisher.hpp>
#include <once/redis/export.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace once::detail {
class broker_sender;
}

namespace once {

/// How messages get into streams of Redis. Checked when the publisher is constructed.
struct redis_options {
    /// Keys of the streams ("{topic}" by default), form, and how much goes in one transaction.
    broker_options messages{};

    /// Whether a stream that is not there is made by its first message. Otherwise that message waits for the stream, so
    /// that a wrong name is noticed.
    bool make_streams = false;

    /// Streams are cut to about so many entries (MAXLEN ~), 0 for never. What is cut off is gone, read or not.
    std::uint64_t max_length = 0;

    /// A message is accepted only when so many replicas have it in memory (WAIT), 0 to 100. One that is not there in
    /// time is sent again.
    int wait_replicas = 0;

    /// For a connection to be made, 1 millisecond to 5 minutes.
    once::detail::time_field<"redis_options.connect_timeout"> connect_timeout{
        std::chrono::milliseconds{5'000}};

    /// Instead of those in the URL. A password without a user is that of the user `default`.
    std::string user{};
    std::string password{};

    /// Gets a line for people when the server cannot keep what `accepted` promises: when it does not write to disk
    /// before it answers, for example.
    std::function<void(std::string_view)> log{};
};

/// Adds each message to a stream of Redis (or of a server that speaks its protocol, such as Valkey).
/**
 * The messages of a call are one transaction (MULTI, EXEC) with an XADD for each, so the server writes its file once
 * for all of them, and a connection that is lost leaves all of them or none.
 *
 * `accepted` means that the server has executed it. Whether that is on disk depends on `appendfsync`: docs/redis.md.
 *
 * An entry has a field for each header and the field `payload`, all byte for byte.
 *
 * | what happens | result |
 * | --- | --- |
 * | EXEC has the id of the entry | accepted |
 * | a stream that is not there, or a key of another type | retry; if all get it: unavailable |
 * | no memory, no right, a replica, a full disk, LOADING | unavailable |
 * | fewer replicas than wanted in time | retry; if all get it: unavailable |
 * | no connection, a wrong password | unavailable |
 * | the connection is lost, or nothing is answered | unavailable |
 *
 * @par Thread safety
 * One thread at a time.
 */
class ONCE_REDIS_EXPORT redis_publisher final : public publisher {
public:
    /// @param url redis://HOST[:PORT][/DATABASE], with USER:PASSWORD@ in front of the host if they are not in the
    /// options, percent-encoded where needed
    /// @throws once::invalid_argument naming the field; never with the URL or a secret in it
    explicit redis_publisher(std::string const& url, redis_options options = {});
    ~redis_publisher() override;

    [[nodiscard]] publish_report publish(std::span<delivery const> messages,
                                         std::chrono::steady_clock::time_point deadline) override;

private:
    std::unique_ptr<once::detail::broker_sender> m_sender;
};

} // namespace once
