// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "workers.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <poll.h>
#include <utility>

namespace demo {

namespace {

std::vector<std::string> arguments(client_task const& task) {
    std::vector<std::string> all{"client",
                                 task.kind,
                                 task.name,
                                 task.dsn,
                                 std::to_string(task.seed),
                                 std::to_string(task.first),
                                 std::to_string(task.at_least),
                                 std::to_string(task.until.time_since_epoch().count())};
    all.insert(all.end(), task.numbers.begin(), task.numbers.end());
    return all;
}

} // namespace

void workers::start(client_task const& task) {
    m_workers.push_back({.task = task, .process = child_process{arguments(task)}});
}

void workers::take(worker& from) {
    bool const open = from.process->read([&](nlohmann::json const& event) {
        if (event.at("event") == "piece") {
            // A replacement begins with earlier pieces than its predecessor was killed at, and may be killed there.
            from.begun = std::max(from.begun, event.at("piece").get<int>() + 1);
        } else if (event.at("event") == "done") {
            from.done = true;
        } else {
            m_heard.take(from.task.name, event);
        }
    });
    if (!open) {
        auto const status = from.process->wait();
        bool const as_it_should = from.killed ? status == -SIGKILL : status == 0 && from.done;
        m_failed += as_it_should ? 0 : 1;
        from.process.reset();
    }
}

void workers::listen(std::chrono::milliseconds moment) {
    std::vector<pollfd> waiting;
    waiting.reserve(m_workers.size());
    for (auto const& one : m_workers) {
        waiting.push_back(
            {.fd = one.process ? one.process->descriptor() : -1, .events = POLLIN, .revents = 0});
    }
    ::poll(waiting.data(), waiting.size(), static_cast<int>(moment.count()));
    for (auto& one : m_workers) {
        if (one.process) {
            take(one);
        }
    }
}

void workers::kill_and_replace(std::mt19937_64& random) {
    auto& chosen = m_workers[random() % m_workers.size()];
    if (!chosen.process || chosen.done) {
        return;
    }
    chosen.process->kill();
    chosen.killed = chosen.process->wait() == -SIGKILL;
    take(chosen); // what it had told before
    if (!std::exchange(chosen.killed, false)) {
        return; // it had ended by itself at this very moment
    }
    ++m_killed;
    constexpr int repeated = 20;
    chosen.task.first = std::max(0, chosen.begun - repeated);
    chosen.task.at_least = chosen.begun;
    chosen.process = child_process{arguments(chosen.task)};
}

bool workers::all_ended() const {
    return std::ranges::none_of(m_workers, [](worker const& one) { return one.process.has_value(); });
}

} // namespace demo
