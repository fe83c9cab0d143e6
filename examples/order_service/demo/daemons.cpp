// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "daemons.hpp"

#include "interruption.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <poll.h>
#include <stdexcept>
#include <vector>

namespace demo {

namespace {

using clock = std::chrono::steady_clock;

std::vector<std::string> arguments(daemon_task const& task) {
    return {"daemon", task.kind, task.name, task.dsn, std::to_string(task.seed), std::to_string(task.port)};
}

} // namespace

void daemons::start(daemon_task const& task) {
    m_all.push_back({.task = task, .process = child_process{arguments(task)}});
}

std::uint16_t daemons::start_warehouse(daemon_task const& task) {
    start(task);
    auto& warehouse = m_all.back();
    auto const limit = clock::now() + std::chrono::seconds{60};
    while (warehouse.port == 0) {
        throw_if_interrupted();
        wait_for_news(std::chrono::milliseconds{100});
        listen();
        if (!warehouse.open || clock::now() > limit) {
            throw std::runtime_error{"the warehouse does not listen"};
        }
    }
    warehouse.task.port = warehouse.port; // the next one listens at the same place
    return warehouse.port;
}

void daemons::take(one& from) {
    from.open = from.process.read([&](nlohmann::json const& event) {
        if (event.at("event") == "ready") {
            from.port = event.at("port").get<std::uint16_t>();
        } else if (event.at("event") == "done") {
            from.done = true;
        } else {
            m_heard.take(from.task.name, event);
        }
    });
    if (!from.open) {
        bool const as_it_should = from.process.wait() == 0 && from.done && from.asked_to_end;
        m_failed += as_it_should ? 0 : 1;
    }
}

void daemons::listen() {
    for (auto& each : m_all) {
        if (each.open) {
            take(each);
        }
    }
}

void daemons::wait_for_news(std::chrono::milliseconds moment) const {
    std::vector<pollfd> waiting;
    waiting.reserve(m_all.size());
    for (auto const& each : m_all) {
        waiting.push_back({.fd = each.open ? each.process.descriptor() : -1, .events = POLLIN, .revents = 0});
    }
    ::poll(waiting.data(), waiting.size(), static_cast<int>(moment.count()));
}

void daemons::kill_and_replace(std::string const& kind, std::mt19937_64& random) {
    std::vector<one*> candidates;
    for (auto& each : m_all) {
        if (each.task.kind == kind && each.open) {
            candidates.push_back(&each);
        }
    }
    if (candidates.empty()) {
        return; // it has ended by itself, and is counted
    }
    auto& chosen = *candidates[random() % candidates.size()];
    chosen.process.kill();
    if (chosen.process.wait() != -SIGKILL) {
        chosen.open = false;
        ++m_failed;
        return;
    }
    ++m_killed[kind];
    ++chosen.task.seed;
    chosen.process = child_process{arguments(chosen.task)};
}

void daemons::stop(std::chrono::milliseconds limit) {
    for (auto& each : m_all) {
        each.asked_to_end = true;
        each.process.send_signal(SIGTERM);
    }
    auto const end = clock::now() + limit;
    auto const running = [&] {
        return std::ranges::any_of(m_all, [](one const& each) { return each.open; });
    };
    while (running() && clock::now() < end) {
        throw_if_interrupted();
        wait_for_news(std::chrono::milliseconds{100});
        listen();
    }
    m_failed += static_cast<int>(std::ranges::count_if(m_all, [](one const& each) { return each.open; }));
}

int daemons::killed(std::string const& kind) const {
    auto const found = m_killed.find(kind);
    return found == m_killed.end() ? 0 : found->second;
}

} // namespace demo
