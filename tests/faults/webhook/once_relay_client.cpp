// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/relay.hpp>
#include <once/webhook_publisher.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <thread>

/** @file
 * usage: once_relay_client DSN URL POINT COUNT
 *
 * Relays subscription s to URL until SIGTERM. When it reaches POINT for the COUNT-th time it kills itself; at "stop" it
 * stops itself. A message whose payload is "poison" always kills it. It is a program of its own so that it can.
 */
namespace {

using namespace std::chrono_literals;

std::string crash_point;
int countdown = 0;

void reach(std::string const& point, int signal = SIGKILL) {
    if (point == crash_point && --countdown == 0) {
        ::raise(signal);
    }
}

class fragile_publisher final : public once::publisher {
public:
    explicit fragile_publisher(std::string const& url)
        : m_webhook{url, {.parallel = 4, .request_timeout = 300ms}} {}

    once::publish_report publish(std::span<once::delivery const> messages,
                                 std::chrono::steady_clock::time_point deadline) override {
        bool const parked = messages.front().attempt > 1;
        reach("taken");
        reach(parked ? "parked taken" : "batch taken");
        reach("stop", SIGSTOP);
        for (auto const& message : messages) {
            if (message.payload.data() == "poison") {
                ::raise(SIGKILL);
            }
        }
        auto report = m_webhook.publish(messages, deadline);
        reach("published");
        reach(parked ? "parked published" : "batch published");
        return report;
    }

private:
    once::webhook_publisher m_webhook;
};

} // namespace

int main(int argc, char** argv) {
    if (argc != 5) {
        return 2;
    }
    crash_point = argv[3];
    countdown = std::atoi(argv[4]);
    sigset_t end;
    ::sigemptyset(&end);
    ::sigaddset(&end, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &end, nullptr);
    try {
        once::database db{argv[1]};
        fragile_publisher publisher{argv[2]};
        once::relay relay{db,
                          "s",
                          publisher,
                          {.reader = {.batch_messages = 16, .lease = 1s},
                           .publish_messages = 8,
                           .publish_timeout = 500ms,
                           .pause_base = 10ms,
                           .pause_cap = 100ms,
                           .observer = [](once::relay_summary const&) { reach("acknowledged"); }}};
        std::jthread const worker{[&](std::stop_token const& stop) {
            try {
                relay.run(stop);
            } catch (std::exception const& e) {
                std::printf("threw %s\n", e.what());
                std::_Exit(1);
            }
        }};
        int got = 0;
        ::sigwait(&end, &got);
        return 0; // the thread is asked to stop, and joined
    } catch (std::exception const& e) {
        std::printf("threw %s\n", e.what());
        return 1;
    }
}
