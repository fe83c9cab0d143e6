// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/execute.hpp>
#include <once/lease.hpp>

#include "support/effects.hpp"
#include "support/wait_until.hpp"
#include "support/wire_proxy.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/transaction>

#include <chrono>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

struct under_lease : effects_database {
    once::database db{dsn()};

    once::lease acquire(std::chrono::milliseconds duration = 60s) {
        return std::get<once::lease>(once::acquire(db, "report", duration));
    }
    /// Somebody else takes the lease over.
    void take_over() const {
        run("update once.lease set acquired_at = acquired_at - interval '2 days', renewed_at = renewed_at - "
            "interval '2 days', expires_at = expires_at - interval '2 days' where released_at is null");
        if (ask("select taken_over from once.acquire_lease('report', '1 day')") != "t") {
            throw std::runtime_error{"the lease cannot be taken over"};
        }
    }
    once::reply write(once::fence const& fence, std::string const& key = "k",
                      once::call_options options = {}) {
        options.fence = fence;
        return once::execute(db, request_of(key), [](once::transaction& tx) { add_effect(tx); }, options);
    }
    once::reply write_at_once(once::fence const& fence, std::string const& key = "k") {
        return once::execute(db, request_of(key), {effect_statement()}, 201, {.fence = fence});
    }
};

} // namespace

TEST_CASE("a holder executes under its lease, and a repeat is answered without it", "[lease][execute]") {
    under_lease server;
    auto mine = server.acquire();
    CHECK(server.write(mine.fence()).done());
    CHECK(server.write_at_once(mine.fence(), "other").done());
    server.take_over();
    CHECK(server.write(mine.fence()).replayed());
    CHECK(server.write_at_once(mine.fence(), "other").replayed());
    CHECK(server.effects() == 2);
}

TEST_CASE("a former holder is told lease_lost before its callback runs", "[lease][execute]") {
    under_lease server;
    auto const fence = server.acquire().detach();
    server.take_over();
    bool ran = false;
    auto const reply =
        once::execute(server.db, request_of("k"), [&](once::transaction&) { ran = true; }, {.fence = fence});
    CHECK(reply.lease_lost());
    CHECK(!reply.committed());
    CHECK(!reply.has_response());
    CHECK(!ran);
    CHECK(server.write_at_once(fence).lease_lost());
    CHECK(once::transact(server.db, [&](once::transaction&) { ran = true; }, {.fence = fence}).lease_lost());
    CHECK(!ran);
    CHECK(server.effects() == 0);
    CHECK(server.records() == 0);
}

TEST_CASE("a lease that is lost while the callback runs takes all of it back", "[lease][execute]") {
    under_lease server;
    for (auto const level :
         {once::isolation::read_committed, once::isolation::repeatable_read, once::isolation::serializable}) {
        auto const fence = server.acquire().detach();
        auto const work = [&](once::transaction& tx) {
            add_effect(tx);
            if (tx.attempt() == 1) {
                server.take_over();
            }
        };
        once::call_options const options{.isolation_level = level, .fence = fence};
        CHECK(once::execute(server.db, request_of("k"), work, options).lease_lost());
        CHECK(server.effects() == 0);
        CHECK(server.records() == 0);
        server.run("select once.release_lease('report', fence) from once.lease");
        auto const again = server.acquire().detach();
        once::transaction_options const options_again{.isolation_level = level, .fence = again};
        CHECK(once::transact(server.db, work, options_again).lease_lost());
        server.run("select once.release_lease('report', fence) from once.lease");
    }
    // The key is free: the present holder of the lease does the work.
    auto const next = server.acquire();
    CHECK(server.write(next.fence()).done());
    CHECK(server.effects() == 1);
}

TEST_CASE("a lease that only ran out is refused until it is renewed", "[lease][execute]") {
    under_lease server;
    auto mine = server.acquire(100ms);
    REQUIRE(wait_until([&] { return server.ask("select state from once.lease_readable") == "expired"; }));
    CHECK(server.write(mine.fence()).lease_lost());
    CHECK(mine.renew(60s));
    CHECK(server.write(mine.fence()).done());
}

TEST_CASE("a fence of another lease, service or number guards nothing", "[lease][execute]") {
    under_lease server;
    auto const mine = server.acquire();
    CHECK(server.write({.lease = "other", .number = mine.fence().number}).lease_lost());
    CHECK(server.write({.lease = "report", .number = mine.fence().number + 1}).lease_lost());
    CHECK(server.write({.lease = "report", .number = 1}).lease_lost());
    CHECK_THROWS_AS(server.write({.lease = "report", .number = 0}), once::invalid_argument);
    CHECK_THROWS_AS(server.write({.lease = "", .number = 1}), once::invalid_argument);
    CHECK(server.effects() == 0);
}

TEST_CASE("the guard costs no round trip", "[lease][round_trips]") {
    under_lease server;
    auto const mine = server.acquire();
    wire_proxy proxy{server.upstream()};
    once::database db{server.through(proxy), {.max_connections = 1}};
    db.check();
    for (int const round : {1, 2}) {
        proxy.reset_counters();
        CHECK(once::execute(db, request_of("a" + std::to_string(round)),
                            [](once::transaction& tx) { add_effect(tx); }, {.fence = mine.fence()})
                  .done());
        CHECK(proxy.round_trips() == 3);
        proxy.reset_counters();
        CHECK(once::execute(db, request_of("b" + std::to_string(round)), {effect_statement()}, 200,
                            {.fence = mine.fence()})
                  .done());
        CHECK(proxy.round_trips() == 1);
        proxy.reset_counters();
        once::transact(db, [](once::transaction& tx) { add_effect(tx); }, {.fence = mine.fence()})
            .expect_committed();
        CHECK(proxy.round_trips() == 3);
    }
}

TEST_CASE("a lost answer to COMMIT under a lease is found out, also when the lease is gone by then",
          "[lease][execute]") {
    under_lease server;
    auto const fence = server.acquire().detach();
    wire_proxy proxy{server.upstream()};
    once::database db{server.through(proxy), {.max_connections = 1}};
    db.check();
    auto const cut = proxy.add(at_tag("COMMIT", act::cut()).doing([&](event const&) { server.take_over(); }));
    auto const reply =
        once::execute(db, request_of("k"), [](once::transaction& tx) { add_effect(tx); }, {.fence = fence});
    CHECK(cut.fired() == 1);
    CHECK(reply.was_in_doubt());
    CHECK(reply.replayed());
    CHECK(server.effects() == 1);
    CHECK(server.write(fence, "next").lease_lost());
}

TEST_CASE("when the answer is lost, an acquisition is in doubt and a renewal is asked again", "[lease]") {
    effects_database const server;
    wire_proxy proxy{server.upstream()};
    once::database db{server.through(proxy)};
    std::ignore = once::acquire(db, "warm", 60s);
    auto const first = proxy.add(at_tag("SELECT 1", act::cut()));
    CHECK_THROWS_AS(once::acquire(db, "report", 60s), pqxx::in_doubt_error);
    CHECK(first.fired() == 1);
    // It took effect; others are told of a holder, and the lease runs out by itself.
    CHECK(server.ask("select state from once.lease_readable where name = 'report'") == "held");

    auto mine = std::get<once::lease>(once::acquire(db, "other", 60s));
    auto const second = proxy.add(at_tag("SELECT 1", act::cut()));
    CHECK(mine.renew());
    CHECK(second.fired() == 1);
    CHECK(mine.still_trusted());
}
