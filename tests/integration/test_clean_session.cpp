// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>
#include <once/token.hpp>

#include "support/effects.hpp"
#include "support/login_role.hpp"
#include "support/refusal.hpp"
#include "support/wire_proxy.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <pqxx/except>
#include <pqxx/params>
#include <pqxx/transaction>

#include <string>
#include <vector>

using namespace once::testing;

namespace {

/// A service, and a role of a tenant that it may become and that may write `effect`, but no function of the library.
struct tenants {
    effects_database server;
    login_role service{server, "service"};
    login_role tenant{server, "tenant"};
    std::vector<std::string> log;

    tenants() {
        service.grant_use();
        server.run("grant " + tenant.name() + " to " + service.name() + "; grant all on effect to " +
                   tenant.name() + ", " + service.name() +
                   "; grant usage on all sequences in schema public to " + tenant.name() + ", " +
                   service.name());
    }

    [[nodiscard]] once::database connect() {
        return once::database{service.dsn(), {.max_connections = 1, .log = [this](std::string_view line) {
                                                  log.emplace_back(line);
                                              }}};
    }
};

std::string state_of_session(once::database& db) {
    std::string found;
    std::ignore = once::transact(db, [&](once::transaction& tx) {
        found = tx.query_value<std::string>(
            "select concat_ws(' ', current_user = session_user, current_setting('client_encoding'), "
            "current_setting('search_path') like '%public%', current_setting('statement_timeout'), "
            "current_setting('lock_timeout'), coalesce(current_setting('app.tenant', true), ''), "
            "current_setting('datestyle'), current_setting('extra_float_digits'), "
            "current_setting('synchronous_commit'), "
            "current_setting('default_transaction_isolation'), '\xC3\xBC')");
    });
    return found;
}

} // namespace

TEST_CASE("what a callback leaves in its session is gone for the next call, at no round trip", "[session]") {
    tenants all;
    auto db = all.connect();
    auto const clean = state_of_session(db);
    wire_proxy proxy{all.server.upstream()};
    once::database counted{all.server.through(proxy), {.max_connections = 1}};
    counted.check();
    std::ignore = once::transact(counted, [](once::transaction&) {});
    for (std::string const leave :
         {"select set_config('app.tenant', 'alice', false)", "set client_encoding = 'LATIN1'",
          "set search_path = pg_catalog", "set statement_timeout = '7s'", "set lock_timeout = '3s'",
          "set datestyle = 'German'", "set extra_float_digits = 0",
          "set default_transaction_isolation = 'serializable'", "set synchronous_commit = off", "ROLE"}) {
        CAPTURE(leave);
        auto const act = [&](once::transaction& tx) {
            tx.exec(leave == "ROLE" ? "set role " + all.tenant.name() : leave);
        };
        CHECK(once::execute(db, request_of(leave), act).done());
        CHECK(state_of_session(db) == clean);
        CHECK(once::transact(counted, act).done());
        proxy.reset_counters();
        std::ignore = once::transact(counted, [](once::transaction& tx) { add_effect(tx); });
        CHECK(proxy.round_trips() == 3);
    }
    // The statements of the library are as prepared as before.
    CHECK(proxy.connections() == 1);
    // Statements outside of a call meet a clean session, too.
    std::ignore = once::transact(
        db, [](once::transaction& tx) { tx.exec("set statement_timeout = '1ms'; set lock_timeout = 1"); });
    CHECK_FALSE(once::issue_token(db, {.principal = "alice", .purpose = "order"}).empty());
}

TEST_CASE("a role that a function left in its session does not carry out the next call", "[session]") {
    tenants all;
    all.server.run("alter table effect add who text default current_user");
    bool const may_call = GENERATE(false, true);
    CAPTURE(may_call);
    if (may_call) { // else the head of the next call is refused before it can look at its role
        all.server.run("grant once_producer to " + all.tenant.name());
    }
    auto db = all.connect();
    auto const leave = [&] {
        std::ignore = once::transact(db, [&](once::transaction& tx) {
            tx.exec("select set_config('role', '" + all.tenant.name() + "', false)");
        });
    };
    int keys = 0;
    auto const next = [&] { return request_of(std::to_string(++keys)); };
    // Four sessions: each learns of it once.
    leave();
    std::ignore = once::transact(db, [](once::transaction& tx) { add_effect(tx); });
    db = all.connect();
    leave();
    CHECK(once::execute(db, next(), [](once::transaction& tx) { add_effect(tx); }).done());
    db = all.connect();
    leave();
    CHECK(once::execute(db, next(), {effect_statement()}).done());
    CHECK(once::execute(db, next(), {effect_statement()}).done());
    db = all.connect();
    leave();
    CHECK_FALSE(once::issue_token(db, {.principal = "alice", .purpose = "order"}).empty());
    CHECK(all.server.effects() == 4);
    CHECK(all.server.ask("select string_agg(distinct who, ',') from effect") == all.service.name());
}

