// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>

#include "support/effects.hpp"
#include "support/refusal.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>
#include <pqxx/except>

#include <string>
#include <tuple>
#include <vector>

using namespace once::testing;
using namespace std::string_literals;
using once::parameters;
using once::statement;

namespace {

using work = std::vector<statement>;

/// SQLSTATE of what the call throws, or its outcome.
std::string failure(once::database& db, std::string const& key, work const& statements) {
    return sqlstate_of(
        [&] { return std::string{to_string(once::execute(db, request_of(key), statements).outcome())}; });
}

} // namespace

TEST_CASE("the row of the last statement is the response, now and on every repeat", "[statements]") {
    effects_database const server;
    once::database db{server.dsn()};
    work const statements{effect_statement("one"), effect_statement("two")};
    auto const first = once::execute(db, request_of("k"), statements, 201);
    CHECK(first.done());
    CHECK(first.committed());
    CHECK(first.response().status == 201);
    CHECK(first.response().body.content_type() == "application/json");
    CHECK(first.as()["what"] == "two");
    for (int i = 0; i < 2; ++i) {
        auto const repeat = once::execute(db, request_of("k"), statements, 201);
        CHECK(repeat.replayed());
        CHECK(repeat.committed());
        CHECK(repeat.response() == first.response());
    }
    CHECK(server.effects() == 2);
    CHECK(server.records() == 1);
}

TEST_CASE("both forms share their records", "[statements]") {
    effects_database const server;
    once::database db{server.dsn()};
    std::ignore = once::execute(db, request_of("a"), {effect_statement()});
    CHECK(once::execute(db, request_of("a"), [](once::transaction&) {}).replayed());
    std::ignore = once::execute(db, request_of("b"), [](once::transaction& tx) { add_effect(tx); });
    auto const reply = once::execute(db, request_of("b"), {effect_statement()});
    CHECK(reply.replayed());
    CHECK(reply.response() == once::response{.status = 204});
    CHECK(server.effects() == 2);
}

TEST_CASE("the same key with another question is refused in one round trip, too", "[statements]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto asked = request_of("k");
    asked.fingerprint = once::fingerprint{"one"};
    std::ignore = once::execute(db, asked, {effect_statement()});
    asked.fingerprint = once::fingerprint{"two"};
    auto const reply = once::execute(db, asked, {effect_statement()});
    CHECK(reply.key_reused());
    CHECK_FALSE(reply.has_response());
    CHECK(server.effects() == 1);
}

TEST_CASE("a last statement without exactly one row writes nothing", "[statements]") {
    effects_database const server;
    once::database db{server.dsn(), {.max_connections = 1}};
    CHECK(failure(db, "k", {effect_statement(), {"select 1 as n where false", {}}}) == "ON003");
    CHECK(failure(db, "k", {{"update effect set what = 'x' where id = 77 returning id", {}}}) == "ON003");
    CHECK(failure(db, "k", {effect_statement(), {"select n from generate_series(1, 2) as n", {}}}) ==
          "21000");
    CHECK(failure(db, "k", {{"insert into effect (what) values ('a'), ('b') returning id", {}}}) == "21000");
    CHECK(failure(db, "k", {{"insert into effect (what) values ('a')", {}}}) == "0A000");
    CHECK(server.effects() == 0);
    CHECK(server.records() == 0);
    CHECK(failure(db, "k", {effect_statement()}) == "done");
}

