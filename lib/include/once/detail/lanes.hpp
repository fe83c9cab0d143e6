// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/message.hpp>

#include <cstddef>
#include <deque>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace once::detail {

/// The messages of a batch that may still be sent: of each key one at a time, and the keys in turn.
class lanes {
public:
    /// @param messages must outlive it
    explicit lanes(std::span<delivery const> messages) : m_lane_of(messages.size()) {
        std::unordered_map<std::string_view, std::size_t> by_key;
        for (std::size_t i = 0; i < messages.size(); ++i) {
            auto lane = m_lanes.size();
            if (!messages[i].key.empty()) {
                lane = by_key.emplace(messages[i].key, lane).first->second;
            }
            if (lane == m_lanes.size()) {
                m_lanes.emplace_back();
                m_ready.push_back(lane);
            }
            m_lanes[lane].push_back(i);
            m_lane_of[i] = lane;
        }
    }

    [[nodiscard]] bool empty() const noexcept { return m_ready.empty(); }

    /// The next message, still here.
    [[nodiscard]] std::size_t next() const { return m_lanes[m_ready.front()].front(); }

    /// The next message; its lane waits until `go_on`.
    std::size_t take() {
        auto& lane = m_lanes[m_ready.front()];
        m_ready.pop_front();
        auto const place = lane.front();
        lane.pop_front();
        return place;
    }

    void go_on(std::size_t place) {
        if (!m_lanes[m_lane_of[place]].empty()) {
            m_ready.push_back(m_lane_of[place]);
        }
    }

    /// What waits behind this message, and will not be sent now unless its lane goes on.
    [[nodiscard]] std::deque<std::size_t> const& behind(std::size_t place) const {
        return m_lanes[m_lane_of[place]];
    }

private:
    std::vector<std::deque<std::size_t>> m_lanes;
    std::vector<std::size_t> m_lane_of;
    std::deque<std::size_t> m_ready;
};

} // namespace once::detail
