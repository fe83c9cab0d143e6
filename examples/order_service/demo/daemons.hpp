// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "child_process.hpp"
#include "daemon.hpp"
#include "tally.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <string>

namespace demo {

/// Billing, relay and warehouse: started, killed, started again, and stopped in the end.
class daemons {
public:
    explicit daemons(tally& heard) : m_heard{heard} {}

    void start(daemon_task const& task);

    /// Starts the warehouse, and waits until it listens. @return its port
    /// @throws std::runtime_error when it does not within some seconds
    std::uint16_t start_warehouse(daemon_task const& task);

    /// Takes what they have to say. One that has ended by itself counts as failed.
    void listen();

    /// kill -9 for one of a kind, whichever it is, and another process in its place.
    void kill_and_replace(std::string const& kind, std::mt19937_64& random);

    /// Asks all of them to end, and waits until they have.
    void stop(std::chrono::milliseconds limit);

    [[nodiscard]] int killed(std::string const& kind) const;
    /// Processes that ended otherwise than they should.
    [[nodiscard]] int failed() const noexcept { return m_failed; }

private:
    struct one {
        daemon_task task;
        child_process process;
        bool open = true;
        bool done = false;
        bool asked_to_end = false;
        std::uint16_t port = 0;
    };

    void take(one& from);
    void wait_for_news(std::chrono::milliseconds moment) const;

    tally& m_heard;
    std::deque<one> m_all;
    std::map<std::string, int> m_killed;
    int m_failed = 0;
};

} // namespace demo
