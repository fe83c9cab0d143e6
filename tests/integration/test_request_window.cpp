// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/request_window.hpp>

#include "support/effects.hpp"
#include "support/refusal.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/transaction>

#include <atomic>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;
using once::response;
using once::transaction;

namespace {

/// Orders within a window; the answer is different for each order that is really placed.
once::reply place_order(once::database& db, once::request const& request,
                        std::chrono::milliseconds window = 1h, once::claim_options const& options = {},
                        once::call_options const& call = {}) {
    return once::execute(db, request,
                         once::per_window(
                             request, window,
                             [](transaction& tx) -> response {
                                 add_effect(tx);
                                 return {.status = 201,
                                         .headers = {{"A", "b"}},
                                         .body = once::body::text(tx.query_value<std::string>(
                                             "select count(*)::text from effect"))};
                             },
                             options),
                         call);
}

} // namespace

TEST_CASE("two clicks with two keys give one effect and one answer", "[window]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto const first = place_order(db, asked("a"));
    auto const second = place_order(db, asked("b"));
    CHECK(second.done());
    CHECK(second.committed());
    CHECK(second.response() == first.response());
    CHECK(server.effects() == 1);
    // Each key replays it from now on, also when the window is closed.
    server.run("update once.request_window set closes_at = now()");
    CHECK(place_order(db, asked("a")).replayed());
    CHECK(place_order(db, asked("b")).replayed());
    CHECK(place_order(db, asked("b")).response() == first.response());
    CHECK(server.effects() == 1);
}

TEST_CASE("another question, another scope and a closed window are new", "[window]") {
    effects_database const server;
    once::database db{server.dsn()};
    place_order(db, asked("a"));
    place_order(db, asked("b", "coffee"));
    auto elsewhere = asked("c");
    elsewhere.scope = "elsewhere";
    place_order(db, elsewhere);
    CHECK(server.effects() == 3);
    server.run("update once.request_window set closes_at = now()");
    CHECK(place_order(db, asked("d")).response().body.data() == "4");
    CHECK(place_order(db, asked("e")).response().body.data() == "4"); // the window that d opened
    CHECK(server.effects() == 4);
}

TEST_CASE("clicks at the same time, each with a key of its own, give one effect", "[window]") {
    effects_database const server;
    for (auto const level :
         {once::isolation::read_committed, once::isolation::repeatable_read, once::isolation::serializable}) {
        once::database db{server.dsn(), {.max_connections = 16}};
        std::string const name = std::to_string(static_cast<int>(level));
        auto const before = server.effects();
        std::vector<std::thread> threads;
        std::mutex mutex;
        std::vector<std::string> answers;
        for (int i = 0; i < 16; ++i) {
            threads.emplace_back([&, i] {
                std::string said;
                try {
                    said = place_order(db, asked(name + "-" + std::to_string(i), name), 1h, {.wait = 60s},
                                       {.isolation_level = level, .deadline = 60s, .max_attempts = 1000})
                               .response()
                               .body.data();
                } catch (std::exception const& e) {
                    said = e.what();
                }
                std::lock_guard const lock{mutex};
                answers.push_back(said);
            });
        }
        for (auto& thread : threads) {
            thread.join();
        }
        CHECK(server.effects() == before + 1);
        CHECK(answers == std::vector<std::string>(16, std::to_string(before + 1)));
    }
}

TEST_CASE("when the first one rolls back, the second does the work", "[window]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto const request = asked("a");
    std::future<once::reply> second;
    CHECK_THROWS_AS(once::execute(db, request,
                                  once::per_window(
                                      request, 1h,
                                      [&](transaction& tx) {
                                          add_effect(tx);
                                          second = std::async(std::launch::async, [&] {
                                              return place_order(db, asked("b"), 1h, {.wait = 60s});
                                          });
                                          REQUIRE(wait_until([&] {
                                              return server.ask("select count(*) from pg_stat_activity where "
                                                                "datname = current_database() and "
                                                                "wait_event_type = 'Lock'") == "1";
                                          }));
                                          throw std::runtime_error{"no"};
                                      })),
                    std::runtime_error);
    CHECK(second.get().response().status == 201);
    CHECK(server.effects() == 1);
    CHECK(server.ask("select key from once.request_window") == "b");
}

