// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "client.hpp"

#include <once/advise.hpp>

#include <csignal>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <sys/prctl.h>
#include <thread>

namespace demo {

namespace {

constexpr int event_descriptor = 3;
constexpr int most_calls = 200;

nlohmann::json described(once::reply const& got) {
    nlohmann::json event{{"outcome", once::to_string(got.outcome())},
                         {"in_doubt", got.was_in_doubt()},
                         {"committed", got.committed()}};
    if (got.has_response()) {
        auto const& response = got.response();
        event["status"] = response.status;
        event["headers"] = response.headers;
        event["body"] = response.body.data();
    }
    return event;
}

} // namespace

once::call_options patience() {
    using namespace std::chrono_literals;
    return {.wait = 1s, .deadline = 4s, .reply_timeout = 500ms};
}

std::mt19937_64 client::random(int piece) const {
    std::vector<std::uint32_t> mix(m_task.name.begin(), m_task.name.end());
    mix.push_back(static_cast<std::uint32_t>(m_task.seed));
    mix.push_back(static_cast<std::uint32_t>(m_task.seed >> 32U));
    mix.push_back(static_cast<std::uint32_t>(piece));
    std::seed_seq seeds(mix.begin(), mix.end());
    return std::mt19937_64{seeds};
}

once::reply client::insist(std::string_view action, std::string_view variant, once::request const& identity,
                           std::function<once::reply()> const& call) const {
    for (int calls = 0; calls < most_calls; ++calls) {
        nlohmann::json const about{
            {"action", action}, {"variant", variant}, {"scope", identity.scope}, {"key", identity.key}};
        auto event = about;
        event["event"] = "sent";
        tell(event);
        event = about;
        event["event"] = "answer";
        try {
            auto got = call();
            event.update(described(got));
            tell(event);
            if (!got.in_progress() && !got.unknown()) {
                return got;
            }
            std::this_thread::sleep_for(got.retry_after());
        } catch (std::exception const& e) {
            event["outcome"] = "failed";
            event["advice"] = once::to_string(once::advise(e));
            event["what"] = e.what();
            tell(event);
        }
    }
    throw std::runtime_error{"no answer to " + identity.scope + ", key " + identity.key};
}

int run_client(client_task const& task) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL); // nobody is left behind when the demonstration is interrupted
    event_pipe events{event_descriptor};
    try {
        once::database db{task.dsn + " application_name=" + task.name, {.max_connections = 8}};
        client const self{db, events, task};
        auto const work = task.kind == "orders"  ? send_orders
                          : task.kind == "votes" ? send_votes
                                                 : send_notes;
        for (int piece = task.first; piece < task.at_least || std::chrono::system_clock::now() < task.until;
             ++piece) {
            self.tell({{"event", "piece"}, {"piece", piece}});
            work(self, piece);
        }
        self.tell({{"event", "done"}});
        return 0;
    } catch (std::exception const& e) {
        events.send({{"event", "broken"}, {"what", e.what()}});
        return 1;
    }
}

} // namespace demo
