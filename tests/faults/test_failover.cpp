// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>

#include "faults/ledger.hpp"
#include "faults/server_pair.hpp"
#include "faults/workload.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <pqxx/except>

#include <chrono>
#include <string>

using namespace once::testing;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;

namespace {

constexpr once::call_options quick{.wait = 300ms, .deadline = 700ms, .reply_timeout = 300ms};

once::reply run(once::database& db, std::string const& key,
                once::call_options const& options = {.deadline = 10s}) {
    return run_workload(db, form::callback, key, options);
}

/// Past the library, so that no connection of a once::database is involved.
void await_replay(private_servers const& servers, std::string const& standby, std::string const& key) {
    ledger book{servers.dsn(standby)};
    REQUIRE(wait_until([&] { return !book.entry(key).stored.empty(); }));
}

} // namespace

TEST_CASE("standbys and old primaries are refused, and the new primary goes on", "[faults][failover]") {
    private_servers servers;
    servers.start_primary("one");
    for (auto const* const key : {"first", "second", "third", "fourth", "fifth"}) {
        ledger{servers.dsn("one")}.open_account(key);
    }
    servers.start_standby("two", "one");

    // A standby: the call waits for a failover until its deadline, and then says why.
    servers.point("link", "two");
    once::database db{servers.dsn("link")};
    CHECK_THROWS_MATCHES(run(db, "first", quick), once::deadline_exceeded,
                         MessageMatches(ContainsSubstring("standby")));
    CHECK_THROWS_MATCHES(db.check(), pqxx::broken_connection, MessageMatches(ContainsSubstring("standby")));

    // The same object recovers when the address leads to the primary.
    servers.point("link", "one");
    auto const first = run(db, "first");
    CHECK(first.done());

    // With several hosts, libpq is told to look for the primary.
    auto const both = "host=" + servers.folder("two") + "," + servers.folder("one") +
                      " port=5432,5432 user=postgres dbname=shop";
    once::database several{both};
    CHECK(run(several, "second").done());
    CHECK(run(several, "first").response() == first.response());

    // Failover: the standby is promoted while the old primary still runs.
    await_replay(servers, "two", "second");
    ledger{servers.dsn("two")}.value("select pg_promote(true, 60)");
    servers.point("link", "two");
    once::database fresh{servers.dsn("link")};
    auto const again = run(fresh, "first");
    CHECK(again.replayed());
    CHECK(again.response() == first.response());
    CHECK(run(fresh, "third").done());

    // `db` holds a connection to the old primary; once that is gone, it finds the new one and knows timeline 2.
    ledger{servers.dsn("one")}.value("select count(pg_terminate_backend(pid)) from pg_stat_activity "
                                     "where backend_type = 'client backend' and pid <> pg_backend_pid()");
    CHECK(run(db, "third").replayed());

    // From then on the old primary is refused, whatever the address says.
    servers.point("link", "one");
    ledger{servers.dsn("two")}.value("select count(pg_terminate_backend(pid)) from pg_stat_activity "
                                     "where backend_type = 'client backend' and pid <> pg_backend_pid()");
    CHECK_THROWS_MATCHES(run(db, "fourth", quick), once::deadline_exceeded,
                         MessageMatches(ContainsSubstring("timeline")));
    CHECK(ledger{servers.dsn("one")}.entry("fourth").effects == 0);

    // Who has not seen timeline 2 cannot know better: this is what the check above protects from.
    once::database innocent{servers.dsn("link")};
    CHECK(run(innocent, "fifth").done());

    servers.point("link", "two");
    CHECK(run(db, "fourth").done());
    CHECK(ledger{servers.dsn("two")}.entry("fourth").effects == 1);
}

TEST_CASE("a server of another cluster at the same address is refused at once", "[faults][failover]") {
    private_servers servers;
    servers.start_primary("one");
    servers.start_primary("two");
    ledger{servers.dsn("one")}.open_account("key");
    servers.point("link", "one");
    once::database db{servers.dsn("link")};
    CHECK(run(db, "key").done());
    servers.point("link", "two");
    ledger{servers.dsn("one")}.value("select count(pg_terminate_backend(pid)) from pg_stat_activity "
                                     "where backend_type = 'client backend' and pid <> pg_backend_pid()");
    CHECK_THROWS_AS(run(db, "other"), once::configuration_error);
}
