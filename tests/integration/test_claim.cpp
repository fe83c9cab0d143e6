// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/claim.hpp>
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>

#include "support/effects.hpp"
#include "support/refusal.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/nontransaction>
#include <pqxx/result>
#include <pqxx/row>
#include <pqxx/subtransaction>
#include <pqxx/transaction>

#include <array>
#include <optional>
#include <string>
#include <tuple>
#include <variant>

using namespace once::testing;
using namespace std::chrono_literals;
using once::claim_options;
using once::response;

namespace {

/// Claims, writes and completes; does not commit.
void do_once(pqxx::dbtransaction& tx, std::string const& key, response const& made) {
    auto const result = once::claim(tx, request_of(key));
    REQUIRE(std::holds_alternative<once::started>(result));
    add_effect(tx);
    once::complete(tx, std::get<once::started>(result), made);
}

template <class Transaction>
void claim_and_repeat(effects_database const& server, std::string const& key) {
    INFO(key);
    response const made{
        .status = 201, .headers = {{"B", "2"}, {"B", "1"}}, .body = once::body::text("answer")};
    pqxx::connection connection{server.dsn()};
    {
        Transaction tx{connection};
        do_once(tx, key, made);
        tx.commit();
    }
    Transaction tx{connection};
    auto const repeat = once::claim(tx, request_of(key));
    REQUIRE(std::holds_alternative<once::replayed>(repeat));
    CHECK(std::get<once::replayed>(repeat).response == made);
}

} // namespace

TEST_CASE("a claim on the caller's transaction takes effect when the caller commits", "[claim]") {
    effects_database const server;
    claim_and_repeat<pqxx::work>(server, "read committed");
    claim_and_repeat<pqxx::transaction<pqxx::isolation_level::repeatable_read>>(server, "repeatable read");
    claim_and_repeat<pqxx::transaction<pqxx::isolation_level::serializable>>(server, "serializable");
    CHECK(server.effects() == 3);
    once::database db{server.dsn()};
    CHECK(once::execute(db, request_of("serializable"), [](once::transaction&) {}).replayed());
}

TEST_CASE("a claim never commits by itself", "[claim]") {
    effects_database const server;
    pqxx::connection connection{server.dsn()};
    {
        pqxx::work tx{connection};
        do_once(tx, "k", {});
        CHECK(server.records() == 0);
    }
    CHECK(server.records() == 0);
    CHECK(server.effects() == 0);
    pqxx::work tx{connection};
    CHECK(std::holds_alternative<once::started>(once::claim(tx, request_of("k"))));
}

TEST_CASE("a claim inside a subtransaction goes with it", "[claim]") {
    effects_database const server;
    pqxx::connection connection{server.dsn()};
    pqxx::work tx{connection};
    {
        pqxx::subtransaction inner{tx};
        do_once(inner, "gone", {});
        inner.abort();
    }
    {
        pqxx::subtransaction inner{tx};
        do_once(inner, "kept", {});
        inner.commit();
    }
    auto const free = once::claim(tx, request_of("gone"));
    REQUIRE(std::holds_alternative<once::started>(free));
    CHECK(std::holds_alternative<once::replayed>(once::claim(tx, request_of("kept"))));
    once::complete(tx, std::get<once::started>(free), std::nullopt);
    tx.commit();
    CHECK(
        server.ask("select string_agg(key || ' ' || coalesce(status::text, 'none'), ', ' order by key) from "
                   "once.idempotency_record_readable") == "gone none, kept 200");
}

TEST_CASE("a held key is a value, and the transaction that asked goes on", "[claim]") {
    effects_database const server;
    pqxx::connection first{server.dsn()};
    pqxx::work holder{first};
    do_once(holder, "k", {});

    pqxx::connection second{server.dsn()};
    pqxx::work tx{second};
    add_effect(tx, "before");
    for (auto const wait : {0ms, 50ms}) {
        CHECK(std::holds_alternative<once::in_progress>(once::claim(tx, request_of("k"), {.wait = wait})));
    }
    add_effect(tx, "after");
    tx.commit();
    CHECK(server.effects() == 2);
}

