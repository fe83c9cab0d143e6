// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "interruption.hpp"

#include <csignal>

namespace demo {

namespace {

volatile std::sig_atomic_t last_signal = 0;

void remember(int signal) {
    last_signal = signal;
}

} // namespace

interrupted::interrupted(int signal) : std::runtime_error{"interrupted"}, m_signal{signal} {}

void remember_interruptions() {
    struct sigaction action{};
    action.sa_handler = remember;
    for (int const signal : {SIGINT, SIGTERM, SIGHUP}) {
        ::sigaction(signal, &action, nullptr);
    }
}

void throw_if_interrupted() {
    if (last_signal != 0) {
        throw interrupted{last_signal};
    }
}

} // namespace demo
