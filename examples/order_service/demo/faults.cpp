// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "faults.hpp"

#include <pqxx/pqxx>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <optional>
#include <stop_token>
#include <thread>

namespace demo {

namespace {

namespace act = once::testing::act;
using once::testing::wire_direction;

constexpr char execute_message = 'E';
constexpr char command_complete = 'C';

} // namespace

/// Ends sessions from a thread of its own, so that it happens while their messages are on the way.
class faults::terminator {
public:
    terminator(place const& where, std::atomic<int>& count)
        : m_connection{where.dsn() + " application_name=terminator"},
          m_count{count},
          m_thread{[this](std::stop_token const& stop) { run(stop); }} {}

    /// @param pid the server process; without one, any that works at this moment
    void order(std::optional<int> pid, std::chrono::microseconds delay) {
        std::scoped_lock const lock{m_mutex};
        m_orders.emplace_back(pid, delay);
        m_ordered.notify_one();
    }

private:
    void run(std::stop_token const& stop) {
        for (;;) {
            std::unique_lock lock{m_mutex};
            if (!m_ordered.wait(lock, stop, [&] { return !m_orders.empty(); })) {
                return;
            }
            auto const [pid, delay] = m_orders.front();
            m_orders.pop_front();
            lock.unlock();
            std::this_thread::sleep_for(delay);
            terminate(pid);
        }
    }

    void terminate(std::optional<int> pid) {
        pqxx::nontransaction tx{m_connection};
        auto const ended = tx.exec("select pg_terminate_backend(pid) from pg_stat_activity "
                                   "where datname = current_database() and pid <> pg_backend_pid() "
                                   "and application_name ~ '^(web|clerk|voter|billing|relay|warehouse)-' "
                                   "and (pid = $1::int or $1::int is null and state <> 'idle') "
                                   "order by random() limit 1",
                                   pqxx::params{pid});
        m_count += static_cast<int>(ended.size());
    }

    pqxx::connection m_connection;
    std::atomic<int>& m_count;
    std::mutex m_mutex;
    std::condition_variable_any m_ordered;
    std::deque<std::pair<std::optional<int>, std::chrono::microseconds>> m_orders;
    std::jthread m_thread;
};

faults::faults(place const& where, std::uint64_t seed)
    : m_where{where},
      m_random{seed},
      m_terminator{std::make_unique<terminator>(where, m_terminated)},
      m_proxy{{.host = where.socket_folder(), .port = where.port()}, {.keep_trace = false}} {
    m_proxy.add([this](once::testing::event const& event) { return decide(event); });
}

faults::~faults() = default;

std::string faults::dsn() const {
    return m_proxy.dsn(m_where.name(), m_where.user());
}

void faults::terminate_any() {
    m_terminator->order(std::nullopt, std::chrono::microseconds{0});
}

void faults::stop() {
    m_proxy.clear_rules();
    m_proxy.release_held();
}

unsigned faults::roll(unsigned sides) {
    std::scoped_lock const lock{m_mutex};
    return static_cast<unsigned>(m_random() % sides);
}

once::testing::action faults::decide(once::testing::event const& event) {
    bool const asks = event.direction == wire_direction::to_server && event.type == execute_message &&
                      (event.sql == "commit" || event.sql == "COMMIT");
    bool const answers = event.direction == wire_direction::to_client && event.type == command_complete &&
                         event.tag == "COMMIT";
    if (asks) {
        switch (roll(40)) {
        case 0:
            ++m_requests_lost;
            return act::cut();
        case 1:
        case 2:
            m_terminator->order(event.backend_pid, std::chrono::microseconds{roll(800)});
            return act::forward();
        default:
            return act::forward();
        }
    }
    if (answers) {
        switch (roll(40)) {
        case 0:
            ++m_replies_lost;
            return act::cut();
        case 1:
            ++m_replies_lost;
            return act::close_client_keep_server();
        case 2:
            // A black hole: the client hears nothing any more, not even that the connection is gone.
            if (roll(3) == 0) {
                ++m_replies_lost;
                return act::swallow();
            }
            return act::forward();
        default:
            return act::forward();
        }
    }
    return act::forward();
}

} // namespace demo
