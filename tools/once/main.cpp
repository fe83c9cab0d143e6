// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "command_line.hpp"

#include <csignal>
#include <iostream>
#include <pthread.h>
#include <stop_token>
#include <thread>
#include <unistd.h>

namespace {

using once::command::run_command_line;

// The first SIGINT or SIGTERM asks whatever runs to finish what it has begun; the second one ends the process.
class signal_stop {
public:
    signal_stop() {
        sigemptyset(&m_signals);
        sigaddset(&m_signals, SIGINT);
        sigaddset(&m_signals, SIGTERM);
        pthread_sigmask(SIG_BLOCK, &m_signals, nullptr);
        std::thread{[this, source = m_source]() mutable {
            int which = 0;
            sigwait(&m_signals, &which);
            pthread_sigmask(SIG_UNBLOCK, &m_signals, nullptr);
            source.request_stop();
            for (;;) {
                ::pause(); // this thread takes the second signal, and the default ends the process
            }
        }}.detach();
    }
    [[nodiscard]] std::stop_token token() const { return m_source.get_token(); }

private:
    sigset_t m_signals{};
    std::stop_source m_source;
};

} // namespace

int main(int argc, char** argv) {
    signal_stop const stop;
    return run_command_line(argc, argv, stop.token(), std::cout, std::cerr);
}