TEST_CASE("a first one that is still running is told after the wait, and nothing took effect", "[window]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto const request = asked("a");
    std::ignore = once::execute(db, request, once::per_window(request, 1h, [&](transaction& tx) {
                                    add_effect(tx);
                                    CHECK_THROWS_AS(place_order(db, asked("b"), 1h, {.wait = 20ms}),
                                                    once::duplicate_in_progress);
                                }));
    CHECK(server.effects() == 1);
    CHECK(server.records() == 1);
    CHECK(place_order(db, asked("b")).response().status == 204);
}

TEST_CASE("a response that is not stored opens no window", "[window]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto const request = asked("a");
    auto refuse = once::per_window(request, 1h, [](transaction&) { return response{.status = 422}; });
    CHECK_FALSE(once::execute(db, request, refuse).committed());
    CHECK(server.ask("select count(*) from once.request_window") == "0");
    CHECK(place_order(db, asked("b")).response().status == 201);
}

TEST_CASE("a first one whose record is gone or kept no response still stands", "[window]") {
    effects_database const server;
    once::database db{server.dsn()};
    place_order(db, asked("a"));
    server.run("delete from once.idempotency_record");
    CHECK(place_order(db, asked("b")).response().status == 204);
    CHECK(server.effects() == 1);
    place_order(db, asked("c", "coffee"), 1h, {}, {.stored = once::store::nothing});
    CHECK(place_order(db, asked("d", "coffee")).response().status == 204);
    CHECK(server.effects() == 2);
    // The same key whose record has expired is a new request, window or not: the key says so.
    server.run("delete from once.idempotency_record");
    CHECK(place_order(db, asked("a")).response().status == 201);
    CHECK(server.effects() == 3);
}

TEST_CASE("closed windows are purged, open ones are not", "[window]") {
    effects_database const server;
    once::database db{server.dsn()};
    place_order(db, asked("a"), 1h);
    place_order(db, asked("b", "coffee"), 2h);
    CHECK(server.ask("select once.purge_windows()") == "0");
    CHECK(server.ask("select once.purge_windows(10, now() + interval '90 minutes')") == "1");
    CHECK(server.ask("select key from once.request_window") == "b");
}

TEST_CASE("a window that cannot be is refused by name", "[window][bad input]") {
    effects_database const server;
    pqxx::connection connection{server.dsn()};
    auto const field = [&](once::request const& request, std::chrono::milliseconds window,
                           once::claim_options const& options = {}) {
        pqxx::work tx{connection};
        return refused_field([&] { std::ignore = once::open_window(tx, request, window, options); });
    };
    CHECK(field(asked("a"), 1ms) == "accepted");
    CHECK(field(asked("a"), 24h) == "accepted");
    CHECK(field(asked("a"), 0ms) == "window");
    CHECK(field(asked("a"), -1ms) == "window");
    CHECK(field(asked("a"), 25h) == "window");
    CHECK(field(request_of("a"), 1s) == "request.fingerprint");
    CHECK(field(asked(""), 1s) == "request.key");
    CHECK(field(asked("a"), 1s, {.wait = -1ms}) == "claim_options.wait");
    for (std::string const arguments :
         {"'s', 'k', null, '1 second'", "'s', 'k', sha256('a'), '0'", "'s', 'k', sha256('a'), '25 hours'",
          "'s', 'k', sha256('a'), null", "'s', 'k', sha256('a'), '1 second', '-1 second'"}) {
        INFO(arguments);
        try {
            server.run("select once.open_window(" + arguments + ")");
            FAIL("no error");
        } catch (pqxx::sql_error const& e) {
            CHECK(e.sqlstate() == "22023");
        }
    }
}
