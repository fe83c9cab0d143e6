// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/nontransaction>
#include <pqxx/result>
#include <pqxx/row>

#include <optional>
#include <string>
#include <support/database.hpp>

namespace {

using once::testing::empty_database;
using once::testing::test_database;

std::string ask(std::string const& dsn, std::string const& sql) {
    pqxx::connection connection{dsn};
    pqxx::nontransaction session{connection};
    return session.exec(sql)[0][0].as<std::string>("null");
}

constexpr auto number_of_tables = "select count(*) from pg_tables where schemaname = 'once'";
constexpr auto schema = "select count(*) from pg_namespace where nspname = 'once'";

} // namespace

TEST_CASE("every test has a migrated database of its own", "[support]") {
    test_database const first;
    test_database const second;

    CHECK(first.name() != second.name());
    CHECK(ask(first.dsn(), "select current_database()") == first.name());
    CHECK(ask(first.dsn(), number_of_tables) != "0");

    CHECK(ask(first.dsn(), "create table mine(); select count(*) from pg_tables where tablename = 'mine'") ==
          "1");
    CHECK(ask(second.dsn(), "select count(*) from pg_tables where tablename = 'mine'") == "0");
}

TEST_CASE("an empty database has no schema of the library", "[support]") {
    empty_database const database;
    CHECK(ask(database.dsn(), schema) == "0");
}

TEST_CASE("a database goes with its test although somebody is connected", "[support]") {
    std::optional<empty_database> database{std::in_place};
    auto const name = database->name();
    auto const admin_dsn = database->admin_dsn();
    auto const exists = "select count(*) from pg_database where datname = '" + name + "'";
    pqxx::connection const visitor{database->dsn()};
    REQUIRE(ask(admin_dsn, exists) == "1");

    database.reset();

    CHECK(ask(admin_dsn, exists) == "0");
}

TEST_CASE("another database can be named in every form of connection string", "[support]") {
    CHECK(once::testing::with_database("host=/tmp/x port=5433 dbname=postgres user=me", "other") ==
          "user='me' host='/tmp/x' port='5433' dbname='other'");
    CHECK(once::testing::with_database("postgresql://me@localhost:5433/postgres", "other") ==
          "user='me' host='localhost' port='5433' dbname='other'");
    CHECK(once::testing::with_database(R"(password='it\'s' host=h)", "other") ==
          R"(password='it\'s' host='h' dbname='other')");
}
