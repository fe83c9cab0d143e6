// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "command_line.hpp"
#include "screen.hpp"
#include "signals.hpp"

#include <csignal>
#include <iostream>
#include <poll.h>
#include <pthread.h>
#include <stop_token>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace {

namespace command = once::command;

bool is_ignored(int signal) {
    struct sigaction now{};
    return ::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN; // NOLINT: a union in C
}

// The first SIGINT, SIGTERM or SIGHUP asks whatever runs to finish what it has begun; the second one ends the
// process. With nohup SIGHUP stays ignored.
class signal_stop {
public:
    signal_stop() {
        sigemptyset(&m_signals);
        sigaddset(&m_signals, SIGINT);
        sigaddset(&m_signals, SIGTERM);
        if (!is_ignored(SIGHUP)) {
            sigaddset(&m_signals, SIGHUP);
        }
        pthread_sigmask(SIG_BLOCK, &m_signals, nullptr);
        std::thread{[this, source = m_source]() mutable {
            for (int which = 0; which == 0 || reopens(which);) {
                sigwait(&m_signals, &which);
            }
            if (command::hangup::reopens_file) {
                std::signal(SIGHUP, SIG_IGN); // it has never meant an end to this command
            }
            pthread_sigmask(SIG_UNBLOCK, &m_signals, nullptr);
            source.request_stop();
            for (;;) {
                ::pause(); // this thread takes the second signal, and the default ends the process
            }
        }}.detach();
    }
    [[nodiscard]] std::stop_token token() const { return m_source.get_token(); }

private:
    static bool reopens(int signal) {
        bool const does = signal == SIGHUP && command::hangup::reopens_file;
        command::hangup::count += does ? 1 : 0;
        return does;
    }

    sigset_t m_signals{};
    std::stop_source m_source;
};

// A pipe tells by itself that nobody reads it any more, also while nothing is written.
std::stop_token reader_gone(int descriptor) {
    std::stop_source source;
    struct stat about{};
    if (::fstat(descriptor, &about) == 0 && (S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode))) {
        std::thread{[descriptor, source]() mutable {
            pollfd asked{descriptor, 0, 0}; // errors are told unasked
            while (::poll(&asked, 1, -1) <= 0) {
            }
            source.request_stop();
        }}.detach();
    }
    return source.get_token();
}

} // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN); // a write that fails is told as an error, and what was begun is finished
    signal_stop const stop;
    auto out = command::look_at(STDOUT_FILENO);
    out.reader_gone = reader_gone(STDOUT_FILENO);
    auto const err = command::look_at(STDERR_FILENO);
    command::set_screen(std::cout, out);
    command::set_screen(std::cerr, err);
    return command::run_command_line(argc, argv, stop.token(), std::cout, std::cerr);
}
