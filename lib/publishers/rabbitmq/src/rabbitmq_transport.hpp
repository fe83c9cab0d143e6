// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/detail/broker_sender.hpp>
#include <once/rabbitmq_publisher.hpp>

#include "rabbitmq_session.hpp"

#include <cstdint>
#include <map>
#include <set>

namespace once::rabbitmq {

/// Publishes on a channel with confirms, and matches acknowledgements and returned messages.
class transport final : public detail::broker_transport {
public:
    transport(address where, rabbitmq_options options);

    std::optional<std::string> open(time_point deadline) override;
    void submit(detail::broker_message message) override;
    std::vector<detail::broker_answer> wait(time_point deadline) override;
    [[nodiscard]] std::optional<std::string> lost() const override { return m_lost; }
    void abandon() noexcept override;

private:
    struct sent {
        std::size_t place = 0;
        std::string id{};
        std::string routing_key{};
    };
    void take(amqp_frame_t const& frame, std::vector<detail::broker_answer>& to, time_point deadline);
    void settle(std::uint64_t tag, bool multiple, bool positive, std::vector<detail::broker_answer>& to);
    /// The header and the body that follow a basic.return; the id is in the header.
    void skip_returned(time_point deadline);
    void lose(std::string why);

    address m_where;
    rabbitmq_options m_options;
    std::unique_ptr<session> m_session;
    std::optional<std::string> m_lost;
    std::uint64_t m_tag = 0;
    /// What is under way, by the tag of its confirmation.
    std::map<std::uint64_t, sent> m_under_way;
    /// Ids that came back, because no queue gets them. Their confirmation follows all the same.
    std::set<std::string> m_returned;
};

} // namespace once::rabbitmq
