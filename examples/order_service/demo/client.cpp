// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "client.hpp"

#include "client_events.hpp"

#include <exception>
#include <stdexcept>
#include <thread>

namespace demo {

namespace {

constexpr int most_calls = 200;

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
        tell(sent(action, variant, identity));
        try {
            auto got = call();
            tell(answered(action, variant, identity, got));
            if (!got.in_progress() && !got.unknown()) {
                return got;
            }
            std::this_thread::sleep_for(got.retry_after());
        } catch (std::exception const& e) {
            tell(failed(action, variant, identity, e.what()));
        }
    }
    throw std::runtime_error{"no answer to " + identity.scope + ", key " + identity.key};
}

int run_client(client_task const& task) {
    event_pipe events = event_pipe::to_parent();
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
