// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/detail/broker_sender.hpp>
#include <once/kafka_publisher.hpp>

#include "kafka_producer.hpp"
#include "kafka_topic.hpp"

#include <map>

namespace once::kafka {

/// Produces, and collects delivery reports.
class transport final : public detail::broker_transport {
public:
    transport(std::string const& brokers, kafka_options options);

    std::optional<std::string> open(time_point deadline) override;
    void submit(detail::broker_message message) override;
    std::vector<detail::broker_answer> wait(time_point deadline) override;
    [[nodiscard]] std::optional<std::string> lost() const override { return m_lost; }
    void abandon() noexcept override;

private:
    topic const* find_topic(std::string const& name);
    void produce(detail::broker_message const& message);
    detail::broker_answer judge(report const& one);
    void lose(std::string why);

    kafka_options m_options;
    settings m_settings;
    std::unique_ptr<producer> m_producer;
    std::map<std::string, topic> m_topics;
    time_point m_deadline;
    std::optional<std::string> m_lost;
    /// What is under way, with its topic.
    std::map<std::size_t, std::string> m_under_way;
    /// Answers that needed no broker.
    std::vector<detail::broker_answer> m_known;
};

} // namespace once::kafka
