// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "support/session.hpp"

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace once::testing {

/// A message as a reader got it.
struct delivery {
    std::string message_id;
    std::string key; ///< empty: none
    long seq{};      ///< place among the messages of its key, given out under a row lock
};

/// Reads the next messages and remembers that it has: nothing left when it returns none.
using reader = std::function<std::vector<delivery>(session&)>;

/// What is wrong with what a reader got.
struct verdict {
    long expected{};
    long lost{};     ///< committed and never delivered
    long phantom{};  ///< delivered and not committed
    long repeated{}; ///< delivered again
    long disorder{}; ///< delivered before an earlier message of the same key

    [[nodiscard]] bool clean() const { return lost + phantom + repeated + disorder == 0; }
};
[[nodiscard]] std::string to_string(verdict const& found);

/// The schema `proof` in a test's database: keys, what was committed, and a function that stages one message.
void prepare_storm(session& db);

/// Writers that do to the outbox whatever transactions can do, and readers that take part while they do.
/**
 * Each writer's transactions have savepoints, rollbacks, sleeps, an id that was taken early, two keys in any order (so
 * that some deadlock), or are prepared and decided later. Threads end with this object.
 */
class storm {
public:
    storm(std::string dsn, int writers, std::uint64_t seed);
    storm(storm const&) = delete;
    storm& operator=(storm const&) = delete;
    ~storm();

    /// Lets a reader run from now on; it is known by the number that is returned, from 0.
    std::size_t add(reader read);
    /// Runs the writers until they have committed at least so many messages more.
    void blow(long messages);
    /// Lets the readers run until each has found nothing three times in a row.
    void drain();
    /// Compares what a reader got with what was committed. Not while writers run.
    [[nodiscard]] verdict judge(std::size_t reader_number);
    [[nodiscard]] long delivered(std::size_t reader_number);

private:
    struct reading {
        std::mutex guard;
        std::vector<delivery> got;
        int idle = 0;
        std::exception_ptr failure;
        std::jthread thread;
    };
    void write(std::stop_token const& stop, std::uint64_t seed, int number);

    std::string m_dsn;
    int m_writers;
    std::uint64_t m_seed;
    std::atomic<long> m_committed{0};
    std::vector<std::unique_ptr<reading>> m_readings;
};

} // namespace once::testing
