// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// More than 400 lines: one claim for each rule of a lease, over one set of fixtures.
#include <once/error.hpp>
#include <once/lease.hpp>

#include "support/effects.hpp"
#include "support/login_role.hpp"
#include "support/refusal.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/nontransaction>
#include <pqxx/result>
#include <pqxx/row>
#include <pqxx/transaction>

#include <chrono>
#include <cstdint>
#include <future>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

constexpr auto short_lease = 150ms;

/// The lease, or nothing when somebody else holds it.
std::optional<once::lease> try_acquire(once::database& db, std::string const& name = "report",
                                       std::chrono::milliseconds duration = 60s) {
    auto result = once::acquire(db, name, duration);
    if (auto* const got = std::get_if<once::lease>(&result)) {
        return std::move(*got);
    }
    return std::nullopt;
}

std::string state(effects_database const& server) {
    return server.ask("select state from once.lease_readable where name = 'report'");
}

void await_expiry(effects_database const& server) {
    REQUIRE(wait_until([&] { return state(server) == "expired"; }));
}

} // namespace

TEST_CASE("a lease has one holder, and others are told who and for how long", "[lease]") {
    effects_database const server;
    once::database db{server.dsn()};
    once::database other{server.dsn()};
    auto const acquired = once::acquire(db, "report", 60s, {.holder = "worker 1"});
    auto const& mine = std::get<once::lease>(acquired);
    CHECK(mine.name() == "report");
    CHECK(!mine.taken_over());
    CHECK(mine.still_trusted());
    auto const told = std::get<once::held>(once::acquire(other, "report", 60s));
    CHECK(told.holder == "worker 1");
    CHECK(told.fence == mine.fence().number);
    CHECK(told.expires_in > 30s);
    CHECK(told.expires_in <= 60s);
    CHECK(std::holds_alternative<once::held>(once::acquire(db, "report", 60s)));
    CHECK(std::holds_alternative<once::lease>(once::acquire(other, "another", 60s)));
}

TEST_CASE("a released lease is free at once, and its next fence is greater", "[lease]") {
    effects_database const server;
    once::database db{server.dsn()};
    std::int64_t last = 0;
    for (int i = 0; i < 5; ++i) {
        auto mine = try_acquire(db);
        REQUIRE(mine);
        CHECK(!mine->taken_over());
        CHECK(mine->fence().number > last);
        last = mine->fence().number;
        if (i % 2 == 0) {
            CHECK(mine->release());
            CHECK(!mine->still_trusted());
            CHECK(!mine->release());
        } // else: given back by the destructor
    }
    CHECK(state(server) == "released");
    CHECK(server.ask("select timeline_and_counter from once.lease_readable") == "1/5");
}

TEST_CASE("a lease that ran out is taken over, and its former holder is refused everything", "[lease]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto former = try_acquire(db, "report", short_lease);
    REQUIRE(former);
    await_expiry(server);
    CHECK(wait_until([&] { return !former->still_trusted(); }));
    auto const next = try_acquire(db);
    REQUIRE(next);
    CHECK(next->taken_over());
    CHECK(next->fence().number > former->fence().number);
    pqxx::connection connection{server.dsn()};
    {
        pqxx::work tx{connection};
        add_effect(tx);
        try {
            once::assert_fence(tx, former->fence());
            FAIL("a former holder may write");
        } catch (pqxx::sql_error const& e) {
            CHECK(std::string{e.sqlstate()} == "ON010");
        }
    }
    CHECK(!former->renew());
    CHECK(!former->release());
    CHECK(state(server) == "held");
    pqxx::work tx{connection};
    once::assert_fence(tx, next->fence());
    add_effect(tx);
    tx.commit();
    CHECK(server.effects() == 1);
}

TEST_CASE("a lease that ran out is renewed while nobody took it, but guards nothing before", "[lease]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto mine = try_acquire(db, "report", short_lease);
    REQUIRE(mine);
    await_expiry(server);
    auto const assertion = "select once.assert_fence('report', " + std::to_string(mine->fence().number) + ")";
    CHECK(sqlstate_of([&] { run(server.dsn(), assertion); }) == "ON010");
    auto const fence = mine->fence();
    CHECK(mine->renew(60s));
    CHECK(mine->fence() == fence);
    CHECK(mine->still_trusted());
    CHECK(sqlstate_of([&] { run(server.dsn(), assertion); }) == "accepted");
    CHECK(mine->release());
    CHECK(!mine->renew());
    CHECK(sqlstate_of([&] { run(server.dsn(), assertion); }) == "ON010");
}

