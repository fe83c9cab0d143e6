// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/redis_publisher.hpp>

#include "redis_url.hpp"

#include <chrono>
#include <hiredis/hiredis.h>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace once::redis {

using time_point = std::chrono::steady_clock::time_point;

struct free_reply {
    void operator()(redisReply* reply) const noexcept { freeReplyObject(reply); }
};
using owned_reply = std::unique_ptr<redisReply, free_reply>;

[[nodiscard]] inline std::string_view text_of(redisReply const& reply) noexcept {
    return reply.str == nullptr ? std::string_view{} : std::string_view{reply.str, reply.len};
}
[[nodiscard]] inline bool is_error(redisReply const& reply) noexcept {
    return reply.type == REDIS_REPLY_ERROR;
}

/// One connection.
class session {
public:
    /// Nothing when it was not made; `error` says why.
    static std::unique_ptr<session> open(address const& where, redis_options const& options,
                                         time_point deadline, std::string& error);

    /// Whether the server has closed it, as far as that can be seen without sending anything.
    [[nodiscard]] bool is_dead() const;

    /// Puts a command in front of those that wait to be sent.
    void append(std::vector<std::string_view> const& words);
    /// Sends what waits, and reads the next reply. Nothing when the connection is no longer of use.
    [[nodiscard]] owned_reply read(time_point deadline);
    /// Whether the last read() ended because its time was up.
    [[nodiscard]] bool timed_out() const noexcept { return m_timed_out; }
    /// What is wrong with the connection.
    [[nodiscard]] std::string why() const;

private:
    struct free_context {
        void operator()(redisContext* context) const noexcept { redisFree(context); }
    };
    explicit session(redisContext* context) : m_context{context} {}
    std::string log_in(address const& where, redis_options const& options, time_point deadline);
    [[nodiscard]] owned_reply ask(std::vector<std::string_view> const& words, time_point deadline);
    void look_at_settings(redis_options const& options, time_point deadline);

    std::unique_ptr<redisContext, free_context> m_context;
    bool m_timed_out = false;
};

} // namespace once::redis
