// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/repository.hpp>

#include "support/refusal.hpp"
#include "support/shop.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/subtransaction>
#include <pqxx/transaction>

#include <cstdint>
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
    CHECK(std::holds_alternative<once::erased>(counters.erase(tx, "a", row.version + 2)));
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
        R"sql(create schema "Odd Shop"; create table "Odd Shop"."it's ""odd"" %I" (a int, "Ver'sion ""%s" bigint);
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
    // An integer has no room for versions that never come again.
    CHECK(state_of(tx,
                   "alter table shop.votes add version integer; select once.enforce_version('shop.votes')") ==
          "42804");
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
    // A role that may write the table fires the trigger without any right on its function.
    tx.exec("revoke execute on all functions in schema once from " + role);
    tx.exec("insert into shop.counters values ('a', 0, 1); select once.enforce_version('shop.counters')");
    CHECK(state_of(tx, "set local role " + role + "; update shop.counters set value = 2") == "ON004");
    CHECK(state_of(tx, "set local role " + role +
                           "; update shop.counters set version = version + 1; reset role") == "");
}

namespace {

/// Two parents and a row that points at both.
void create_family(pqxx::work& tx) {
    tx.exec(R"sql(
        create table shop.parent (id int primary key);
        insert into shop.parent values (1), (2), (3);
        create table shop.child (
            id text primary key, p int references shop.parent on delete set null on update cascade,
            q int default 3 references shop.parent on delete set default, note text, version bigint not null,
            made text generated always as (coalesce(p::text, 'none')) stored);
        create function shop.touch() returns trigger language plpgsql as
            'begin new.note := ''touched''; return new; end';
        create trigger a_touch before update on shop.child for each row execute function shop.touch();
        select once.enforce_version('shop.child');
        insert into shop.child values ('a', 1, 2)
    )sql");
}

std::int64_t child_version(pqxx::work& tx) {
    return tx.query_value<std::int64_t>("select version from shop.child");
}

} // namespace

TEST_CASE("the action of a foreign key passes an enforced version, and counts",
          "[repository][enforce_version]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    pqxx::work tx{connection};
    create_family(tx);
    auto const first = child_version(tx);
    CHECK(state_of(tx, "update shop.parent set id = 9 where id = 1") == ""); // on update cascade
    CHECK(child_version(tx) == first + 1);
    CHECK(state_of(tx, "delete from shop.parent where id = 9") == ""); // on delete set null
    CHECK(child_version(tx) == first + 2);
    CHECK(state_of(tx, "delete from shop.parent where id = 2") == ""); // on delete set default
    CHECK(child_version(tx) == first + 3);
    CHECK(tx.query_value<bool>("select p is null and q = 3 and made = 'none' from shop.child"));
    // The default is there already: what the server says is that the parent is still pointed at.
    CHECK(state_of(tx, "delete from shop.parent where id = 3") == "23503");
}

TEST_CASE("no other update passes for the action of a foreign key", "[repository][enforce_version]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    pqxx::work tx{connection};
    create_family(tx);
    CHECK(state_of(tx, "update shop.child set p = null") == "ON004");
    tx.exec("create function shop.nested() returns trigger language plpgsql as "
            "'begin update shop.child set note = ''nested''; return null; end';"
            "create trigger nested after insert on shop.votes for each row execute function shop.nested()");
    CHECK(state_of(tx, "insert into shop.votes (poll, voter, choice) values (1, 'a', 'b')") == "ON004");
}

TEST_CASE("an enforced version holds on partitions and children, also after a partition is detached",
          "[repository][enforce_version]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    pqxx::work tx{connection};
    tx.exec(R"sql(
        create table shop.part (id int primary key, version bigint not null) partition by range (id);
        create table shop.part1 partition of shop.part for values from (0) to (10);
        create table shop.part2 partition of shop.part for values from (10) to (20);
        create table shop.base (id int primary key, version bigint not null);
        create table shop.kid () inherits (shop.base);
        select once.enforce_version('shop.part'), once.enforce_version('shop.base');
        select once.enforce_version('shop.part');
        create table shop.part3 partition of shop.part for values from (20) to (30);
        insert into shop.part values (1, 1), (11, 1), (21, 1);
        insert into shop.kid values (1, 1);
        alter table shop.part detach partition shop.part1
    )sql");
    for (std::string const table : {"part", "part1", "part2", "part3", "base", "kid"}) {
        CAPTURE(table);
        CHECK(state_of(tx, "update shop." + table + " set id = id") == "ON004");
        CHECK(state_of(tx, "update shop." + table + " set version = version + 1") == "");
    }
    CHECK(tx.query_value<bool>(
        "select min(version) > 1000 from (table shop.part union all table shop.base) as v"));
    // Attached again, and everything taken back.
    tx.exec("alter table shop.part attach partition shop.part1 for values from (0) to (10);"
            "select once.relax_version('shop.part'), once.relax_version('shop.base')");
    CHECK(tx.query_value<int>("select count(*) from pg_trigger where tgname like 'once%'") == 0);
}

TEST_CASE("rows of an identity that is always generated keep the first version that they were given",
          "[repository][enforce_version]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    pqxx::work tx{connection};
    tx.exec("select once.enforce_version('shop.orders');"
            "insert into shop.orders (number, customer) values ('A-1', 'alice')");
    CHECK(tx.query_value<int>("select version from shop.orders") == 1);
}
