// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/repository.hpp>

#include "support/refusal.hpp"
#include "support/shop.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/subtransaction>
#include <pqxx/transaction>

#include <string>
#include <variant>

using once::testing::counter;
using once::testing::shop_database;

namespace {

/// Runs `sql` in a savepoint. @return its SQLSTATE, or nothing when it went well
std::string state_of(pqxx::work& tx, std::string const& sql) {
    return once::testing::sqlstate_of([&] {
        pqxx::subtransaction inner{tx};
        inner.exec(sql);
        inner.commit();
        return "";
    });
}

} // namespace

TEST_CASE("an enforced version refuses every update that does not add 1", "[repository][enforce_version]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    pqxx::work tx{connection};
    tx.exec("insert into shop.counters values ('a', 0, 1)");
    CHECK(state_of(tx, "update shop.counters set value = 1") == "");
    tx.exec("select once.enforce_version('shop.counters')");
    CHECK(state_of(tx, "update shop.counters set value = 2") == "ON004");
    CHECK(state_of(tx, "update shop.counters set value = 2, version = version") == "ON004");
    CHECK(state_of(tx, "update shop.counters set value = 2, version = version + 2") == "ON004");
    CHECK(state_of(tx, "update shop.counters set value = 2, version = version - 1") == "ON004");
    CHECK(state_of(tx, "insert into shop.counters values ('a', 9, 1) "
                       "on conflict (name) do update set value = excluded.value") == "ON004");
    CHECK(state_of(tx, "update shop.counters set value = 3, version = version + 1") == "");
    CHECK(state_of(tx, "insert into shop.counters values ('b', 0, 17)") == "");
    CHECK(tx.query_value<int>("select value from shop.counters where name = 'a'") == 3);
}

TEST_CASE("the refusal says which table and column, and what to do", "[repository][enforce_version]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    pqxx::work tx{connection};
    tx.exec("insert into shop.counters values ('a', 0, 1); select once.enforce_version('shop.counters')");
    try {
        tx.exec("update shop.counters set value = 2");
        FAIL("not refused");
    } catch (pqxx::sql_error const& refused) {
        std::string const text = refused.what();
        CHECK(text.find("shop.counters") != std::string::npos);
        CHECK(text.find("version = version + 1") != std::string::npos);
    }
}

TEST_CASE("the repository works on a table with an enforced version", "[repository][enforce_version]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<counter> const counters{"shop.counters"};
    pqxx::work tx{connection};
    tx.exec("select once.enforce_version('shop.counters')");
    auto const row = counters.insert(tx, {.name = "a"}).row;
    CHECK(std::holds_alternative<once::updated<counter>>(counters.update(tx, row)));
    CHECK(std::holds_alternative<once::modified<counter>>(
        counters.modify(tx, "a", [](counter& c) { ++c.value; })));
    CHECK(std::holds_alternative<once::erased>(counters.erase(tx, "a", 3)));
}

TEST_CASE("enforce_version can be repeated, and relax_version takes it back",
          "[repository][enforce_version]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    pqxx::work tx{connection};
    tx.exec("insert into shop.counters values ('a', 0, 1)");
    tx.exec("select once.enforce_version('shop.counters')");
    tx.exec("select once.enforce_version('shop.counters')");
    CHECK(tx.query_value<int>("select count(*) from pg_trigger where tgname = 'once_enforce_version'") == 1);
    CHECK(state_of(tx, "update shop.counters set value = 2") == "ON004");
    tx.exec("select once.relax_version('shop.counters')");
    tx.exec("select once.relax_version('shop.counters')");
    CHECK(state_of(tx, "update shop.counters set value = 2") == "");
}

TEST_CASE("enforce_version takes tables and columns of any name", "[repository][enforce_version]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    pqxx::work tx{connection};
    tx.exec(
        R"sql(create schema "Odd Shop"; create table "Odd Shop"."it's ""odd"" %I" (a int, "Ver'sion ""%s" int);
                  insert into "Odd Shop"."it's ""odd"" %I" values (1, 1))sql");
    tx.exec(R"sql(select once.enforce_version('"Odd Shop"."it''s ""odd"" %I"', 'Ver''sion "%s'))sql");
    CHECK(state_of(tx, R"(update "Odd Shop"."it's ""odd"" %I" set a = 2)") == "ON004");
    CHECK(state_of(tx, R"(update "Odd Shop"."it's ""odd"" %I" set "Ver'sion ""%s" = 2)") == "");
}

TEST_CASE("enforce_version refuses a column that cannot be a version", "[repository][enforce_version]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    pqxx::work tx{connection};
    CHECK(state_of(tx, "select once.enforce_version('shop.votes')") == "42703");
    CHECK(state_of(tx, "select once.enforce_version('shop.votes', 'xmin')") == "42703");
    CHECK(state_of(tx, "select once.enforce_version('shop.votes', 'voter')") == "42804");
    CHECK(state_of(tx, "select once.enforce_version('shop.nothing')") == "42P01");
}

TEST_CASE("only who may alter a table may enforce or relax its version", "[repository][enforce_version]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    pqxx::work tx{connection};
    // A role belongs to the whole server: named after this database, and gone with the transaction.
    auto const role = "stranger_" + database.name();
    tx.exec("create role " + role);
    tx.exec("grant usage on schema once, shop to " + role + "; grant select, update on shop.counters to " +
            role);
    auto const try_as_stranger = [&] {
        return state_of(tx, "set local role " + role + "; select once.enforce_version('shop.counters')");
    };
    auto const refused = [&] {
        try_as_stranger();
        return tx.query_value<int>("select count(*) from pg_trigger where tgname = 'once_enforce_version'") ==
               0;
    };
    CHECK(refused());
    tx.exec("grant execute on all functions in schema once to " + role);
    CHECK(refused());
    // Whoever may write the table fires the trigger without any right on its function.
    tx.exec("revoke execute on all functions in schema once from " + role);
    tx.exec("insert into shop.counters values ('a', 0, 1); select once.enforce_version('shop.counters')");
    CHECK(state_of(tx, "set local role " + role + "; update shop.counters set value = 2") == "ON004");
    CHECK(state_of(tx, "set local role " + role +
                           "; update shop.counters set version = version + 1; reset role") == "");
}
