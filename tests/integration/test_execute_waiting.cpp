// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/claim.hpp>
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>

#include "support/effects.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>
#include <pqxx/connection>
#include <pqxx/transaction>

#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <tuple>

using namespace std::chrono_literals;
using once::testing::add_effect;
using once::testing::effects_database;
using once::testing::request_of;
using clock_type = std::chrono::steady_clock;

/// How late a busy machine may be. What would not end by itself takes a minute or more in these tests.
constexpr auto slack = 2s;

namespace {

/// A transaction of somebody else that has claimed a key.
class holder {
public:
    holder(std::string const& dsn, std::string const& key) : m_connection{dsn}, m_tx{m_connection} {
        m_claimed = std::get<once::started>(once::claim(m_tx, request_of(key)));
    }
    void commit() {
        once::complete(m_tx, m_claimed, once::response{.status = 201});
        m_tx.commit();
    }
    void roll_back() { m_tx.abort(); }

private:
    pqxx::connection m_connection;
    pqxx::work m_tx;
    once::started m_claimed;
};

bool somebody_waits(effects_database const& server) {
    return once::testing::wait_until([&] {
        return server.ask("select count(*) from pg_stat_activity where datname = current_database() "
                          "and wait_event_type = 'Lock'") != "0";
    });
}

/// A call with the key "k" that waits for its holder.
std::future<once::reply> wait_for_key(effects_database const& server, once::database& db) {
    auto waiting = std::async(std::launch::async, [&db] {
        return once::execute(db, request_of("k"), [](once::transaction& tx) { add_effect(tx); },
                             {.wait = 20s});
    });
    REQUIRE(somebody_waits(server));
    return waiting;
}

std::chrono::milliseconds since(clock_type::time_point start) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(clock_type::now() - start);
}

} // namespace

TEST_CASE("while another transaction holds the key the answer is in_progress, after the wait and not later",
          "[waiting]") {
    effects_database const server;
    once::database db{server.dsn()};
    db.check();
    holder const other{server.dsn(), "k"};
    for (auto const wait : {0ms, 300ms}) {
        for (bool const pipelined : {false, true}) {
            INFO("wait " << wait.count() << " pipelined " << pipelined);
            auto const start = clock_type::now();
            once::call_options const options{.wait = wait};
            auto const reply =
                pipelined
                    ? once::execute(db, request_of("k"), {once::testing::effect_statement()}, 200, options)
                    : once::execute(
                          db, request_of("k"), [](once::transaction& tx) { add_effect(tx); }, options);
            auto const took = since(start);
            CHECK(reply.in_progress());
            CHECK_FALSE(reply.has_response());
            CHECK_FALSE(reply.committed());
            CHECK(reply.retry_after() >= std::max<std::chrono::milliseconds>(wait, 200ms));
            CHECK(reply.retry_after() <= 2 * std::max<std::chrono::milliseconds>(wait, 200ms));
            CHECK(took >= wait);
            CHECK(took < wait + 1s);
        }
    }
    CHECK(server.effects() == 0);
}

TEST_CASE("a key that was committed without an answer is in progress until it expires", "[waiting]") {
    effects_database const server;
    once::database db{server.dsn()};
    server.run("select once.claim('test', 'k')"); // once::claim refuses such a COMMIT
    auto const reply = once::execute(db, request_of("k"), [](once::transaction& t) { add_effect(t); });
    CHECK(reply.in_progress());
    CHECK(reply.retry_after() > 0ms);
    CHECK(server.effects() == 0);
}

TEST_CASE("a caller that waits for a key gets the answer of the one that held it", "[waiting]") {
    effects_database const server;
    once::database db{server.dsn()};
    holder other{server.dsn(), "k"};
    auto waiting = wait_for_key(server, db);
    other.commit();
    auto const reply = waiting.get();
    CHECK(reply.replayed());
    CHECK(reply.response().status == 201);
    CHECK(server.effects() == 0);
}

