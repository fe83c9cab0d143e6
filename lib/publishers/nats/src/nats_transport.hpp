// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/detail/broker_sender.hpp>
#include <once/nats_publisher.hpp>

#include "nats_session.hpp"

#include <cstdint>
#include <map>

namespace once::nats {

/// Publishes with a reply subject for each message, and collects the acknowledgements of streams.
class transport final : public detail::broker_transport {
public:
    transport(std::vector<std::string> urls, nats_options options);

    std::optional<std::string> open(time_point deadline) override;
    void submit(detail::broker_message message) override;
    std::vector<detail::broker_answer> wait(time_point deadline) override;
    [[nodiscard]] std::optional<std::string> lost() const override { return m_lost; }
    void abandon() noexcept override;

private:
    void take(natsMsg* message, std::vector<detail::broker_answer>& to);
    void refuse_unpermitted(std::string const& said, std::vector<detail::broker_answer>& to);
    void lose(std::string why);

    std::vector<std::string> m_urls;
    nats_options m_options;
    std::unique_ptr<session> m_session;
    std::optional<std::string> m_lost;
    /// Acknowledgements of an earlier call are told apart by it.
    std::uint64_t m_call = 0;
    std::string m_reply_prefix;
    /// What is under way, with its subject.
    std::map<std::size_t, std::string> m_under_way;
};

} // namespace once::nats
