// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/publisher.hpp>

#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace once::testing {

/// A publisher in memory: answers as a script says, keeps the order of keys, and remembers what arrived.
class scripted_publisher final : public publisher {
public:
    /// What becomes of one message.
    std::function<publish_answer(delivery const&)> answer = [](delivery const&) { return publish_answer{}; };
    /// Called first in each call; what it returns is the report, if anything.
    std::function<std::optional<publish_report>(std::span<delivery const>)> before =
        [](std::span<delivery const>) { return std::nullopt; };

    publish_report publish(std::span<delivery const> messages,
                           std::chrono::steady_clock::time_point deadline) override {
        if (auto report = before(messages)) {
            return std::move(*report);
        }
        publish_report report;
        std::set<std::string> blocked;
        for (auto const& message : messages) {
            if (std::chrono::steady_clock::now() >= deadline || blocked.contains(message.key)) {
                report.answers.push_back({.result = publish_result::not_sent});
                continue;
            }
            report.answers.push_back(answer(message));
            if (report.answers.back().result == publish_result::accepted) {
                std::lock_guard const lock{m_mutex};
                m_accepted.push_back(message);
            } else if (!message.key.empty()) {
                blocked.insert(message.key);
            }
        }
        return report;
    }

    [[nodiscard]] std::vector<delivery> accepted() const {
        std::lock_guard const lock{m_mutex};
        return m_accepted;
    }
    /// The payloads of what was accepted, for keys that begin with `key`.
    [[nodiscard]] std::vector<std::string> payloads(std::string const& key = "") const {
        std::vector<std::string> made;
        for (auto const& one : accepted()) {
            if (one.key.starts_with(key)) {
                made.push_back(one.payload.data());
            }
        }
        return made;
    }

private:
    mutable std::mutex m_mutex;
    std::vector<delivery> m_accepted;
};

} // namespace once::testing