TEST_CASE("the trust window ends before the lease does", "[lease]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto result = once::acquire(db, "report", 60s, {.margin = 59'900ms});
    auto& mine = std::get<once::lease>(result);
    CHECK(mine.trusted_for() <= 100ms);
    CHECK(wait_until([&] { return !mine.still_trusted(); }));
    CHECK(mine.trusted_for() == 0ms);
    CHECK(state(server) == "held");
    auto const plain = try_acquire(db, "another", 60s);
    REQUIRE(plain);
    CHECK(plain->trusted_for() <= 54s); // a tenth is the margin
    CHECK(plain->trusted_for() > 20s);
}

TEST_CASE("a lease moves, and detach leaves it held", "[lease]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto first = try_acquire(db);
    REQUIRE(first);
    once::lease second{std::move(*first)};
    CHECK(!first->still_trusted()); // NOLINT(bugprone-use-after-move): that is the question
    CHECK(second.still_trusted());
    first.reset();
    CHECK(state(server) == "held");
    auto other = try_acquire(db, "other");
    REQUIRE(other);
    second = std::move(*other); // gives back what it held
    CHECK(state(server) == "released");
    auto const fence = second.detach();
    CHECK(fence.lease == "other");
    CHECK(server.ask("select count(*) from once.lease_readable where state = 'held'") == "1");
}

TEST_CASE("while a transaction has asserted its fence nobody takes the lease, and its holder renews it",
          "[lease]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto mine = try_acquire(db);
    REQUIRE(mine);
    pqxx::connection connection{server.dsn()};
    pqxx::work tx{connection};
    once::assert_fence(tx, mine->fence());
    expire_leases(server);
    CHECK(!try_acquire(db)); // answers after half a second
    CHECK(mine->renew());
    expire_leases(server);
    CHECK(!try_acquire(db));
    add_effect(tx);
    tx.commit();
    auto const next = try_acquire(db);
    REQUIRE(next);
    CHECK(next->taken_over());
}

TEST_CASE("an assertion of a former fence waits for somebody who is acquiring, and is refused either way",
          "[lease]") {
    effects_database const server;
    once::database db{server.dsn()};
    for (bool const taker_commits : {true, false}) {
        auto mine = try_acquire(db);
        REQUIRE(mine);
        CHECK(mine->release());
        pqxx::connection connection{server.dsn()};
        pqxx::work taker{connection};
        auto const fence =
            taker.exec("select fence from once.acquire_lease('report', '1 minute')")[0][0].as<std::int64_t>();
        auto const assert_from = [&](std::int64_t number) {
            return std::async(std::launch::async, [&server, number] {
                return sqlstate_of([&] {
                    run(server.dsn(), "select once.assert_fence('report', " + std::to_string(number) + ")");
                });
            });
        };
        auto asserting = assert_from(fence);
        auto former = assert_from(mine->fence().number);
        REQUIRE(wait_until([&] {
            return server.ask("select count(*) from pg_stat_activity where datname = current_database() "
                              "and wait_event_type = 'Lock'") == "1";
        }));
        CHECK(asserting.get() == "ON010"); // the new fence is not there yet, so it does not wait
        if (taker_commits) {
            taker.commit();
        } else {
            taker.abort();
        }
        CHECK(former.get() == "ON010");
        CHECK(state(server) == (taker_commits ? "held" : "released"));
        run(server.dsn(), "select once.release_lease('report', fence) from once.lease");
    }
}

TEST_CASE("acquiring never waits long behind somebody who neither commits nor rolls back", "[lease]") {
    effects_database const server;
    once::database db{server.dsn()};
    pqxx::connection connection{server.dsn()};
    {
        pqxx::work taker{connection};
        taker.exec("select once.acquire_lease('report', '1 minute')");
        auto const told = std::get<once::held>(once::acquire(db, "report", 60s));
        CHECK(told.holder.empty());
        CHECK(told.fence == 0);
    }
    CHECK(try_acquire(db)); // and given back
    pqxx::work taker{connection};
    taker.exec("select once.acquire_lease('report', '1 minute')");
    CHECK(std::holds_alternative<once::held>(once::acquire(db, "report", 60s)));
}

TEST_CASE("expiry is looked at after the wait for the row", "[lease]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto mine = try_acquire(db);
    REQUIRE(mine);
    pqxx::connection connection{server.dsn()};
    // The taker waits for half a second only. On a busy machine it may be gone before it is seen: then once more.
    bool seen = false;
    for (int round = 0; round < 20 && !seen; ++round) {
        expire_leases(server);
        // The holder renews in a transaction that is still open: the taker sees a lease that ran out, and waits.
        pqxx::work renewal{connection};
        renewal.exec("select once.renew_lease('report', " + std::to_string(mine->fence().number) +
                     ", '1 minute')");
        auto taker = std::async(std::launch::async, [&] {
            return ask(server.dsn(), "select outcome from once.acquire_lease('report', '1 minute')");
        });
        seen = wait_until(
            [&] {
                return server.ask("select count(*) from pg_stat_activity where datname = current_database() "
                                  "and wait_event_type = 'Lock'") == "1";
            },
            400ms);
        renewal.commit();
        CHECK(taker.get() == "held");
    }
    CHECK(seen);
}

