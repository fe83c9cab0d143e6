// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/detail/broker_sender.hpp>
#include <once/redis_publisher.hpp>

#include "redis_session.hpp"

namespace once::redis {

/// What was submitted is one transaction, sent by wait().
class transport final : public detail::broker_transport {
public:
    transport(address where, redis_options options);

    std::optional<std::string> open(time_point deadline) override;
    [[nodiscard]] bool all_or_nothing() const override { return true; }
    void submit(detail::broker_message message) override;
    std::vector<detail::broker_answer> wait(time_point deadline) override;
    [[nodiscard]] std::optional<std::string> lost() const override { return m_lost; }
    void abandon() noexcept override;

private:
    void append(detail::broker_message const& message);
    detail::broker_answer judge(detail::broker_message const& message, redisReply const& reply) const;
    void wait_for_replicas(std::vector<detail::broker_answer>& answers, time_point deadline);
    void note_end_of_session();

    address m_where;
    redis_options m_options;
    std::unique_ptr<session> m_session;
    std::optional<std::string> m_lost;
    std::vector<detail::broker_message> m_pending;
};

} // namespace once::redis
