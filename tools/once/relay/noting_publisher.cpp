// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "relay/noting_publisher.hpp"

#include <algorithm>

namespace once::command {

namespace {

// Those that are told of again after so many others.
constexpr std::size_t most_remembered = 10'000;

} // namespace

noting_publisher::noting_publisher(std::unique_ptr<publisher> inner, note tell)
    : m_inner{std::move(inner)}, m_tell{std::move(tell)} {}

publish_report noting_publisher::publish(std::span<delivery const> messages,
                                         std::chrono::steady_clock::time_point deadline) {
    auto report = m_inner->publish(messages, deadline);
    for (std::size_t i = 0; i < std::min(messages.size(), report.answers.size()); ++i) {
        auto const result = report.answers[i].result;
        bool const refused = result == publish_result::retry || result == publish_result::rejected;
        if (refused && is_new(messages[i].id, result)) {
            m_tell(messages[i], report.answers[i]);
        }
    }
    return report;
}

bool noting_publisher::is_new(message_id const& id, publish_result result) {
    bool const added = m_told.emplace(id, result).second;
    if (added) {
        m_oldest.emplace_back(id, result);
    }
    if (m_oldest.size() > most_remembered) {
        m_told.erase(m_oldest.front());
        m_oldest.pop_front();
    }
    return added;
}

} // namespace once::command
