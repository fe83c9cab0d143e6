// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "event_pipe.hpp"
#include "service.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

/** @file
 * A client process: it sends requests of one kind, tells what it heard, and may be killed at any moment.
 */
namespace demo {

struct client_task {
    /// orders, votes or notes
    std::string kind;
    /// The name of the process; the same after a restart, so that it makes the same requests with the same keys.
    std::string name;
    std::string dsn;
    std::uint64_t seed = 0;
    /// First piece of work.
    int first = 0;
    /// Pieces of work before this one are done even when the time is over.
    int at_least = 0;
    std::chrono::sys_time<std::chrono::milliseconds> until{};
    /// The orders that clerks write notes into.
    std::vector<std::string> numbers;
};

/// Works until the time is over; the exit code of the process.
int run_client(client_task const& task);

/// What the kinds of clients have in common.
class client {
public:
    client(once::database& db, event_pipe& events, client_task const& task)
        : m_db{db}, m_events{events}, m_task{task} {}

    [[nodiscard]] once::database& db() const noexcept { return m_db; }
    [[nodiscard]] client_task const& task() const noexcept { return m_task; }

    /// Random numbers for one piece of work, the same ones when it is repeated.
    [[nodiscard]] std::mt19937_64 random(int piece) const;

    void tell(nlohmann::json const& event) const { m_events.send(event); }

    /// Calls until there is a definite answer, as every client should: after a lost connection, a timeout or
    /// "in progress" it sends the same request again.
    once::reply insist(std::string_view action, std::string_view variant, once::request const& identity,
                       std::function<once::reply()> const& call) const;

private:
    once::database& m_db;
    event_pipe& m_events;
    client_task const& m_task;
};

/// How long the clients of the demonstration wait: short times, since the network is made to fail all the time.
[[nodiscard]] once::call_options patience();

void send_orders(client const& self, int piece);
void send_votes(client const& self, int piece);
void send_notes(client const& self, int piece);

} // namespace demo
