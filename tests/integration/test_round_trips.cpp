// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/database.hpp>
#include <once/execute.hpp>

#include "support/effects.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/result>

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

using namespace once::testing;

namespace {

/// Counts what a call costs at the socket, on a connection that is already open.
struct counted : effects_database {
    wire_proxy proxy{upstream()};
    once::database db{through(proxy), {.max_connections = 1}};

    counted() { db.check(); }

    template <class Call>
    std::int64_t cost(Call&& call) {
        proxy.reset_counters();
        call();
        return proxy.round_trips();
    }
};

auto statements_in_callback(int count) {
    return [count](once::transaction& tx) {
        for (int i = 0; i < count; ++i) {
            add_effect(tx);
        }
    };
}

} // namespace

TEST_CASE("a new request costs two round trips and its statements, the first on a connection included",
          "[round_trips]") {
    counted server;
    for (int const round : {1, 2}) {
        for (int n = 0; n <= 3; ++n) {
            INFO("round " << round << ", " << n << " statements");
            auto const key = std::to_string(round) + "-" + std::to_string(n);
            CHECK(server.cost([&] {
                std::ignore = once::execute(server.db, request_of(key), statements_in_callback(n));
            }) == n + 2);
        }
    }
    CHECK(server.effects() == 12);
}

TEST_CASE("statements for the end cost no round trip of their own", "[round_trips]") {
    counted server;
    for (int const round : {1, 2}) {
        CHECK(server.cost([&] {
            std::ignore =
                once::execute(server.db, request_of(std::to_string(round)), [](once::transaction& tx) {
                    tx.at_commit(effect_statement());
                    tx.at_commit(effect_statement("another"));
                });
        }) == 2);
    }
    CHECK(server.effects() == 4);
}

TEST_CASE("a repeat costs at most two round trips, and the caller waits for one", "[round_trips]") {
    counted server;
    std::ignore = once::execute(server.db, request_of("k"), statements_in_callback(1));
    for (int const round : {1, 2, 3}) {
        std::int64_t flights = 0;
        auto const trips = server.cost(
            [&] { CHECK(once::execute(server.db, request_of("k"), statements_in_callback(1)).replayed()); });
        flights = server.proxy.client_flights();
        WARN("repeat " << round << ": " << trips << " round trips, " << flights << " flights");
        CHECK(trips >= 1);
        CHECK(trips <= 2);
    }
}

TEST_CASE("the one-round-trip form costs one round trip, its repeat two", "[round_trips]") {
    counted server;
    for (int n = 1; n <= 3; ++n) {
        std::vector<once::statement> const work(static_cast<std::size_t>(n), effect_statement());
        for (int const round : {1, 2}) {
            auto const key = std::to_string(n) + "-" + std::to_string(round);
            CHECK(server.cost([&] { CHECK(once::execute(server.db, request_of(key), work).done()); }) == 1);
            CHECK(server.cost([&] { CHECK(once::execute(server.db, request_of(key), work).replayed()); }) ==
                  2);
        }
    }
    CHECK(server.effects() == 12);
}

TEST_CASE("a transaction without a key costs two round trips and its statements", "[round_trips]") {
    counted server;
    for (int const round : {1, 2}) {
        for (int n = 0; n <= 3; ++n) {
            INFO("round " << round);
            CHECK(server.cost([&] {
                once::transact(server.db, statements_in_callback(n)).expect_committed();
            }) == n + 2);
        }
    }
}

TEST_CASE("the counts hold without prepared statements", "[round_trips]") {
    effects_database const server;
    wire_proxy proxy{server.upstream()};
    once::database db{server.through(proxy), {.max_connections = 1, .prepared_statements = false}};
    db.check();
    proxy.reset_counters();
    std::ignore = once::execute(db, request_of("a"), statements_in_callback(1));
    CHECK(proxy.round_trips() == 3);
    proxy.reset_counters();
    CHECK(once::execute(db, request_of("b"), {effect_statement()}).done());
    CHECK(proxy.round_trips() == 1);
}

TEST_CASE("a later connection of the same object is checked in one round trip", "[round_trips]") {
    effects_database const server;
    wire_proxy proxy{server.upstream()};
    once::database db{server.through(proxy), {.max_connections = 2}};
    db.check();
    once::transact(db, [&](once::transaction&) {
        proxy.reset_counters();
        once::transact(db, [](once::transaction&) {}).expect_committed();
    }).expect_committed();
    CHECK(proxy.connections() == 2);
    CHECK(proxy.round_trips(2) == 1 + 2);
}
