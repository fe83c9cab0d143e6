// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// Client, PgBouncer, proxy, server: at each message between the last two the server goes away, does not answer, or the
// pooler is told to drop or renew its connections.
#include <once/consumer.hpp>
#include <once/execute.hpp>
#include <once/publish.hpp>
#include <once/relay.hpp>
#include <once/subscription.hpp>

#include "faults/fault_sweep.hpp"
#include "support/scripted_publisher.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/params>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

std::vector<fault> faults_behind_a_pooler() {
    std::vector<fault> faults;
    auto const add = [&](fault const& one) {
        // A connection that is closed after its transaction, and one that is closed by halves, disturb least.
        if (take_long() || (one.name != "RECONNECT" && !one.name.starts_with("half"))) {
            faults.push_back(one);
        }
    };
    std::ranges::for_each(pooler_faults(), add);
    std::ranges::for_each(loud_faults(), add);
    return faults;
}

void sweep_requests(std::string const& mode) {
    workload_database const db;
    auto const result = run_sweep(db, {.faults = faults_behind_a_pooler(), .pooler = mode});
    std::printf("%s mode: %s\n", mode.c_str(), result.counts().c_str());
    CHECK(result.fired > 100);
    CHECK(result.in_doubt_committed > 0);
    CHECK(result.complaints() == "");
}

/// Work that is disturbed at one of its messages, and what must hold afterwards.
struct disturbed_work {
    std::string name;
    /// Before any fault, past the pooler. `what` tells this piece of work from others in the same database.
    std::function<void(once::database&, std::string const& what)> prepare;
    /// Through the pooler, until it is through or says what became of it; what is wrong with that, or nothing.
    std::function<std::string(once::database&, ledger&, std::string const& what)> run;
};

constexpr int messages_each = 3;

// A reply that never comes is waited for, and then the lease that it would have told of.
constexpr std::chrono::seconds longest_recovery{90};

void subscribe_and_publish(once::database& db, std::string const& what) {
    std::ignore = once::transact(db, [&](once::transaction& tx) {
        once::subscribe(tx, what, {.topics = {what}, .from = once::subscribe_from::beginning});
        for (int n = 0; n < messages_each; ++n) {
            tx.publish({.topic = what, .key = "k", .payload = once::body::text(what + std::to_string(n))});
        }
    });
}

int effects_of(ledger& book, std::string const& what) {
    return std::stoi(book.value("select count(*) from effect where key like '" + what + "%'"));
}

