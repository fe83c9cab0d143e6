// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/rabbitmq_publisher.hpp>

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#endif

#include <chrono>
#include <memory>
#include <string>

namespace once::rabbitmq {

using time_point = std::chrono::steady_clock::time_point;

/// Where a broker is, and as whom to talk to it.
struct address {
    std::string host{};
    int port = 5672;
    std::string user{};
    std::string password{};
    std::string vhost = "/";
    bool tls = false;
};

/// @throws once::invalid_argument when it is no amqp:// or amqps://
[[nodiscard]] address parse_url(std::string const& url);

[[nodiscard]] inline std::string text_of(amqp_bytes_t bytes) {
    return bytes.len == 0 ? std::string{} : std::string{static_cast<char const*>(bytes.bytes), bytes.len};
}
[[nodiscard]] inline amqp_bytes_t bytes_of(std::string const& text) noexcept {
    return {.len = text.size(), .bytes = const_cast<char*>(text.data())};
}

/// One connection, with a channel that confirms.
class session {
public:
    static constexpr amqp_channel_t channel = 1;

    /// Nothing when it was not made; `error` says why.
    static std::unique_ptr<session> open(address const& where, rabbitmq_options const& options,
                                         time_point deadline, std::string& error);
    ~session();
    session(session const&) = delete;
    session& operator=(session const&) = delete;

    [[nodiscard]] amqp_connection_state_t handle() const noexcept { return m_handle; }
    /// Nothing that is written may wait for longer: with an alarm the broker reads no more, and librabbitmq waits for
    /// it for ever.
    void bound_writes(time_point deadline) const;
    /// Whether the broker has closed it, as far as that can be seen without sending anything.
    [[nodiscard]] bool is_dead() const;

    /// The next frame: AMQP_STATUS_OK, AMQP_STATUS_TIMEOUT, or the connection is of no use any more.
    [[nodiscard]] int next(amqp_frame_t& frame, time_point deadline) const;

private:
    session() = default;
    std::string connect(address const& where, rabbitmq_options const& options, time_point deadline);
    std::string log_in(address const& where, rabbitmq_options const& options);
    std::string prepare(rabbitmq_options const& options);

    amqp_connection_state_t m_handle = nullptr;
};

} // namespace once::rabbitmq
