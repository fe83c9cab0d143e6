// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "child_process.hpp"
#include "client.hpp"
#include "tally.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <random>
#include <vector>

namespace demo {

/// The client processes: started, listened to, killed, replaced.
class workers {
public:
    explicit workers(tally& heard) : m_heard{heard} {}

    void start(client_task const& task);

    /// Takes events for a moment.
    void listen(std::chrono::milliseconds moment);

    /// kill -9 for one of them, whichever it is, and another process that repeats its last pieces of work.
    void kill_and_replace(std::mt19937_64& random);

    [[nodiscard]] bool all_ended() const;
    [[nodiscard]] int killed() const noexcept { return m_killed; }
    /// Processes that ended otherwise than they should.
    [[nodiscard]] int failed() const noexcept { return m_failed; }

private:
    struct worker {
        client_task task;
        std::optional<child_process> process;
        int begun = 0;
        bool done = false;
        bool killed = false;
    };

    void take(worker& from);

    tally& m_heard;
    std::vector<worker> m_workers;
    int m_killed = 0;
    int m_failed = 0;
};

} // namespace demo