TEST_CASE("an error in any statement writes nothing and leaves the connection usable", "[statements]") {
    effects_database const server;
    wire_proxy proxy{server.upstream()};
    once::database db{server.through(proxy), {.max_connections = 1}};
    db.check();
    struct row {
        char const* state;
        work statements;
    };
    std::vector<row> const rows{
        {"22012", {{"select 1/0", {}}, effect_statement()}},
        {"22012", {effect_statement(), {"select 1/0 as n", {}}}},
        {"42601", {effect_statement(), {"selec 1", {}}}},
        {"42601", {{"selec 1", {}}, effect_statement()}},
        {"42P01", {effect_statement(), {"select * from nowhere", {}}}},
        {"23502",
         {effect_statement(),
          {"insert into effect (what) values ($1) returning id", parameters{std::nullopt}}}},
        {"22P02", {{"select $1::int as n", parameters{"five"}}}},
        {"42601", {effect_statement(), {"select 1; select 2", {}}}},
        {"42601", {{"select 1; select 2", {}}, effect_statement()}},
        {"08P01", {{"select $1::int, $2::int", parameters{1}}, effect_statement()}},
    };
    for (auto const& row : rows) {
        INFO(row.state << " " << row.statements.back().sql);
        CHECK(failure(db, "k", row.statements) == row.state);
        CHECK(server.effects() == 0);
        CHECK(server.records() == 0);
    }
    CHECK(failure(db, "k", {effect_statement()}) == "done");
    CHECK(proxy.connections() == 1);
}

TEST_CASE("a statement that ends the transaction does not leave a claim without its answer", "[statements]") {
    effects_database const server;
    once::database db{server.dsn()};
    CHECK_THROWS(once::execute(db, request_of("k"), {{"rollback", {}}, effect_statement()}));
    CHECK(server.effects() == 0);
    CHECK(server.records() == 0);
}

TEST_CASE("the caller's parameters keep their numbers, however many there are", "[statements]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto const reply = once::execute(
        db, request_of("k"),
        {{"select $3::text as c, $1::int as a, $2::bytea = '\\x00ff' as b, $1::int + $1::int as twice", [] {
              static constexpr std::byte bytes[]{std::byte{0}, std::byte{0xff}};
              parameters made{7, std::span<std::byte const>{bytes}};
              made.add("$4; drop table effect -- '");
              return made;
          }()}});
    CHECK(reply.as()["c"] == "$4; drop table effect -- '");
    CHECK(reply.as()["a"] == 7);
    CHECK(reply.as()["b"] == true);
    CHECK(reply.as()["twice"] == 14);
    CHECK(server.effects() == 0);
}

TEST_CASE("the last statement may end with a comment or a semicolon-free line break", "[statements]") {
    effects_database const server;
    once::database db{server.dsn()};
    int key = 0;
    for (std::string const& end : {" -- the end"s, " /* the end */"s, "\n"s, "\n-- a\n-- b"s}) {
        auto one = effect_statement();
        one.sql += end;
        CHECK(once::execute(db, request_of(std::to_string(++key)), {one, one}).as()["what"] == "written");
    }
    CHECK(server.effects() == 2 * key);
}

TEST_CASE("work that cannot be answered is refused before anything is sent", "[statements]") {
    effects_database const server;
    wire_proxy proxy{server.upstream()};
    once::database db{server.through(proxy)};
    auto const ask = [&](work const& statements, int status = 200, once::call_options const& options = {}) {
        static_cast<void>(once::execute(db, request_of("k"), statements, status, options));
    };
    CHECK_THROWS_AS(ask({}), once::invalid_argument);
    CHECK_THROWS_AS(ask({{"", {}}}), once::invalid_argument);
    CHECK_THROWS_AS(ask({{"select 1\0 as n"s, {}}}), once::invalid_argument);
    for (int const status : {199, 400, 500, 0, -1}) {
        CHECK_THROWS_AS(ask({effect_statement()}, status), once::invalid_argument);
    }
    CHECK_THROWS_AS(ask({effect_statement()}, 200, {.stored = once::store::nothing}), once::invalid_argument);
    CHECK(proxy.connections() == 0);
}

TEST_CASE("a column of the last statement may have any name, that of the library's own wrapping included",
          "[statements]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto const reply = once::execute(db, request_of("k"), {{"select 'paid' as answer"}});
    CHECK(reply.done());
    CHECK(reply.as() == nlohmann::json{{"answer", "paid"}});
}