TEST_CASE("a session whose transactions begin at another level, or read only, is told the level of each",
          "[session]") {
    effects_database const server;
    bool const by_callback = GENERATE(false, true);
    std::string const changed =
        GENERATE("default_transaction_isolation = 'serializable'",
                 "default_transaction_isolation = 'repeatable read'", "default_transaction_read_only = on");
    CAPTURE(by_callback, changed);
    if (!by_callback) {
        server.run("alter role current_user in database " + server.name() + " set " + changed);
    }
    once::database db{server.dsn(), {.max_connections = 1}};
    if (by_callback) {
        auto const equals = changed.find(" = ");
        auto const value = changed.substr(equals + 3);
        std::ignore = once::transact(db, [&](once::transaction& tx) {
            tx.exec("select set_config('" + changed.substr(0, equals) + "', " +
                    (value.front() == '\'' ? value : "'" + value + "'") + ", false)");
        });
    }
    std::string level;
    auto const look = [&](once::transaction& tx) {
        add_effect(tx);
        level = tx.query_value<std::string>("select current_setting('transaction_isolation')");
    };
    CHECK(once::execute(db, request_of("a"), look).done());
    CHECK(level == "read committed");
    CHECK(once::transact(db, look).done());
    CHECK(level == "read committed");
    CHECK(once::execute(db, request_of("b"), {effect_statement()}).done());
    CHECK(
        once::execute(db, request_of("c"), look, {.isolation_level = once::isolation::serializable}).done());
    CHECK(level == "serializable");
    CHECK(server.effects() == 4);
}

TEST_CASE("a call that fails leaves nothing in its session either", "[session]") {
    tenants all;
    auto db = all.connect();
    auto const clean = state_of_session(db);
    CHECK_THROWS_AS(once::transact(db,
                                   [](once::transaction& tx) {
                                       tx.exec("select set_config('app.tenant', 'alice', false)");
                                       throw once::error{"no"};
                                   }),
                    once::error);
    CHECK(state_of_session(db) == clean);
    CHECK(once::execute(db, request_of("k"),
                        {once::statement{"select set_config('app.tenant', 'alice', false) as tenant"}})
              .done());
    CHECK(state_of_session(db) == clean);
}

TEST_CASE("a callback may change its role, and statements at the end keep it", "[session]") {
    tenants all;
    all.server.run("alter table effect add who text default current_user");
    auto db = all.connect();
    int runs = 0;
    auto const work = [&](once::transaction& tx) {
        ++runs;
        tx.exec("set local role " + all.tenant.name());
        add_effect(tx);
        tx.at_commit(effect_statement("first"));
        tx.publish({.topic = "done", .key = "k", .payload = 1});
        tx.at_commit(effect_statement("second"));
        return once::response{.status = 201};
    };
    CHECK(once::execute(db, request_of("a"), work).response().status == 201);
    CHECK(runs == 2); // the first time in the life of `db`
    CHECK(once::execute(db, request_of("b"), work).response().status == 201);
    CHECK(runs == 3);
    CHECK(once::execute(db, request_of("b"), work).replayed());
    CHECK(all.server.ask("select string_agg(distinct who, ',') from effect") == all.tenant.name());
    CHECK(all.server.effects() == 6);
    CHECK(all.server.ask("select count(*) from once.outbox") == "2");
    CHECK(all.server.ask("select string_agg(distinct service, ',') from once.idempotency_record") ==
          all.service.name());
}

TEST_CASE("a service without the right to complete is told what to grant", "[session]") {
    tenants all;
    all.server.run("revoke once_producer from " + all.service.name() + "; grant usage on schema once to " +
                   all.service.name() + "; grant execute on all functions in schema once to " +
                   all.service.name());
    auto db = all.connect();
    db.check(); // which would see what is missing
    all.server.run(
        "revoke execute on function once.finish_request(text, text, bytea, integer, json, text, json, bytea, "
        "interval, interval, timestamptz) from " +
        all.service.name());
    try {
        std::ignore = once::execute(db, request_of("a"), [](once::transaction& tx) { add_effect(tx); });
        FAIL("completed");
    } catch (pqxx::sql_error const& refused) {
        CHECK(std::string{refused.sqlstate()} == "42501");
        CHECK(std::string{refused.what()}.find("once_producer") != std::string::npos);
    }
    CHECK(all.server.effects() == 0);
}

TEST_CASE("what a callback does to its session does not change the answer that is stored", "[session]") {
    effects_database const server;
    once::database db{server.dsn(), {.max_connections = 1}};
    std::string const umlaut = "{\"name\":\"\xC3\xBC\"}";
    for (std::string const change :
         {"set local client_encoding = 'LATIN1'", "set client_encoding = 'LATIN1'",
          "set local search_path = pg_catalog", "deallocate all", "set constraints all deferred", "listen x",
          "set local lock_timeout = 1", "set datestyle = 'German'"}) {
        CAPTURE(change);
        auto const work = [&](once::transaction& tx) -> once::response {
            add_effect(tx);
            tx.exec(change);
            return {.status = 201, .body = once::body::json_text(umlaut)};
        };
        CHECK(once::execute(db, request_of(change), work).response().body.data() == umlaut);
        auto const again = once::execute(db, request_of(change), work);
        CHECK(again.replayed());
        CHECK(again.response().body.data() == umlaut);
    }
    CHECK(server.effects() == 8);
}

TEST_CASE("a callback that changes session_authorization is refused", "[session]") {
    effects_database const server;
    login_role const other{server, "other"};
    once::database db{server.dsn(), {.max_connections = 1}};
    auto const become = [&](once::transaction& tx) {
        add_effect(tx);
        tx.exec("set session authorization " + other.name());
    };
    CHECK_THROWS_AS(once::execute(db, request_of("a"), become), once::misuse);
    CHECK(server.effects() == 0);
    CHECK(once::execute(db, request_of("b"), [](once::transaction& tx) { add_effect(tx); }).done());
}
