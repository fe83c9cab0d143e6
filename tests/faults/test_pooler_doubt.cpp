// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// PgBouncer gives a COMMIT up that the server carries out all the same: its error has the SQLSTATE 08P01, and says
// nothing about the transaction.
#include <once/consumer.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>
#include <once/publish.hpp>
#include <once/subscription.hpp>

#include "faults/ledger.hpp"
#include "faults/pooler.hpp"
#include "faults/server_pair.hpp"
#include "faults/workload.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <pqxx/except>

#include <atomic>
#include <chrono>
#include <future>
#include <stop_token>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

/// COMMIT waits at a gate, an advisory lock; and some way to find the session that waits there.
constexpr auto gate_at_commit = R"sql(
    create function wait_at_gate() returns trigger language plpgsql as $$
    begin
        perform pg_advisory_xact_lock_shared(4711);
        return null;
    end $$;
    create constraint trigger gate after insert on effect deferrable initially deferred
        for each row execute function wait_at_gate())sql";

constexpr auto waits_at_gate =
    "select count(*) from pg_locks where locktype = 'advisory' and not granted and "
    "database = (select oid from pg_database where datname = current_database())";

constexpr once::call_options patient{.wait = 5s, .deadline = 30s, .reply_timeout = 20s};

/// A database whose COMMITs wait, behind a pooler that gives them up after half a second.
struct slow_commits {
    workload_database server;
    pooler between;
    listener ear;
    once::database db;
    ledger gate{server.dsn()};

    explicit slow_commits(std::string const& mode,
                          std::vector<std::string> const& settings = {"query_timeout = 0.5"})
        : between{{server.upstream().host, std::to_string(server.upstream().port), server.user(),
                   server.name()},
                  mode,
                  10,
                  settings},
          db{between.dsn(), {.prepared_statements = mode == "session", .log = ear.log()}} {
        gate.value(gate_at_commit);
        gate.open_account("key");
    }

    void close_gate() { gate.value("select pg_advisory_lock(4711)"); }
    /// Opens the gate for a COMMIT that nobody waits for any more.
    void open_gate_after(std::string const& said) {
        CHECK(wait_until([&] { return ear.heard(said); }));
        CHECK(gate.value(waits_at_gate) != "0");
        gate.value("select pg_advisory_unlock(4711)");
    }
};

std::string in_mode() {
    return GENERATE(std::string{"transaction"}, std::string{"session"});
}

} // namespace

TEST_CASE("a COMMIT that the pooler gave up and the server carried out is one effect and one answer",
          "[faults][pooler]") {
    auto const mode = in_mode();
    auto const how = GENERATE(form::callback, form::statements);
    INFO(mode << ", " << to_string(how));
    slow_commits here{mode};
    here.close_gate();
    auto call = std::async(std::launch::async, [&] { return run_workload(here.db, how, "key", patient); });
    here.open_gate_after("COMMIT");
    auto const reply = call.get();
    CHECK(reply.was_in_doubt());
    CHECK(reply.replayed());
    CHECK(here.gate.entry("key").effects == 1);
    CHECK(here.gate.entry("key").balance == 1);
}

TEST_CASE("a transaction without a key whose COMMIT the pooler gave up is in doubt, and not run again",
          "[faults][pooler]") {
    auto const mode = in_mode();
    INFO(mode);
    slow_commits here{mode};
    here.close_gate();
    std::atomic<int> runs = 0;
    auto call = std::async(std::launch::async, [&] {
        return once::transact(
            here.db,
            [&](once::transaction& tx) {
                ++runs;
                tx.exec(insert_effect, pqxx::params{"key"});
            },
            patient.transaction());
    });
    here.open_gate_after("COMMIT");
    CHECK(call.get().unknown());
    CHECK(runs == 1);
    CHECK(wait_until([&] { return here.gate.entry("key").effects == 1; }));
}

TEST_CASE("a message whose COMMIT the pooler gave up has one effect", "[faults][pooler]") {
    auto const mode = in_mode();
    INFO(mode);
    slow_commits here{mode};
    std::ignore = once::transact(here.db, [](once::transaction& tx) {
        once::subscribe(tx, "s", {.from = once::subscribe_from::beginning});
        tx.publish({.topic = "t", .payload = once::body::text("p")});
    });
    here.close_gate();
    once::consumer consumer{
        here.db,
        "s",
        [](once::delivery const&, once::transaction& tx) { tx.exec(insert_effect, pqxx::params{"key"}); },
        {.reader = {.listen = false}}};
    std::jthread const running{[&](std::stop_token const& stop) { consumer.run(stop); }};
    here.open_gate_after("once: consumer of s: ");
    CHECK(wait_until([&] { return here.gate.value("select max(number) from once.checkpoint") != "0"; }));
    // One more comes through, so the first has no second turn before it.
    std::ignore = once::transact(
        here.db, [](once::transaction& tx) { tx.publish({.topic = "t", .payload = once::body::text("q")}); });
    CHECK(wait_until([&] { return here.gate.entry("key").effects >= 2; }));
    CHECK(here.gate.entry("key").effects == 2);
}

TEST_CASE("an error that ends the session is a lost connection whatever its SQLSTATE says",
          "[faults][pooler]") {
    auto const mode = in_mode();
    INFO(mode);
    slow_commits here{mode};
    // In the callback: nothing took effect for certain, and the next attempt has its own.
    int runs = 0;
    auto const reply = once::transact(
        here.db,
        [&](once::transaction& tx) {
            tx.exec(insert_effect, pqxx::params{"key"});
            if (++runs == 1) {
                tx.exec("select pg_sleep(60)");
            }
        },
        patient.transaction());
    CHECK(reply.committed());
    CHECK(runs == 2);
    CHECK(here.gate.entry("key").effects == 1);
}

TEST_CASE(
    "a server that crashes and comes back while a pooler waits for its COMMIT leaves one effect or none",
    "[faults][pooler]") {
    private_servers servers;
    servers.start_primary("one");
    std::string const mode = "transaction";
    pooler const between{{.host = servers.folder("one")}, mode, 10, {"server_login_retry = 1"}};
    ledger{servers.dsn("one")}.value(gate_at_commit);
    for (std::string const what : {"callback", "statements", "transact"}) {
        INFO(what);
        once::database db{between.dsn(), {.prepared_statements = false}};
        std::future<once::reply> call;
        {
            ledger gate{servers.dsn("one")};
            gate.open_account(what);
            gate.value("select pg_advisory_lock(4711)");
            call = std::async(std::launch::async, [&] {
                if (what == "transact") {
                    return once::transact(
                        db, [&](once::transaction& tx) { tx.exec(insert_effect, pqxx::params{what}); },
                        patient.transaction());
                }
                return run_workload(db, what == "callback" ? form::callback : form::statements, what,
                                    patient);
            });
            REQUIRE(wait_until([&] { return gate.value(waits_at_gate) != "0"; }));
            servers.crash("one");
        }
        servers.start_again("one");
        auto const reply = call.get();
        auto const effects = ledger{servers.dsn("one")}.entry(what).effects;
        if (what == "transact") {
            CHECK(reply.unknown());
            CHECK(effects == 0); // the gate was never passed
        } else {
            CHECK(reply.committed());
            CHECK(effects == 1);
        }
    }
}