TEST_CASE("under repeatable read a lease may have been renewed since the snapshot: a reason to run again",
          "[lease]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto mine = try_acquire(db);
    REQUIRE(mine);
    pqxx::connection connection{server.dsn()};
    auto const refusal = [&](std::string const& now) {
        pqxx::transaction<pqxx::isolation_level::repeatable_read> tx{connection};
        return sqlstate_of([&] {
            tx.exec("select once.assert_fence('report', " + std::to_string(mine->fence().number) + ", " +
                    now + ")");
        });
    };
    CHECK(refusal("null") == "accepted");
    // It was alive when the transaction began, and an hour later it seems to have ended.
    CHECK(refusal("clock_timestamp() + interval '1 hour'") == "40001");
    expire_leases(server);
    CHECK(refusal("null") == "ON010");
}

TEST_CASE("services have leases of their own under the same name", "[lease][services]") {
    effects_database const server;
    login_role const one{server, "one"};
    login_role const two{server, "two"};
    one.grant_use();
    two.grant_use();
    once::database first{one.dsn()};
    once::database second{two.dsn()};
    auto const a = try_acquire(first);
    auto const b = try_acquire(second);
    REQUIRE(a);
    REQUIRE(b);
    CHECK(ask(two.dsn(), "select once.release_lease('report', " + std::to_string(a->fence().number) + ")") ==
          (a->fence() == b->fence() ? "t" : "f"));
    CHECK(!try_acquire(first));
}

TEST_CASE("purging leases does not let a fence go back", "[lease][purge]") {
    effects_database const server;
    once::database db{server.dsn()};
    std::int64_t last = 0;
    for (int i = 0; i < 4; ++i) {
        auto mine = try_acquire(db);
        REQUIRE(mine);
        last = mine->fence().number;
    }
    auto const kept = try_acquire(db, "kept");
    REQUIRE(kept);
    CHECK(server.ask("select once.purge_leases()") == "0"); // used within 30 days
    CHECK(server.ask("select once.purge_leases('0')") == "1");
    CHECK(server.ask("select string_agg(name, ' ') from once.lease") == "kept");
    auto const anew = try_acquire(db);
    REQUIRE(anew);
    CHECK(anew->fence().number > last);
    CHECK(server.ask("select once.purge_leases('0')") == "0");
}

TEST_CASE("while a purge is open its leases are held, and begin above what it removed; no other waits",
          "[lease][purge]") {
    effects_database const server;
    once::database db{server.dsn()};
    for (int i = 0; i < 4; ++i) {
        CHECK(try_acquire(db));
    }
    pqxx::connection connection{server.dsn()};
    pqxx::work purge{connection};
    purge.exec("select once.purge_leases('0')");
    CHECK(!try_acquire(db));
    CHECK(try_acquire(db, "new"));
    purge.commit();
    CHECK(try_acquire(db));
    CHECK(server.ask("select timeline_and_counter from once.lease_readable where name <> 'new'") == "1/5");
}

TEST_CASE(
    "a purge waits for no transaction that has made a lease, and its floor holds for old snapshots, too",
    "[lease][purge]") {
    effects_database const server;
    pqxx::connection connection{server.dsn()};
    for (auto const* level : {"read committed", "repeatable read", "serializable"}) {
        pqxx::nontransaction tx{connection};
        tx.exec(std::string{"begin isolation level "} + level);
        tx.exec(
            "select once.acquire_lease('first of ' || current_setting('transaction_isolation'), '1 minute')");
        server.run("set lock_timeout = '1s'; select once.acquire_lease('other', '1 minute'), "
                   "once.acquire_lease('other', '1 minute')");
        server.run("update once.lease set released_at = now() where name = 'other'");
        CHECK(server.ask("set lock_timeout = '1s'; select once.purge_leases('0')") == "1");
        auto const again = sqlstate_of([&] { tx.exec("select once.acquire_lease('other', '1 minute')"); });
        CHECK(again == (std::string{level} == "read committed" ? "accepted" : "40001"));
        tx.exec("rollback");
    }
}

TEST_CASE("an acquisition is durable even where commits need not be", "[lease]") {
    effects_database const server;
    CHECK(server.ask(
              "begin; set local synchronous_commit = off; select once.acquire_lease('report', '1 minute'); "
              "select current_setting('synchronous_commit')") == "on");
}

