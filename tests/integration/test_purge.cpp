// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/database.hpp>
#include <once/execute.hpp>

#include "support/effects.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/result>
#include <pqxx/row>
#include <pqxx/transaction>

#include <string>
#include <tuple>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

/// Records 1 to `count`; number n expired n minutes ago, or expires n minutes from now.
void fill(effects_database const& server, int count, bool expired) {
    server.run(
        "insert into once.idempotency_record (service, scope, key, claimed_by, claimed_at, expires_at) "
        "select 'somebody', '" +
        std::string{expired ? "old" : "new"} + "', n::text, 'test', now() - interval '1 day', now() " +
        (expired ? "-" : "+") + " n * interval '1 minute' from generate_series(1, " + std::to_string(count) +
        ") as n");
}

std::string keys(effects_database const& server) {
    return server.ask(
        "select string_agg(scope || key, ' ' order by scope, key::int) from once.idempotency_record");
}

} // namespace

TEST_CASE("purge removes the oldest first, at most its limit, and says how many", "[purge]") {
    effects_database const server;
    fill(server, 5, true);
    CHECK(server.ask("select once.purge(2)") == "2");
    CHECK(keys(server) == "old1 old2 old3");
    CHECK(server.ask("select once.purge(2)") == "2");
    CHECK(keys(server) == "old1");
    CHECK(server.ask("select once.purge(2)") == "1");
    CHECK(server.ask("select once.purge(2)") == "0");
    CHECK(server.records() == 0);
}

TEST_CASE("purge never removes what has not expired", "[purge]") {
    effects_database const server;
    fill(server, 3, false);
    fill(server, 3, true);
    CHECK(server.ask("select once.purge(100000)") == "3");
    CHECK(keys(server) == "new1 new2 new3");
    CHECK(server.ask("select once.purge()") == "0");
    CHECK(keys(server) == "new1 new2 new3");
}

TEST_CASE("purge skips what is locked instead of waiting", "[purge]") {
    effects_database const server;
    fill(server, 3, true);
    pqxx::connection connection{server.dsn()};
    pqxx::work tx{connection};
    tx.exec("select from once.idempotency_record where key = '3' for update");
    CHECK(server.ask("set statement_timeout = '10s'; select once.purge()") == "2");
    CHECK(keys(server) == "old3");
}

TEST_CASE("purge refuses a limit that is none", "[purge]") {
    effects_database const server;
    for (std::string const limit : {"0", "-1", "100001", "null"}) {
        CHECK_THROWS_AS(server.ask("select once.purge(" + limit + ")"), pqxx::sql_error);
    }
}

TEST_CASE("while a purge is open other keys are claimed without waiting, and a purged key after it",
          "[purge]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto const write = [](once::transaction& tx) { add_effect(tx); };
    std::ignore = once::execute(db, request_of("expired"), write);
    std::ignore = once::execute(db, request_of("kept"), write);
    server.run("update once.idempotency_record set claimed_at = claimed_at - interval '2 days', "
               "expires_at = expires_at - interval '2 days' where key = 'expired'");

    pqxx::connection connection{server.dsn()};
    pqxx::work purge{connection};
    CHECK(purge.exec("select once.purge()")[0][0].as<int>() == 1);
    once::call_options const at_once{.wait = 0ms};
    CHECK(once::execute(db, request_of("new"), write, at_once).done());
    CHECK(once::execute(db, request_of("kept"), write, at_once).replayed());
    CHECK(once::execute(db, request_of("expired"), write, at_once).in_progress());
    purge.commit();
    CHECK(once::execute(db, request_of("expired"), write, at_once).done());
    CHECK(server.effects() == 4);
}
