// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// [region: file]
#pragma once

#include <csignal>
#include <pthread.h>
#include <stop_token>
#include <thread>

/// A token that is told to stop by SIGTERM (systemd) or SIGINT (Ctrl-C). Call it once, first in main: threads that are
/// started later inherit that these signals are blocked, so the one that waits for them gets them.
inline std::stop_token stop_on_signal() {
    static sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGTERM);
    ::sigaddset(&signals, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);

    static auto* const stop = new std::stop_source; // never destroyed: the thread below outlives main
    std::thread{[] {
        int which = 0;
        ::sigwait(&signals, &which);
        stop->request_stop();
    }}.detach();
    return stop->get_token();
}
// [endregion]