TEST_CASE(
    "a COMMIT without completing what was claimed is refused, on any transaction, and nothing took effect",
    "[claim]") {
    effects_database const server;
    pqxx::connection connection{server.dsn()};
    CHECK(sqlstate_of([&] {
              pqxx::work tx{connection};
              add_effect(tx);
              std::ignore = once::claim(tx, request_of("k"));
              tx.commit();
          }) == "ON005");
    once::database db{server.dsn()};
    CHECK(sqlstate_of([&] {
              std::ignore = once::transact(db, [](once::transaction& tx) {
                  add_effect(tx);
                  std::ignore = once::claim(tx, request_of("k"));
              });
          }) == "ON005");
    CHECK(server.effects() == 0);
    CHECK(server.records() == 0);
    // What went with a savepoint, and what another transaction holds, needs no completing. Neither does what is
    // completed.
    pqxx::work tx{connection};
    {
        pqxx::subtransaction inner{tx};
        std::ignore = once::claim(inner, request_of("gone"));
        inner.abort();
    }
    do_once(tx, "k", {});
    tx.commit();
    CHECK(server.records() == 1);
}

TEST_CASE("the refusal of a COMMIT names the scope, and neither the key nor a token", "[claim]") {
    effects_database const server;
    pqxx::connection connection{server.dsn()};
    try {
        pqxx::work tx{connection};
        std::ignore = once::claim(tx, request_of("the-key"));
        tx.commit();
        FAIL("committed");
    } catch (pqxx::sql_error const& refused) {
        std::string const text = refused.what();
        CHECK(text.find("\"test\"") != std::string::npos);
        CHECK(text.find("complete()") != std::string::npos);
        CHECK(text.find("the-key") == std::string::npos);
    }
}

TEST_CASE("a key that SQL has claimed and committed without completing is in progress", "[claim]") {
    effects_database const server;
    server.run("select once.claim('test', 'k')");
    pqxx::connection connection{server.dsn()};
    pqxx::work tx{connection};
    CHECK(std::holds_alternative<once::in_progress>(once::claim(tx, request_of("k"))));
}

TEST_CASE("another fingerprint is refused and shown nothing", "[claim]") {
    effects_database const server;
    pqxx::connection connection{server.dsn()};
    pqxx::work tx{connection};
    auto asked = request_of("k");
    asked.fingerprint = once::fingerprint{"one"};
    once::complete(tx, std::get<once::started>(once::claim(tx, asked)), response{.status = 200});
    CHECK(std::holds_alternative<once::replayed>(once::claim(tx, asked)));
    asked.fingerprint = once::fingerprint{"two"};
    CHECK(std::holds_alternative<once::key_reused>(once::claim(tx, asked)));
}

TEST_CASE("completing without a response keeps the key only", "[claim]") {
    effects_database const server;
    pqxx::connection connection{server.dsn()};
    pqxx::work tx{connection};
    once::complete(tx, std::get<once::started>(once::claim(tx, request_of("k"))), std::nullopt);
    auto const repeat = once::claim(tx, request_of("k"));
    REQUIRE(std::holds_alternative<once::replayed>(repeat));
    CHECK_FALSE(std::get<once::replayed>(repeat).response.has_value());
}

TEST_CASE("completing what is not claimed is ON002", "[claim]") {
    effects_database const server;
    pqxx::connection connection{server.dsn()};
    {
        pqxx::work tx{connection};
        CHECK(sqlstate_of([&] { once::complete(tx, {"test", "never"}, response{}); }) == "ON002");
    }
    pqxx::work tx{connection};
    do_once(tx, "k", {});
    CHECK(sqlstate_of([&] { once::complete(tx, {"test", "k"}, response{}); }) == "ON002");
}

TEST_CASE("a lost race under a snapshot is 40001 and not a second start", "[claim]") {
    effects_database const server;
    pqxx::connection first{server.dsn()};
    pqxx::connection second{server.dsn()};
    pqxx::transaction<pqxx::isolation_level::repeatable_read> late{first};
    late.exec("select 1");
    {
        pqxx::work winner{second};
        do_once(winner, "k", {});
        winner.commit();
    }
    CHECK(sqlstate_of([&] { std::ignore = once::claim(late, request_of("k")); }) == "40001");
}

TEST_CASE("a failed transaction stays failed: 25P02 passes through", "[claim]") {
    effects_database const server;
    pqxx::connection connection{server.dsn()};
    {
        pqxx::work tx{connection};
        CHECK(sqlstate_of([&] { tx.exec("select 1/0"); }) == "22012");
        CHECK(sqlstate_of([&] { std::ignore = once::claim(tx, request_of("k")); }) == "25P02");
    }
    // Completing last is the check that COMMIT is not answered ROLLBACK behind a swallowed error.
    pqxx::work tx{connection};
    auto const mine = std::get<once::started>(once::claim(tx, request_of("k")));
    CHECK(sqlstate_of([&] { tx.exec("select 1/0"); }) == "22012");
    CHECK(sqlstate_of([&] { once::complete(tx, mine, response{}); }) == "25P02");
}

