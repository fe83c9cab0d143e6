// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/execute.hpp>
#include <once/lease.hpp>

#include "support/effects.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/transaction>

#include <chrono>
#include <future>
#include <optional>
#include <string>

/** @file
 * The two ways in which a lock alone does a thing twice. Each is played twice: with a lease and nothing else, where the
 * second effect has to show, and with the lease and the key of `execute`, where it must not.
 */
using namespace once::testing;
using namespace std::chrono_literals;

namespace {

constexpr auto lease_name = "order of alice";

std::optional<once::lease> lock(once::database& db) {
    auto result = once::acquire(db, lease_name, 60s);
    if (auto* const got = std::get_if<once::lease>(&result)) {
        return std::move(*got);
    }
    return std::nullopt;
}

/// How one click is served while its lease is held.
using serve = once::reply (*)(once::database&, once::fence const&);

// What people write who trust the lock: the write, guarded by nothing but the lock that they have.
once::reply with_lock_only(once::database& db, once::fence const&) {
    return once::transact(db, [](once::transaction& tx) { add_effect(tx); });
}

once::reply with_key(once::database& db, once::fence const& fence) {
    return once::execute(db, request_of("click"), [](once::transaction& tx) { add_effect(tx); },
                         {.fence = fence});
}

void second_click(effects_database const& server, serve how) {
    once::database db{server.dsn()};
    for (int click = 0; click < 2; ++click) {
        auto mine = lock(db);
        REQUIRE(mine); // the first one is done and has given the lease back, so nothing stops the second
        CHECK(how(db, mine->fence()).committed());
    }
}

/// Lets the lease run out now. (A short one could run out before its time on a busy machine.)
} // namespace

TEST_CASE("a second click after the first released its lock: the lock alone does it twice", "[lease][lock]") {
    effects_database const server;
    second_click(server, with_lock_only);
    CHECK(server.effects() == 2);
}

TEST_CASE("a second click after the first released its lock: the key does it once", "[lease][lock]") {
    effects_database const server;
    second_click(server, with_key);
    CHECK(server.effects() == 1);
}

TEST_CASE("the reply is lost and the lock runs out: the lock alone does it twice", "[lease][lock]") {
    effects_database const server;
    once::database db{server.dsn()};
    pqxx::connection connection{server.dsn()};
    auto first = lock(db);
    REQUIRE(first);
    pqxx::work slow{connection}; // the first one is slower than its lock
    add_effect(slow);
    expire_leases(server);
    auto second = lock(db); // the client has heard nothing and asks again
    REQUIRE(second);
    CHECK(with_lock_only(db, second->fence()).committed());
    slow.commit(); // and here the first one wakes up
    CHECK(server.effects() == 2);
}

TEST_CASE("the reply is lost and the lock runs out: the first to commit does it, the other one is undone",
          "[lease][lock]") {
    for (bool const first_commits_first : {true, false}) {
        INFO("the first one commits first: " << first_commits_first);
        effects_database const server;
        once::database db{server.dsn()};
        auto first = lock(db);
        REQUIRE(first);
        std::optional<once::lease> second;
        std::future<once::reply> retry;
        auto const slow = once::execute(
            db, request_of("click"),
            [&](once::transaction& tx) {
                add_effect(tx);
                if (first_commits_first) {
                    // The client asks again while the first one runs, with no lock to stop it: it waits for the key.
                    retry = std::async(std::launch::async, [&] {
                        return once::execute(db, request_of("click"),
                                             [](once::transaction& other) { add_effect(other); },
                                             {.wait = 60s, .deadline = 100s});
                    });
                    REQUIRE(wait_until([&] {
                        return server.ask("select count(*) from pg_stat_activity where datname = "
                                          "current_database() and wait_event_type = 'Lock'") == "1";
                    }));
                } else {
                    expire_leases(server);
                    second = lock(db);
                    REQUIRE(second);
                }
            },
            {.fence = first->fence()});
        if (first_commits_first) {
            CHECK(slow.done());
            CHECK(retry.get().replayed());
        } else {
            CHECK(slow.lease_lost()); // woke up too late: rolled back
            CHECK(server.effects() == 0);
            CHECK(with_key(db, second->fence()).done());
        }
        CHECK(with_key(db, second ? second->fence() : first->fence()).replayed());
        CHECK(server.effects() == 1);
    }
}

TEST_CASE(
    "the reply is lost after the work was done and the lock has run out: the retry gets the stored answer",
    "[lease][lock]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto first = lock(db);
    REQUIRE(first);
    wire_proxy proxy{server.upstream()};
    once::database cut_off{server.through(proxy)};
    cut_off.check();
    auto const lost = proxy.add(at_tag("COMMIT", act::cut()));
    // One attempt only: what the client that sees a broken connection knows, which is nothing.
    auto const reply =
        once::execute(cut_off, request_of("click"), [](once::transaction& tx) { add_effect(tx); },
                      {.fence = first->fence()});
    CHECK(lost.fired() == 1);
    CHECK(reply.committed());
    expire_leases(server);
    auto second = lock(db);
    REQUIRE(second);
    CHECK(with_key(db, second->fence()).replayed());
    CHECK(server.effects() == 1);
}
