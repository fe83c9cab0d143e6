// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>

#include "support/effects.hpp"
#include "support/seed.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/except>
#include <pqxx/result>
#include <pqxx/row>

#include <atomic>
#include <chrono>
#include <future>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;

TEST_CASE("a call waits for the one connection that another thread uses", "[pool]") {
    effects_database const server;
    wire_proxy proxy{server.upstream()};
    once::database db{server.through(proxy), {.max_connections = 1}};
    std::promise<void> inside;
    std::promise<void> let_go;
    std::atomic<bool> first_is_done{false};
    auto first = std::async(std::launch::async, [&] {
        return once::transact(db, [&](once::transaction& tx) {
            add_effect(tx);
            inside.set_value();
            let_go.get_future().wait();
            first_is_done = true;
        });
    });
    inside.get_future().wait();
    bool in_order = false;
    auto second = std::async(std::launch::async, [&] {
        return once::transact(db, [&](once::transaction& tx) {
            in_order = first_is_done.load();
            add_effect(tx);
        });
    });
    CHECK(second.wait_for(100ms) == std::future_status::timeout);
    let_go.set_value();
    CHECK(first.get().done());
    CHECK(second.get().done());
    CHECK(in_order);
    CHECK(server.effects() == 2);
    CHECK(proxy.connections() == 1);
}

TEST_CASE("when all connections stay busy the call ends at its deadline and nothing was begun", "[pool]") {
    effects_database const server;
    once::database db{server.dsn(), {.max_connections = 2}};
    once::transact(db, [&](once::transaction&) {
        once::transact(db, [&](once::transaction&) {
            auto const start = std::chrono::steady_clock::now();
            CHECK_THROWS_AS(
                once::execute(db, request_of("k"), {effect_statement()}, 200, {.deadline = 300ms}),
                once::deadline_exceeded);
            auto const took = std::chrono::steady_clock::now() - start;
            CHECK(took >= 300ms);
            CHECK(took < 2s); // the default deadline is 30 seconds
        }).expect_committed();
    }).expect_committed();
    CHECK(server.records() == 0);
    CHECK(once::execute(db, request_of("k"), {effect_statement()}).done());
}

TEST_CASE("connections are opened when needed, used again, and no more than allowed", "[pool]") {
    effects_database const server;
    wire_proxy proxy{server.upstream()};
    once::database db{server.through(proxy), {.max_connections = 3}};
    CHECK(proxy.connections() == 0);
    for (int i = 0; i < 5; ++i) {
        once::transact(db, [](once::transaction&) {}).expect_committed();
    }
    CHECK(proxy.connections() == 1);
    std::vector<std::future<void>> calls;
    for (int i = 0; i < 12; ++i) {
        calls.push_back(std::async(std::launch::async, [&] {
            once::transact(db, [](once::transaction& tx) { add_effect(tx); }).expect_committed();
        }));
    }
    for (auto& call : calls) {
        call.get();
    }
    CHECK(proxy.connections() <= 3);
    CHECK(server.effects() == 12);
}

TEST_CASE("a failed connection gives its place back", "[pool]") {
    effects_database const server;
    wire_proxy proxy{server.upstream()};
    once::database db{server.through(proxy), {.max_connections = 1}};
    auto const cut =
        proxy.add(at_type(wire_direction::to_server, message_type::startup, act::cut()).times(0));
    for (int i = 0; i < 3; ++i) {
        CHECK_THROWS_AS(db.check(), pqxx::broken_connection);
    }
    CHECK(cut.fired() >= 3);
    proxy.clear_rules();
    CHECK(once::execute(db, request_of("k"), {effect_statement()}).done());
}

TEST_CASE("a connection that the server ended while it was free is replaced without the caller noticing",
          "[pool]") {
    effects_database const server;
    once::database db{server.dsn(), {.max_connections = 1}};
    int pid = 0;
    once::transact(db, [&](once::transaction& tx) {
        pid = tx.exec("select pg_backend_pid()")[0][0].as<int>();
    }).expect_committed();
    std::ignore = server.ask("select pg_terminate_backend(" + std::to_string(pid) + ", 10000)");
    auto const reply = once::execute(db, request_of("k"), [](once::transaction& tx) { add_effect(tx); });
    CHECK(reply.done());
    CHECK(server.effects() == 1);
}

TEST_CASE("one object serves many threads, and every key takes effect once", "[pool]") {
    effects_database const server;
    once::database db{server.dsn(), {.max_connections = 4}};
    constexpr int keys = 20;
    std::atomic<int> started{0};
    std::vector<std::future<void>> threads;
    for (unsigned thread = 0; thread < 8; ++thread) {
        threads.push_back(std::async(std::launch::async, [&, thread] {
            std::mt19937_64 random{seed() + thread};
            for (int i = 0; i < 25; ++i) {
                auto const request = request_of(std::to_string(random() % keys));
                auto const reply =
                    random() % 2 == 0
                        ? once::execute(db, request, {effect_statement(request.key)}, 200, {.wait = 30s})
                        : once::execute(db, request,
                                        [&](once::transaction& tx) {
                                            add_effect(tx, request.key);
                                            return 1;
                                        },
                                        {.wait = 30s});
                started += reply.done() ? 1 : 0;
                if (!reply.done() && !reply.replayed()) {
                    throw std::runtime_error{"outcome " + std::string{to_string(reply.outcome())}};
                }
            }
        }));
    }
    for (auto& thread : threads) {
        CHECK_NOTHROW(thread.get());
    }
    CHECK(server.effects() == started);
    CHECK(server.records() == started);
    CHECK(server.ask("select count(*) = count(distinct what) from effect") == "t");
}

TEST_CASE("a database object can be moved", "[pool]") {
    effects_database const server;
    once::database first{server.dsn()};
    CHECK(once::execute(first, request_of("a"), {effect_statement()}).done());
    once::database second{std::move(first)};
    CHECK(once::execute(second, request_of("a"), {effect_statement()}).replayed());
    once::database third{server.dsn()};
    third = std::move(second);
    CHECK(once::execute(third, request_of("a"), {effect_statement()}).replayed());
    CHECK(third.schema() == "once");
    CHECK(server.effects() == 1);
}