TEST_CASE("the clock of the client decides nothing", "[lease]") {
    // Times travel as durations, in both directions; the database makes points in time of them. No argument of these
    // functions but p_now, which no service may give, is one.
    effects_database const server;
    CHECK(server.ask(R"sql(
        select coalesce(string_agg(p.proname || '.' || a.name, ' '), 'none') from pg_proc as p
        cross join lateral unnest(p.proargtypes::oid[], p.proargnames) as a (type, name)
        where p.pronamespace = 'once'::regnamespace and a.type in ('timestamptz'::regtype, 'timestamp'::regtype)
          and a.name <> 'p_now' and (p.proname ~ 'lease|fence|token'))sql") == "none");
}

TEST_CASE("what is no lease is refused before anything is sent", "[lease][bad_input]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto const refused = [&](std::string const& name, std::chrono::milliseconds duration,
                             once::lease_options const& options = {}) {
        return refused_field([&] {
            return std::holds_alternative<once::lease>(once::acquire(db, name, duration, options))
                       ? "accepted"
                       : "held";
        });
    };
    CHECK(refused("report", 100ms) == "accepted");
    CHECK(refused("report", 366 * 24h) == "accepted");
    CHECK(refused(std::string(255, 'x'), 1s) == "accepted");
    for (auto const duration : {-1ms, 0ms, 99ms, std::chrono::milliseconds{366 * 24h + 1ms},
                                std::chrono::milliseconds::max(), std::chrono::milliseconds::min()}) {
        CHECK(refused("report", duration) == "duration");
    }
    for (auto const* const name : {"", " a", "a ", "a\nb", "\xc3\xa4", "a\x7f"}) {
        CHECK(refused(name, 1s) == "name");
    }
    CHECK(refused(std::string(256, 'x'), 1s) == "name");
    CHECK(refused("report", 1s, {.holder = "a\tb"}) == "lease_options.holder");
    CHECK(refused("report", 1s, {.margin = 1s}) == "lease_options.margin");
    CHECK(refused("report", 1s, {.margin = -1ms}) == "lease_options.margin");
    CHECK(refused("report", 1s, {.timeout = 0ms}) == "lease_options.timeout");

    pqxx::connection connection{server.dsn()};
    pqxx::work tx{connection};
    CHECK_THROWS_AS(once::assert_fence(tx, {.lease = "", .number = 1}), once::invalid_argument);
    CHECK_THROWS_AS(once::assert_fence(tx, {.lease = "a", .number = 0}), once::invalid_argument);
    CHECK_THROWS_AS((once::borrowed{tx, "no schema"}), once::invalid_argument);
    CHECK(tx.exec("select 1")[0][0].as<int>() == 1);
}

TEST_CASE("the schema refuses by itself what is no lease", "[lease][bad_input]") {
    effects_database const server;
    std::string const acquire = "select once.acquire_lease(";
    std::vector<std::pair<std::string, std::string>> const table{
        {acquire + "'a', '0')", "22023"},
        {acquire + "'a', '-1 s')", "22023"},
        {acquire + "'a', '99 ms')", "22023"},
        {acquire + "'a', '367 days')", "22023"},
        {acquire + "'a', null)", "22023"},
        {acquire + "'a', interval '1 s' * 1e18)", "22008"},
        {acquire + "null, '1 s')", "22023"},
        {acquire + "'', '1 s')", "23514"},
        {acquire + "' a', '1 s')", "23514"},
        {acquire + "repeat('x', 256), '1 s')", "23514"},
        {acquire + "'a', '1 s', '')", "23514"},
        {acquire + "'a', '1 s', null, 'infinity')", "22023"},
        {"select once.renew_lease('a', 1, '-1 s')", "22023"},
        {"select once.renew_lease('a', 1, null)", "22023"},
        {"select once.renew_lease('a', null, '1 s')", "accepted"}, // null: not held
        {"select once.assert_fence('a', null)", "ON010"},
        {"select once.assert_fence(null, 1)", "ON010"},
        {"select once.assert_fence('a', -1)", "ON010"},
        {"select once.purge_leases('-1 s')", "22023"},
        {"select once.purge_leases(null)", "22023"},
        {"select once.purge_leases('0', 0)", "22023"},
        {"update once.lease_floor set fence = -1", "23514"},
        {"insert into once.lease_floor (fence) values (1)", "23505"},
        {"insert into once.lease_floor (only_row, fence) values (false, 1)", "23514"},
    };
    for (auto const& one : table) {
        auto const& sql = one.first;
        INFO(sql);
        CHECK(sqlstate_of([&] { run(server.dsn(), sql); }) == one.second);
    }
    CHECK(server.ask("select count(*) from once.lease") == "0");
}