disturbed_work transactions() {
    return {
        .name = "transact",
        .prepare = [](once::database&, std::string const&) {},
        .run = [](once::database& db, ledger& book, std::string const& what) -> std::string {
            std::string came;
            try {
                auto const reply = once::transact(
                    db, [&](once::transaction& tx) { tx.exec(insert_effect, pqxx::params{what}); },
                    {.deadline = 15s, .reply_timeout = 2'500ms});
                came = once::to_string(reply.outcome());
            } catch (std::exception const& e) {
                came = std::string{"threw "} + e.what();
            }
            auto const effects = effects_of(book, what);
            bool const fits = came == "done" ? effects == 1 : came == "unknown" ? effects <= 1 : effects == 0;
            return fits ? "" : came + ", " + std::to_string(effects) + " effects";
        }};
}

once::reader_options reading() {
    return {.lease = 10s, .listen = false};
}

disturbed_work consumers() {
    return {.name = "consumer",
            .prepare = subscribe_and_publish,
            .run = [](once::database& db, ledger& book, std::string const& what) -> std::string {
                std::string wrong;
                {
                    once::consumer one{db,
                                       what,
                                       [](once::delivery const& message, once::transaction& tx) {
                                           tx.exec(insert_effect, pqxx::params{message.payload.data()});
                                       },
                                       {.reader = reading(), .deadline = 5s}};
                    std::jthread const running{[&](std::stop_token const& stop) {
                        try {
                            one.run(stop);
                        } catch (std::exception const& e) {
                            wrong = e.what();
                        }
                    }};
                    std::ignore =
                        wait_until([&] { return effects_of(book, what) >= messages_each; }, longest_recovery);
                }
                auto const effects = effects_of(book, what);
                return wrong.empty() && effects == messages_each
                           ? ""
                           : wrong + " " + std::to_string(effects) + " effects";
            }};
}

disturbed_work relays() {
    return {.name = "relay",
            .prepare = subscribe_and_publish,
            .run = [](once::database& db, ledger& book, std::string const& what) -> std::string {
                std::string wrong;
                scripted_publisher receiver;
                {
                    once::relay one{db, what, receiver, {.reader = reading()}};
                    std::jthread const running{[&](std::stop_token const& stop) {
                        try {
                            one.run(stop);
                        } catch (std::exception const& e) {
                            wrong = e.what();
                        }
                    }};
                    std::ignore = wait_until(
                        [&] {
                            // After a takeover they are parked, to come one at a time.
                            return book.value(
                                       "select messages = 0 and not exists (select from once.parked_message "
                                       "where subscription = '" +
                                       what + "') from once.subscription_lag where subscription = '" + what +
                                       "'") == "t";
                        },
                        longest_recovery);
                }
                // In order, with repeats taken out.
                std::vector<std::string> first_times;
                for (auto const& payload : receiver.payloads()) {
                    if (std::ranges::find(first_times, payload) == first_times.end()) {
                        first_times.push_back(payload);
                    }
                }
                std::vector<std::string> const all{what + "0", what + "1", what + "2"};
                return wrong.empty() && first_times == all
                           ? ""
                           : wrong + " " + std::to_string(first_times.size()) + " messages arrived";
            }};
}

/// Disturbs the work once at each message. What it complains about, one per line.
class disturber {
public:
    disturber(workload_database const& where, std::string mode) : m_where{where}, m_mode{std::move(mode)} {}

    std::string sweep(disturbed_work const& work) {
        struct step {
            fault what;
            wire_direction direction;
            int index;
        };
        std::vector<step> steps;
        auto const counted = count(work);
        // Behind the work there are polls, one like the other.
        auto const most = [](int messages) { return take_long() ? messages : std::min(messages, 40); };
        auto const [to_server, to_client] = std::pair{most(counted.first), most(counted.second)};
        for (auto const& what : faults_behind_a_pooler()) {
            if (!take_long() && what.name == "cut") {
                continue; // cut_after leaves more behind
            }
            for (int index = 0; index < to_server; ++index) {
                steps.push_back({what, wire_direction::to_server, index});
            }
            for (int index = 0; index < to_client; ++index) {
                steps.push_back({what, wire_direction::to_client, index});
            }
        }
        std::atomic<std::size_t> next = 0;
        {
            std::vector<std::jthread> workers;
            for (int i = 0; i < 12; ++i) { // they mostly wait
                workers.emplace_back([&] {
                    ledger book{m_where.dsn()};
                    once::database clean{m_where.dsn()};
                    for (auto at = next++; at < steps.size(); at = next++) {
                        auto const& one = steps[at];
                        auto const where = one.what.name + " at message " + std::to_string(one.index) +
                                           (one.direction == wire_direction::to_server ? " to the server"
                                                                                       : " to the client");
                        try {
                            disturb(work, one.what, one.direction, one.index,
                                    "w" + std::to_string(at) + "x" + work.name, clean, book, where);
                        } catch (std::exception const& e) {
                            complain(work.name + ", " + where + ": " + e.what());
                        }
                    }
                });
            }
        }
        std::printf("%s, %s mode: %zu disturbed, %d faults\n", work.name.c_str(), m_mode.c_str(),
                    steps.size(), m_fired.load());
        return m_complaints;
    }

    [[nodiscard]] int fired() const { return m_fired; }

private:
    [[nodiscard]] once::database_options options() const {
        return {.max_connections = 2, .prepared_statements = m_mode != "transaction"};
    }

    std::pair<int, int> count(disturbed_work const& work) {
        swept_route route{m_where, m_mode};
        once::database clean{m_where.dsn()};
        ledger book{m_where.dsn()};
        work.prepare(clean, "probe" + work.name);
        once::database db{route.dsn(), options()};
        db.check();
        std::pair const before{route.messages(wire_direction::to_server),
                               route.messages(wire_direction::to_client)};
        auto const wrong = work.run(db, book, "probe" + work.name);
        if (!wrong.empty()) {
            complain(work.name + " without a fault: " + wrong);
        }
        return {route.messages(wire_direction::to_server) - before.first,
                route.messages(wire_direction::to_client) - before.second};
    }

    void disturb(disturbed_work const& work, fault const& what, wire_direction direction, int index,
                 std::string const& name, once::database& clean, ledger& book, std::string const& where) {
        work.prepare(clean, name);
        swept_route route{m_where, m_mode, what.settings};
        once::database db{route.dsn(), options()};
        check_in_time(db);
        auto trap = at_work(1, direction, route.messages(direction) + index, what.what);
        trap.doing([&](event const&) { route.say(what.console); });
        route.proxy().add(trap);
        auto const wrong = work.run(db, book, name);
        m_fired += trap.fired();
        book.value("select once.unsubscribe('" + name + "')"); // a service may not have all of them at once
        if (!wrong.empty()) {
            complain(work.name + ", " + where + ": " + wrong);
        }
    }

    void complain(std::string const& what) {
        std::lock_guard const lock{m_mutex};
        m_complaints += what + '\n';
    }

    workload_database const& m_where;
    std::string m_mode;
    std::atomic<int> m_fired = 0;
    std::mutex m_mutex;
    std::string m_complaints;
};

void sweep_work(disturbed_work const& work, std::string const& mode) {
    workload_database const db;
    disturber one{db, mode};
    CHECK(one.sweep(work) == "");
    CHECK(one.fired() > 20); // a sweep that hits nothing proves nothing
}

} // namespace

TEST_CASE("whatever happens behind a pooler at any message of a request, it leaves one effect and one answer",
          "[faults][pooler][sweep]") {
    sweep_requests("transaction");
    if (take_long()) {
        sweep_requests("session");
    }
}

TEST_CASE("whatever happens behind a pooler at any message, a transaction without a key is not run twice",
          "[faults][pooler][sweep]") {
    sweep_work(transactions(), "transaction");
    if (take_long()) {
        sweep_work(transactions(), "session");
    }
}

TEST_CASE("whatever happens behind a pooler at any message of a consumer, each message has one effect",
          "[faults][pooler][sweep]") {
    sweep_work(consumers(), "transaction");
    if (take_long()) {
        sweep_work(consumers(), "session");
    }
}

TEST_CASE("whatever happens behind a pooler at any message of a relay, all messages arrive in order",
          "[faults][pooler][sweep]") {
    sweep_work(relays(), "transaction");
    if (take_long()) {
        sweep_work(relays(), "session");
    }
}
