// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/publisher.hpp>

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>

namespace once::command {

/// Tells of each message that another publisher does not get rid of: once when it is refused, and once more when it is
/// refused for ever.
class noting_publisher final : public publisher {
public:
    using note = std::function<void(delivery const&, publish_answer const&)>;

    noting_publisher(std::unique_ptr<publisher> inner, note tell);

    publish_report publish(std::span<delivery const> messages,
                           std::chrono::steady_clock::time_point deadline) override;

private:
    using told = std::pair<message_id, publish_result>;

    bool is_new(message_id const& id, publish_result result);

    std::unique_ptr<publisher> m_inner;
    note m_tell;
    std::set<told> m_told;
    std::deque<told> m_oldest; // m_told in the order in which it grew, which bounds it
};

} // namespace once::command