TEST_CASE("a read-only transaction cannot claim: 25006", "[claim]") {
    effects_database const server;
    pqxx::connection connection{server.dsn()};
    pqxx::read_transaction tx{connection};
    CHECK(sqlstate_of([&] { std::ignore = once::claim(tx, request_of("k")); }) == "25006");
}

TEST_CASE("the caller's lock_timeout is as before, whatever the claim came to", "[claim]") {
    effects_database const server;
    pqxx::connection first{server.dsn()};
    pqxx::work holder{first};
    do_once(holder, "held", {});
    pqxx::connection second{server.dsn()};
    for (std::string const configured : {"7s", "0", "1234ms"}) {
        pqxx::work tx{second};
        tx.exec("set local lock_timeout = '" + configured + "'");
        auto const shown = [&] { return tx.exec("show lock_timeout")[0][0].as<std::string>(); };
        auto const before = shown();
        CHECK(std::holds_alternative<once::started>(once::claim(tx, request_of("free"))));
        CHECK(shown() == before);
        CHECK(std::holds_alternative<once::in_progress>(once::claim(tx, request_of("free"))));
        CHECK(shown() == before);
        CHECK(std::holds_alternative<once::in_progress>(once::claim(tx, request_of("held"), {.wait = 1ms})));
        CHECK(shown() == before);
    }
}

TEST_CASE("the caller's session settings do not change what a repeat gets", "[claim]") {
    effects_database const server;
    response const made{
        .status = 200,
        .headers = {{"H", "caf\xc3\xa9"}},
        .body = once::body::bytes(std::string{"\0\x01\xff\\x41\\000", 11}, "application/octet-stream")};
    response const json{.status = 200, .body = once::body::json_text("\"caf\xc3\xa9\"")};
    int key = 0;
    for (std::string const setting :
         {"bytea_output = 'escape'", "datestyle = 'SQL, DMY'", "timezone = 'Asia/Kathmandu'",
          "intervalstyle = 'sql_standard'", "extra_float_digits = -15", "standard_conforming_strings = off",
          "search_path = ''", "lc_messages = 'C'", "array_nulls = off"}) {
        INFO(setting);
        pqxx::connection connection{server.dsn()};
        pqxx::work tx{connection};
        tx.exec("set local " + setting);
        for (auto const& one : {made, json}) {
            auto const request = request_of(std::to_string(++key));
            once::complete(tx, std::get<once::started>(once::claim(tx, request)), one);
            CHECK(std::get<once::replayed>(once::claim(tx, request)).response == one);
        }
    }
}

TEST_CASE("a borrowed connection that does not speak UTF-8 is refused instead of changing bytes", "[claim]") {
    effects_database const server;
    pqxx::connection connection{server.dsn()};
    connection.set_client_encoding("LATIN1");
    pqxx::work tx{connection};
    CHECK_THROWS_AS(once::claim(tx, request_of("k")), once::configuration_error);
    CHECK_THROWS_AS(once::complete(tx, {"test", "k"}, response{}), once::configuration_error);
    CHECK(tx.exec("select 1")[0][0].as<int>() == 1);
}

TEST_CASE("the options of a claim are checked before anything is sent", "[claim]") {
    effects_database const server;
    pqxx::connection connection{server.dsn()};
    pqxx::work tx{connection};
    for (auto const& bad :
         {claim_options{.wait = -1ms}, claim_options{.wait = 2h}, claim_options{.retention = 999ms},
          claim_options{.retention = std::chrono::milliseconds::max()}}) {
        CHECK_THROWS_AS(once::claim(tx, request_of("k"), bad), once::invalid_argument);
    }
    for (std::string const schema : {"", "on\"ce", "Once", "a.b", "on ce", "once;drop"}) {
        CHECK_THROWS_AS((once::borrowed{tx, schema}), once::invalid_argument);
    }
    CHECK_THROWS_AS(once::complete(tx, {"test", "k"}, response{.status = 42}), once::invalid_argument);
    CHECK(tx.exec("select 1")[0][0].as<int>() == 1);
}
