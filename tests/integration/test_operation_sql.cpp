// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "integration/operations.hpp"
#include "support/refusal.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/result>
#include <pqxx/row>
#include <pqxx/transaction>

#include <string>

using namespace once::testing;

namespace {

std::string sqlstate(effects_database const& server, std::string const& call) {
    return sqlstate_of([&] { server.run("select once." + call); });
}

std::string begin(std::string const& key,
                  std::string const& rest = "'op', '{a,b}', null, '{}', gen_random_uuid(), '1 minute'",
                  std::string const& more = "") {
    return "begin_operation('s', '" + key + "', null, " + rest + more + ")";
}

} // namespace

TEST_CASE("the rules of operations hold for callers in SQL", "[operation][bad input]") {
    operations_database const server;
    CHECK(sqlstate(server, begin("ok")) == "accepted");
    CHECK(sqlstate(server, begin("")) == "22023");
    CHECK(sqlstate(server, begin("caf\xc3\xa9")) == "22023");
    CHECK(sqlstate(server, begin("k", "'', '{a}', null, '{}', gen_random_uuid(), '1 minute'")) == "23514");
    CHECK(sqlstate(server, begin("k", "'op', '{}', null, '{}', gen_random_uuid(), '1 minute'")) !=
          "accepted");
    CHECK(sqlstate(server, begin("k", "'op', null, null, '{}', gen_random_uuid(), '1 minute'")) !=
          "accepted");
    CHECK(sqlstate(server, begin("k", "'op', '{NULL}', null, '{}', gen_random_uuid(), '1 minute'")) ==
          "22023");
    CHECK(sqlstate(server, begin("k", "'op', '{a}', 'sometimes', '{}', gen_random_uuid(), '1 minute'")) ==
          "22P02");
    CHECK(sqlstate(server, begin("k", "'op', '{a}', null, '{', gen_random_uuid(), '1 minute'")) == "22P02");
    CHECK(
        sqlstate(
            server,
            begin("k", "'op', '{a}', null, to_json(repeat('x', 1048576)), gen_random_uuid(), '1 minute'")) ==
        "22023");
    CHECK(sqlstate(server, begin("k", "'op', '{a}', null, '{}', null, '1 minute'")) == "22023");
    CHECK(sqlstate(server, begin("k", "'op', '{a}', null, '{}', gen_random_uuid(), '99 milliseconds'")) ==
          "22023");
    CHECK(sqlstate(server, begin("k", "'op', '{a}', null, '{}', gen_random_uuid(), '25 hours'")) == "22023");
    std::string const usual = "'op', '{a,b}', null, '{}', gen_random_uuid(), '1 minute'";
    CHECK(sqlstate(server, begin("k", usual, ", p_max_attempts => 0")) == "22023");
    CHECK(sqlstate(server, begin("k", usual, ", p_retention => '0'")) == "22023");
    CHECK(sqlstate(server, begin("k", usual, ", p_wait => '2 hours'")) == "22023");
    CHECK(sqlstate(server, "next_operation('{op}', null, '1 minute')") == "22023");
    CHECK(sqlstate(server, "next_operation('{op}', gen_random_uuid(), '0')") == "22023");
    CHECK(sqlstate(server, "purge_operations(0)") == "22023");
    CHECK(server.ask("select count(*) from once.operation") == "1");
    CHECK(server.records() == 1);
}

TEST_CASE("without the fence nothing of an operation can be changed: ON040", "[operation][bad input]") {
    operations_database const server;
    CHECK(sqlstate(server, begin("k")) == "accepted");
    for (std::string const& key : {std::string{"k"}, std::string{"never begun"}}) {
        for (std::string const fence : {"0", "-1", "null", "(select fence - 1 from once.operation)"}) {
            auto const to = std::string{"('s', '"}.append(key).append("', ").append(fence).append(", ");
            INFO(to);
            CHECK(sqlstate(server, "advance_operation" + to + "'a', 'b', null, '{}', '1 minute')") ==
                  "ON040");
            CHECK(sqlstate(server, "renew_operation" + to + "'1 minute')") == "ON040");
            CHECK(sqlstate(server, "release_operation" + to + "'why', '0', 20, true)") == "ON040");
            CHECK(sqlstate(server, "finish_operation" + to + "'a', '{}', 200, null, null, '{}', null)") ==
                  "ON040");
        }
    }
    auto const mine = std::string{"('s', 'k', (select fence from once.operation), "};
    CHECK(sqlstate(server, "advance_operation" + mine + "'b', 'b', null, '{}', '1 minute')") == "ON040");
    CHECK(sqlstate(server, "finish_operation" + mine + "'a', '{}', 200, null, null, null, null)") == "22023");
    CHECK(sqlstate(server, "finish_operation" + mine + "'a', '{}', 700, null, null, '{}', null)") == "22023");
    // Its record was removed, and the key used otherwise.
    server.run("delete from once.idempotency_record; select once.claim('s', 'k', sha256('other'))");
    CHECK(sqlstate(server, "finish_operation" + mine + "'a', '{}', 200, null, null, '{}', null)") == "ON042");
    server.run("delete from once.idempotency_record");
    CHECK(sqlstate(server,
                   "begin_operation('s', 'k', sha256('other'), 'op', '{a}', null, '{}', gen_random_uuid(), "
                   "'1 minute')") == "ON042");
    CHECK(sqlstate(server, "finish_operation" + mine + "'a', '{}', 200, null, null, '{}', null)") ==
          "accepted");
    CHECK(sqlstate(server, "advance_operation" + mine + "'a', 'b', null, '{}', '1 minute')") == "ON040");
    CHECK(server.ask("select outcome from once.lookup('s', 'k')") == "replayed");
}

TEST_CASE("an operation that begins leaves the lock_timeout of its transaction as it was", "[operation]") {
    operations_database const server;
    pqxx::connection connection{server.dsn()};
    pqxx::work tx{connection};
    tx.exec("set local lock_timeout = '7s'");
    tx.exec(
        "select once.begin_operation('s', 'k', null, 'op', '{a}', null, '{}', gen_random_uuid(), '1 minute', "
        "p_wait => '1234 milliseconds')");
    CHECK(tx.exec("show lock_timeout")[0][0].as<std::string>() == "7s");
}
