// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/consumer.hpp>
#include <once/database.hpp>
#include <once/execute.hpp>
#include <once/publish.hpp>

#include "support/effects.hpp"
#include "support/seed.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <libpq-fe.h>
#include <pqxx/connection>
#include <pqxx/nontransaction>
#include <pqxx/transaction>

#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;
using once::message;
using clock_type = std::chrono::steady_clock;

namespace {

/// A consumer that only counts, in a thread of its own.
class counting_consumer {
public:
    counting_consumer(effects_database const& server, once::reader_options const& options)
        : m_db{server.dsn()},
          m_consumer{m_db,
                     "s",
                     [this](once::delivery const&, once::transaction&) { ++m_pending; },
                     {.reader = options}} {
        std::ignore = once::transact(m_db, [](once::transaction& tx) { once::subscribe(tx, "s"); });
        m_worker = std::jthread{[this](std::stop_token const& stop) { m_consumer.run(stop); }};
    }
    [[nodiscard]] int count() const { return m_pending; }

private:
    once::database m_db;
    std::atomic<int> m_pending = 0;
    once::consumer m_consumer;
    std::jthread m_worker;
};

bool somebody_sleeps(effects_database const& server) {
    return server.ask("select a.last_value > w.last_value from once.outbox_asleep_seq as a, "
                      "once.outbox_woken_seq as w") == "t";
}

/// Counts notifications for readers.
class eavesdropper {
public:
    explicit eavesdropper(effects_database const& server)
        : m_connection{PQconnectdb(server.dsn().c_str()), &PQfinish} {
        auto const channel = server.ask("select once.wake_channel()");
        PQclear(PQexec(m_connection.get(), ("listen \"" + channel + "\"").c_str()));
    }
    int heard() {
        PQclear(PQexec(m_connection.get(), "select 1"));
        while (auto* const one = PQnotifies(m_connection.get())) {
            PQfreemem(one);
            ++m_heard;
        }
        return m_heard;
    }

private:
    std::unique_ptr<PGconn, decltype(&PQfinish)> m_connection;
    int m_heard = 0;
};

} // namespace

// With so long a sleep a wake-up that is lost shows as a delay of a minute.
TEST_CASE("no wake-up is lost, however long a writer waits between staging and commit", "[wake_up]") {
    effects_database const server;
    counting_consumer const reader{server, {.longest_sleep = 1min}};
    constexpr int writers = 4;
    constexpr int rounds = 25;
    std::vector<std::jthread> threads;
    for (int i = 0; i < writers; ++i) {
        threads.emplace_back([&, i] {
            std::mt19937_64 random{seed() + static_cast<unsigned>(i)};
            pqxx::connection connection{server.dsn()};
            for (int round = 0; round < rounds; ++round) {
                pqxx::work tx{connection};
                once::publish(tx, message{.topic = "t"});
                tx.exec("select pg_sleep(" + std::to_string(static_cast<double>(random() % 30) / 1000) + ")");
                tx.commit();
                // Idle for long enough now and then that the reader goes to sleep.
                pqxx::nontransaction{connection}.exec(
                    "select pg_sleep(" + std::to_string(static_cast<double>(random() % 60) / 1000) + ")");
            }
        });
    }
    threads.clear();
    CHECK(wait_until([&] { return reader.count() == writers * rounds; }, 30s));

    // And one at a time, each to a reader that sleeps.
    for (int i = 0; i < 10; ++i) {
        CHECK(wait_until([&] { return somebody_sleeps(server); }));
        auto const before = reader.count();
        pqxx::connection connection{server.dsn()};
        pqxx::work tx{connection};
        once::publish(tx, message{.topic = "t"});
        tx.commit();
        CHECK(wait_until([&] { return reader.count() == before + 1; }, 30s));
    }
}