TEST_CASE("who waits for a key starts when the holder rolls back", "[waiting]") {
    effects_database const server;
    once::database db{server.dsn()};
    holder other{server.dsn(), "k"};
    auto waiting = wait_for_key(server, db);
    other.roll_back();
    CHECK(waiting.get().done());
    CHECK(server.effects() == 1);
}

TEST_CASE("of many that come with one key at once exactly one starts", "[waiting]") {
    effects_database const server;
    once::database db{server.dsn()};
    std::vector<std::future<once::reply>> calls;
    for (int i = 0; i < 16; ++i) {
        calls.push_back(std::async(std::launch::async, [&, i] {
            once::call_options const options{.isolation_level = static_cast<once::isolation>(i % 3),
                                             .wait = 20s};
            return i % 2 == 0
                       ? once::execute(db, request_of("k"), {once::testing::effect_statement()}, 200, options)
                       : once::execute(
                             db, request_of("k"),
                             [](once::transaction& tx) {
                                 add_effect(tx);
                                 return 1;
                             },
                             options);
        }));
    }
    int started = 0;
    std::string answer;
    for (auto& call : calls) {
        auto const reply = call.get();
        started += reply.done() ? 1 : 0;
        CHECK((reply.done() || reply.replayed()));
        CHECK((answer.empty() || answer == reply.response().body.data()));
        answer = reply.response().body.data();
    }
    CHECK(started == 1);
    CHECK(server.effects() == 1);
}

TEST_CASE("a statement that runs past the deadline ends with it, and the next call gets a new connection",
          "[deadline]") {
    effects_database const server;
    once::database db{server.dsn(), {.max_connections = 1}};
    db.check();
    constexpr auto deadline = 1000ms;
    auto const start = clock_type::now();
    CHECK_THROWS_AS(once::execute(db, request_of("k"),
                                  [](once::transaction& tx) {
                                      add_effect(tx);
                                      tx.exec("select pg_sleep(60)");
                                  },
                                  {.deadline = deadline}),
                    once::deadline_exceeded);
    CHECK(since(start) >= deadline);
    CHECK(since(start) <= deadline + slack);
    CHECK(once::execute(db, request_of("other"), [](once::transaction& tx) { add_effect(tx); }).done());
    CHECK(server.ask("select count(*) from effect") == "1");
}

TEST_CASE("a pipelined statement that runs past the deadline is in doubt, because COMMIT is behind it",
          "[deadline]") {
    effects_database const server;
    once::database db{server.dsn()};
    db.check();
    auto const start = clock_type::now();
    auto const reply = once::execute(db, request_of("k"), {{"select pg_sleep(60)::text as slept", {}}}, 200,
                                     {.deadline = 500ms});
    CHECK(reply.unknown());
    CHECK(since(start) <= 500ms + slack);
}

TEST_CASE("a callback that dawdles past the deadline takes no effect", "[deadline]") {
    effects_database const server;
    once::database db{server.dsn()};
    db.check();
    CHECK_THROWS_AS(once::execute(db, request_of("k"),
                                  [](once::transaction& tx) {
                                      add_effect(tx);
                                      while (clock_type::now() < tx.deadline() + 20ms) {
                                      }
                                  },
                                  {.deadline = 200ms}),
                    once::deadline_exceeded);
    CHECK(server.effects() == 0);
    CHECK(server.records() == 0);
}

TEST_CASE("without a server a call ends at its deadline and says that nothing took effect", "[deadline]") {
    once::database db{"host=/nonexistent dbname=none"};
    auto const start = clock_type::now();
    CHECK_THROWS_AS(once::execute(db, request_of("k"), [](once::transaction&) {},
                                  {.deadline = 300ms, .max_attempts = 1000}),
                    once::deadline_exceeded);
    CHECK(since(start) < 300ms + slack);
    CHECK_THROWS_AS(db.check(), pqxx::broken_connection);
}
