// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "faults/fault_sweep.hpp"
#include "faults/ledger.hpp"
#include "faults/workload.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/except>
#include <pqxx/nontransaction>

#include <chrono>
#include <cstdio>
#include <future>
#include <stdexcept>
#include <string>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

bool gone(ledger& deeds, int pid) {
    return deeds.value("select count(*) from pg_stat_activity where pid = " + std::to_string(pid)) == "0";
}

/// Ends the session while the proxy holds the message, so that it finds nobody any more.
void terminate(event const& e, ledger& deeds) {
    deeds.value("select pg_terminate_backend(" + std::to_string(e.backend_pid) + ")");
    static_cast<void>(wait_until([&] { return gone(deeds, e.backend_pid); }));
}

void cancel(event const& e, ledger& deeds) {
    deeds.value("select pg_cancel_backend(" + std::to_string(e.backend_pid) + ")");
}

sweep_result sweep(fault const& what) {
    workload_database const db;
    auto result = run_sweep(db, {.faults = {what}});
    std::printf("%s: %s\n", what.name.c_str(), result.counts().c_str());
    return result;
}

/// COMMIT of a request waits until `gate`, an advisory lock, is free.
constexpr auto slow_commit = R"sql(
    create function wait_at_gate() returns trigger language plpgsql as $$
    begin
        perform pg_advisory_xact_lock(4711);
        return null;
    end $$;
    create constraint trigger gate after insert on effect deferrable initially deferred
        for each row execute function wait_at_gate())sql";

constexpr auto commit_waits = "select pid from pg_locks where locktype = 'advisory' and not granted and "
                              "database = (select oid from pg_database where datname = current_database())";

/// What a call said after `deed` was done to the session that was carrying out its COMMIT.
once::reply commit_disturbed(workload_database const& db, form how, std::string const& deed) {
    ledger book{db.dsn()};
    ledger gate{db.dsn()};
    book.value(slow_commit);
    book.open_account("key");
    gate.value("select pg_advisory_lock(4711)");
    once::database target{db.dsn()};
    auto call = std::async(std::launch::async,
                           [&] { return run_workload(target, how, "key", {.wait = 5s, .deadline = 20s}); });
    REQUIRE(wait_until([&] { return !book.value(commit_waits).empty(); }));
    auto const pid = book.value(commit_waits);
    book.value("select " + deed + "(" + pid + ")");
    REQUIRE(wait_until([&] { return book.value(commit_waits) != pid; }));
    gate.value("select pg_advisory_unlock(4711)");
    return call.get();
}

} // namespace

TEST_CASE("a session terminated at any message leaves one effect and one answer", "[faults][session]") {
    auto const result = sweep({.name = "pg_terminate_backend", .what = act::forward(), .deed = terminate});
    CHECK(result.fired > 100);
    CHECK(result.in_doubt > 0);
    CHECK(result.complaints() == "");
}

TEST_CASE("a statement cancelled at any message leaves one effect or none", "[faults][session]") {
    auto const result =
        sweep({.name = "pg_cancel_backend", .what = act::forward(), .deed = cancel, .cancels = true});
    CHECK(result.fired > 100);
    CHECK(result.complaints() == "");
}

TEST_CASE("a session terminated during COMMIT is a doubt that the key resolves", "[faults][session]") {
    for (auto const how : {form::callback, form::statements}) {
        workload_database const db;
        auto const reply = commit_disturbed(db, how, "pg_terminate_backend");
        CHECK(reply.done());
        CHECK(reply.was_in_doubt());
        CHECK(reply.attempts() == 2);
        auto const entry = ledger{db.dsn()}.entry("key");
        CHECK(entry.effects == 1);
        CHECK(entry.balance == 1);
        CHECK(entry.stored == reply.response().body.data());
    }
}

TEST_CASE("an exception of the callback comes out when the key has resolved the doubt before",
          "[faults][session]") {
    workload_database const db;
    ledger book{db.dsn()};
    ledger gate{db.dsn()};
    book.value(slow_commit);
    gate.value("select pg_advisory_lock(4711)");
    once::database target{db.dsn()};
    auto call = std::async(std::launch::async, [&] {
        return once::execute(target, workload_request("key"), [&](once::transaction& tx) {
            if (tx.attempt() > 1) {
                throw std::out_of_range{"second thoughts"};
            }
            tx.exec(insert_effect, pqxx::params{"key"});
        });
    });
    REQUIRE(wait_until([&] { return !book.value(commit_waits).empty(); }));
    book.value("select pg_terminate_backend(" + book.value(commit_waits) + ")");
    CHECK_THROWS_AS(call.get(), std::out_of_range);
    CHECK(book.entry("key").effects == 0);
}

TEST_CASE("a COMMIT that is cancelled has not taken effect and leaves the key free", "[faults][session]") {
    for (auto const how : {form::callback, form::statements}) {
        workload_database const db;
        CHECK_THROWS_AS(commit_disturbed(db, how, "pg_cancel_backend"), pqxx::sql_error);
        ledger book{db.dsn()};
        CHECK(book.entry("key").effects == 0);
        once::database target{db.dsn()};
        CHECK(run_workload(target, how, "key", {}).done());
        CHECK(book.entry("key").effects == 1);
    }
}

TEST_CASE("a callback whose statement is cancelled takes no effect and leaves the key free",
          "[faults][session]") {
    workload_database const db;
    ledger book{db.dsn()};
    book.open_account("key");
    once::database target{db.dsn()};
    std::string state;
    try {
        static_cast<void>(once::execute(target, workload_request("key"), [&](once::transaction& tx) {
            tx.exec(insert_effect, pqxx::params{"key"});
            auto const pid = std::to_string(tx.conn().backendpid());
            [[maybe_unused]] auto const cancelling = std::async(std::launch::async, [&] {
                auto const asleep =
                    "select 1 from pg_stat_activity where wait_event = 'PgSleep' and pid = " + pid;
                ledger other{db.dsn()};
                if (wait_until([&] { return other.value(asleep) == "1"; })) {
                    other.value("select pg_cancel_backend(" + pid + ")");
                }
            });
            tx.exec("select pg_sleep(60)");
        }));
    } catch (pqxx::sql_error const& e) {
        state = e.sqlstate();
    }
    CHECK(state == "57014");
    CHECK(book.entry("key").effects == 0);
    CHECK(run_workload(target, form::callback, "key", {}).done());
    CHECK(book.entry("key").effects == 1);
}
