// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/version.hpp>

#include "command_line.hpp"
#include "exit_status.hpp"

#include <pqxx/except>

#include <csignal>
#include <exception>
#include <iostream>
#include <pthread.h>
#include <stop_token>
#include <thread>

namespace {

using namespace once::command;

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

int fail(int status, std::string const& text) {
    std::cerr << "once: " << text << '\n';
    return status;
}

} // namespace

int main(int argc, char** argv) {
    signal_stop const stop;
    try {
        return run_command_line(argc, argv, stop.token(), std::cout);
    } catch (std::invalid_argument const& e) {
        return fail(exit_status::usage, e.what());
    } catch (not_found const& e) {
        return fail(exit_status::not_found, e.what());
    } catch (pqxx::broken_connection const& e) {
        return fail(exit_status::unreachable, e.what());
    } catch (once::invalid_argument const& e) {
        return fail(exit_status::usage, e.what());
    } catch (std::exception const& e) {
        return fail(exit_status::refused, e.what());
    }
}
