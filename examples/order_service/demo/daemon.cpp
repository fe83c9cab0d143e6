// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "daemon.hpp"

#include <once/database.hpp>

#include "billing.hpp"
#include "event_pipe.hpp"
#include "sabotage.hpp"
#include "webhooks.hpp"

#include <atomic>
#include <csignal>
#include <exception>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <unistd.h>

namespace demo {

namespace {

sigset_t end_signal() {
    sigset_t end{};
    ::sigemptyset(&end);
    ::sigaddset(&end, SIGTERM);
    return end;
}

void run_billing(once::database& db, std::stop_token const& stop) {
    auto const post_twice = [](once::delivery const& message, once::transaction& tx) {
        billing::post(message, tx);
        billing::post(message, tx);
    };
    if (sabotaged("twice")) {
        billing::run(db, post_twice, stop);
    } else {
        billing::run(db, billing::post, stop);
    }
}

void work(daemon_task const& task, event_pipe& events, std::stop_token const& stop) {
    once::database db{task.dsn + " application_name=" + task.name};
    if (task.kind == "billing") {
        run_billing(db, stop);
    } else if (task.kind == "relay") {
        run_relay(db, task.port, stop);
    } else if (task.kind == "warehouse") {
        run_warehouse(db, task, events, stop);
    } else {
        throw std::invalid_argument{"no such process: " + task.kind};
    }
}

} // namespace

int run_daemon(daemon_task const& task) {
    event_pipe events = event_pipe::to_parent();
    auto const end = end_signal();
    ::pthread_sigmask(SIG_BLOCK, &end, nullptr); // before there are other threads
    std::atomic<bool> broken{false};
    std::jthread worker{[&](std::stop_token const& stop) {
        try {
            work(task, events, stop);
        } catch (std::exception const& e) {
            broken = true;
            events.send({{"event", "broken"}, {"what", e.what()}});
            ::kill(::getpid(), SIGTERM);
        }
    }};
    int got = 0;
    ::sigwait(&end, &got);
    worker.request_stop();
    worker.join();
    if (broken) {
        return 1;
    }
    events.send({{"event", "done"}});
    return 0;
}

} // namespace demo
