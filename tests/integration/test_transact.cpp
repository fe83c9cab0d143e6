// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>

#include "support/effects.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>
#include <pqxx/except>
#include <pqxx/result>
#include <pqxx/row>

#include <chrono>
#include <string>
#include <vector>

using namespace once::testing;

TEST_CASE("transact commits once and carries no response", "[transact]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto const reply = once::transact(db, [](once::transaction& tx) {
        add_effect(tx);
        return 42;
    });
    CHECK(reply.done());
    CHECK(reply.committed());
    CHECK_FALSE(reply.has_response());
    CHECK(reply.attempts() == 1);
    CHECK(server.effects() == 1);
    CHECK(server.records() == 0);
}

TEST_CASE("transact rolls back what throws", "[transact]") {
    effects_database const server;
    once::database db{server.dsn()};
    CHECK_THROWS_AS(once::transact(db,
                                   [](once::transaction& tx) {
                                       add_effect(tx);
                                       throw 42;
                                   }),
                    int);
    CHECK(server.effects() == 0);
}

TEST_CASE("transact runs again after a conflict", "[transact]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto const reply = once::transact(db, [](once::transaction& tx) {
        add_effect(tx);
        if (tx.attempt() < 3) {
            tx.exec("do $$ begin raise sqlstate '40001'; end $$");
        }
    });
    CHECK(reply.attempts() == 3);
    CHECK(server.effects() == 1);
}

TEST_CASE("without a key a lost answer to COMMIT is unknown, and nothing runs again", "[transact]") {
    effects_database const server;
    wire_proxy proxy{server.upstream()};
    once::database db{server.through(proxy)};
    auto const lost = proxy.add(at_tag("COMMIT", act::cut()));
    int runs = 0;
    auto const reply = once::transact(db, [&](once::transaction& tx) {
        ++runs;
        add_effect(tx);
    });
    CHECK(lost.fired() == 1);
    CHECK(reply.unknown());
    CHECK_FALSE(reply.committed());
    CHECK(reply.was_in_doubt());
    CHECK(runs == 1);
    CHECK(server.effects() == 1);
    CHECK(once::transact(db, [&](once::transaction& tx) { add_effect(tx); }).done());
}

TEST_CASE("with a key a lost answer to COMMIT is found out", "[transact]") {
    effects_database const server;
    wire_proxy proxy{server.upstream()};
    once::database db{server.through(proxy)};
    auto const lost = proxy.add(at_tag("COMMIT", act::cut()));
    auto const reply = once::execute(db, request_of("k"), [&](once::transaction& tx) {
        add_effect(tx);
        return 42;
    });
    CHECK(lost.fired() == 1);
    CHECK(reply.replayed());
    CHECK(reply.was_in_doubt());
    CHECK(reply.as<int>() == 42);
    CHECK(server.effects() == 1);
}

TEST_CASE("statements for the end run before COMMIT, in the order in which they were added", "[at_commit]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto const write = [](once::transaction& tx) {
        tx.at_commit(effect_statement("second"));
        tx.at_commit({"insert into effect (what) values ($1)", once::parameters{"third"}});
        add_effect(tx, "first");
        tx.at_commit({"select what from effect", {}});
    };
    CHECK(once::execute(db, request_of("k"), write).done());
    CHECK(server.ask("select string_agg(what, ' ' order by id) from effect") == "first second third");
    CHECK(once::execute(db, request_of("k"), write).replayed());
    CHECK(server.effects() == 3);
    CHECK(once::transact(db, write).done());
    CHECK(server.effects() == 6);
}

TEST_CASE("a statement for the end that fails rolls everything back", "[at_commit]") {
    effects_database const server;
    once::database db{server.dsn()};
    for (std::string const sql :
         {"select 1/0", "this is not sql", "insert into effect (what) values (null)"}) {
        auto const write = [&](once::transaction& tx) {
            add_effect(tx);
            tx.at_commit(effect_statement());
            tx.at_commit({sql, {}});
            tx.at_commit(effect_statement());
        };
        CHECK_THROWS_AS(once::execute(db, request_of("k"), write), pqxx::sql_error);
        CHECK_THROWS_AS(once::transact(db, write), pqxx::sql_error);
        CHECK(server.effects() == 0);
        CHECK(server.records() == 0);
    }
    CHECK(once::execute(db, request_of("k"), [](once::transaction& tx) { add_effect(tx); }).done());
}

TEST_CASE("a deferred constraint that fails at COMMIT rolls everything back", "[at_commit]") {
    effects_database const server;
    server.run("create table late (id int unique deferrable initially deferred)");
    once::database db{server.dsn()};
    auto const write = [](once::transaction& tx) {
        add_effect(tx);
        tx.exec("insert into late values (1), (1)");
    };
    CHECK_THROWS_AS(once::execute(db, request_of("k"), write), pqxx::unique_violation);
    CHECK_THROWS_AS(
        once::execute(db, request_of("k"), {{"insert into late values (1), (1)", {}}, effect_statement()}),
        pqxx::unique_violation);
    CHECK(server.effects() == 0);
    CHECK(server.records() == 0);
}

TEST_CASE("a statement for the end of a run that is run again is sent once", "[at_commit]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto const reply = once::execute(db, request_of("k"), [](once::transaction& tx) {
        tx.at_commit(effect_statement());
        if (tx.attempt() == 1) {
            tx.exec("do $$ begin raise sqlstate '40001'; end $$");
        }
    });
    CHECK(reply.attempts() == 2);
    CHECK(server.effects() == 1);
}