TEST_CASE("messages that stream gather, and their reader goes to sleep when they stop", "[wake_up]") {
    using std::chrono::steady_clock;
    constexpr auto gather = 100ms;
    effects_database const server;
    counting_consumer const reader{server, {.gather = gather, .longest_sleep = 1min}};
    CHECK(wait_until([&] { return somebody_sleeps(server); }));
    auto const begin = steady_clock::now();
    int sent = 0;
    for (; steady_clock::now() - begin < 10 * gather; ++sent) {
        server.run("select once.publish('t', p_json => '1')");
    }
    CHECK(wait_until([&] { return reader.count() == sent; }, 30s));
    auto const took = steady_clock::now() - begin;
    // The first one comes at once, the next one shows that they stream; from then on one read in each span.
    CHECK(std::stol(server.ask("select count(*) from once.checkpoint where messages > 0")) <=
          took / gather + 3);
    CHECK(wait_until([&] { return somebody_sleeps(server); }));
}

TEST_CASE("a single message after a silence does not wait for others to gather", "[wake_up]") {
    using std::chrono::steady_clock;
    constexpr auto gather = 1s; // the longest there is
    effects_database const server;
    counting_consumer const reader{server, {.gather = gather, .longest_sleep = 1min}};
    for (int sent = 1; sent <= 2; ++sent) {
        CHECK(wait_until([&] { return somebody_sleeps(server); }, 30s));
        auto const begin = steady_clock::now();
        server.run("select once.publish('t', p_json => '1')");
        CHECK(wait_until([&] { return reader.count() == sent; }, 30s));
        CHECK(steady_clock::now() - begin < gather);
    }
}

TEST_CASE("writers notify a sleeping reader, and a busy one hardly ever", "[wake_up]") {
    effects_database const server;
    counting_consumer const reader{server, {.longest_sleep = 1min}};
    eavesdropper ear{server};
    CHECK(wait_until([&] { return somebody_sleeps(server); }));
    CHECK(ear.heard() == 0);
    server.run("select once.publish('t', p_json => '1')");
    CHECK(wait_until([&] { return reader.count() == 1; }, 30s));
    CHECK(ear.heard() == 1);

    constexpr int writers = 4;
    constexpr int transactions = 500;
    auto const before = ear.heard();
    std::vector<std::jthread> threads;
    for (int i = 0; i < writers; ++i) {
        threads.emplace_back([&] {
            pqxx::connection connection{server.dsn()};
            for (int n = 0; n < transactions; ++n) {
                pqxx::nontransaction{connection}.exec("select once.publish('t', p_json => '1')");
            }
        });
    }
    threads.clear();
    CHECK(wait_until([&] { return reader.count() == 1 + writers * transactions; }, 30s));
    auto const sent = ear.heard() - before;
    INFO(sent << " notifications for " << writers * transactions << " transactions");
    CHECK(sent < writers * transactions / 2);
}

TEST_CASE("without LISTEN the reader asks again and again", "[wake_up]") {
    effects_database const server;
    counting_consumer const reader{server, {.listen = false, .longest_poll = 10ms}};
    for (int i = 1; i <= 5; ++i) {
        server.run("select once.publish('t', p_json => '1')");
        CHECK(wait_until([&] { return reader.count() == i; }, 30s));
    }
    CHECK_FALSE(somebody_sleeps(server));
}

TEST_CASE("a scheduled message comes when it is due, also when it is scheduled while the reader sleeps",
          "[wake_up]") {
    effects_database const server;
    counting_consumer const reader{server, {.longest_sleep = 1min}};
    CHECK(wait_until([&] { return somebody_sleeps(server); }));
    server.run("select once.schedule(clock_timestamp() + interval '1 hour', 't', p_json => '1')");
    server.run("select once.schedule(clock_timestamp() + interval '300 milliseconds', 't', p_json => '1')");
    CHECK(wait_until([&] { return reader.count() == 1; }, 30s));
    CHECK(server.ask("select count(*) from once.scheduled_message") == "1");
    CHECK(server.ask("select count(*) from once.outbox where published_at < clock_timestamp()") == "1");
}

TEST_CASE("a stop ends the longest sleep at once", "[wake_up]") {
    effects_database const server;
    auto const begun = clock_type::now();
    {
        counting_consumer const reader{server, {.longest_sleep = 1min}};
        CHECK(wait_until([&] { return somebody_sleeps(server); }));
    }
    CHECK(clock_type::now() - begun < 30s);
    CHECK(server.ask("select released_at is not null from once.lease where name = 'subscription/s/0'") ==
          "t");
}
