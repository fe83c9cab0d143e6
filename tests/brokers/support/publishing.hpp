// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/publisher.hpp>

#include "brokers/support/broker_server.hpp"
#include "support/publisher_conformance.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace once::testing {

/// The deadline of a call that has time.
[[nodiscard]] inline std::chrono::steady_clock::time_point soon() {
    return std::chrono::steady_clock::now() + std::chrono::seconds{30};
}

inline publish_report publish_one(publisher& to, delivery const& message) {
    return to.publish(std::vector{message}, soon());
}

/// A message as it arrived at the far end.
struct far_message {
    std::string id{};
    std::string key{};
    long number = 0;
};

/// What a publisher is to bring through kills of its broker.
struct kills {
    std::size_t messages = 0;
    /// Of one call.
    std::size_t together = 0;
    std::size_t times = 0;
    /// How many are accepted from one kill to the next.
    std::size_t apart = 0;
    /// Until so many are accepted that the next kill comes.
    std::chrono::seconds patience{20};
};

/// Publishes 0, 1, … under a hundred keys, as a relay does: what was not accepted stays, in its order.
inline void publish_through_kills(broker_server const& server, publisher& to, kills const& how) {
    std::vector<delivery> waiting;
    for (std::size_t i = 0; i < how.messages; ++i) {
        waiting.push_back(make_delivery("key " + std::to_string(i % 100), body::text(std::to_string(i))));
    }
    std::atomic<std::size_t> delivered = 0;
    std::jthread const killer{[&] {
        for (std::size_t i = 1; i <= how.times; ++i) { // in the middle of a call
            static_cast<void>(wait_until([&] { return delivered >= i * how.apart; }, how.patience));
            server.kill();
            server.start();
        }
    }};
    while (!waiting.empty()) {
        auto const count = static_cast<std::ptrdiff_t>(std::min(waiting.size(), how.together));
        std::vector<delivery> const some{waiting.begin(), waiting.begin() + count};
        auto const report = to.publish(some, soon());
        std::set<message_id> done;
        for (std::size_t i = 0; i < report.answers.size(); ++i) {
            if (report.answers[i].result == publish_result::accepted) {
                done.insert(some[i].id);
            }
        }
        delivered += done.size();
        std::erase_if(waiting, [&](auto const& one) { return done.contains(one.id); });
    }
}

/// Each of `count` messages is there, and with repeats taken out the numbers of each key grow.
inline void check_growing(std::vector<far_message> const& arrived, std::size_t count) {
    std::map<std::string, long> last;
    std::set<std::string> seen;
    for (auto const& [id, key, number] : arrived) {
        if (seen.insert(id).second) {
            auto const before = last.emplace(key, -1).first;
            CHECK(before->second < number);
            before->second = number;
        }
    }
    CHECK(seen.size() == count);
}

} // namespace once::testing
