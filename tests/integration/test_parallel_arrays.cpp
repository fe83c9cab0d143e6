// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "support/database.hpp"
#include "support/session.hpp"

#include <catch2/catch_test_macros.hpp>
#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace once::testing;

namespace {

/// How a call fails, with all that the server says of it.
struct failure {
    std::string state;
    std::string text;
};

failure failure_of(std::string const& dsn, std::string const& sql,
                   std::vector<std::string> const& values = {}) {
    std::unique_ptr<PGconn, decltype(&PQfinish)> const link{PQconnectdb(dsn.c_str()), &PQfinish};
    std::unique_ptr<PGresult, decltype(&PQclear)> const path{
        PQexec(link.get(), "set search_path = once; set client_min_messages = debug1"), &PQclear};
    std::vector<char const*> data;
    std::ranges::transform(values, std::back_inserter(data), [](auto const& value) { return value.c_str(); });
    std::unique_ptr<PGresult, decltype(&PQclear)> const answer{
        PQexecParams(link.get(), sql.c_str(), static_cast<int>(data.size()), nullptr, data.data(), nullptr,
                     nullptr, 0),
        &PQclear};
    failure made;
    for (int const field :
         {PG_DIAG_MESSAGE_PRIMARY, PG_DIAG_MESSAGE_DETAIL, PG_DIAG_MESSAGE_HINT, PG_DIAG_CONTEXT}) {
        if (char const* const text = PQresultErrorField(answer.get(), field); text != nullptr) {
            made.text.append(text).append(1, '\n');
        }
    }
    if (char const* const state = PQresultErrorField(answer.get(), PG_DIAG_SQLSTATE); state != nullptr) {
        made.state = state;
    }
    return made;
}

} // namespace

TEST_CASE(
    "arrays that belong together must be as long as each other, and the error names the one that is not",
    "[arrays]") {
    test_database const server;
    session db{server.dsn()};
    db.run("select subscribe('s', p_from => 'beginning'); select publish('t', 'k', '1'); select publish('t', "
           "'k', '1')");
    struct row {
        std::string function;
        std::string before; ///< what stands in front of the arrays
        std::vector<std::pair<std::string, std::string>>
            arrays; ///< name, and an element of it; the first sets the length
    };
    std::string const uuid = "'00000000-0000-4000-8000-00000000000a'::uuid";
    std::vector<row> const rows{
        {"publish_many",
         "",
         {{"p_topics", "'t'::text"},
          {"p_keys", "'k'::text"},
          {"p_json", "'1'::json"},
          {"p_bytes", "null::bytea"},
          {"p_content_types", "'a/b'::text"},
          {"p_headers", "'[]'::json"},
          {"p_traceparents", "null::text"},
          {"p_message_ids", uuid}}},
        {"receive_many",
         "p_consumer => 'c', ",
         {{"p_message_ids", uuid}, {"p_fingerprints", "sha256('a')"}, {"p_sent_at", "now()"}}},
        {"park",
         "p_subscription => 's', p_slice => 0, ",
         {{"p_ids", "1::bigint"}, {"p_as", "'retry'::park_verdict"}, {"p_errors", "'no'::text"}}},
        {"settle_parked",
         "p_subscription => 's', p_slice => 0, ",
         {{"p_ids", "1::bigint"},
          {"p_message_ids", uuid},
          {"p_results", "'accepted'::delivery_result"},
          {"p_errors", "'no'::text"},
          {"p_after", "interval '1 second'"}}},
        {"acknowledge",
         "p_subscription => 's', p_slice => 0, p_batch => '" + next_batch(db, "s", 10).token + "', ",
         {{"p_parked_ids", "1::bigint"},
          {"p_parked_as", "'retry'::park_verdict"},
          {"p_parked_errors", "'no'::text"}}},
    };
    // The list is whole: every function that a service may call with two arrays or more.
    auto const known = db.rows("select distinct p.proname::text from pg_proc as p "
                               "where p.pronamespace = 'once'::regnamespace "
                               "and (select count(*) from unnest(p.proargtypes) as a join pg_type as t on "
                               "t.oid = a where t.typcategory = 'A') > 1 "
                               "and (has_function_privilege('once_producer', p.oid, 'execute') or "
                               "has_function_privilege('once_consumer', p.oid, 'execute') "
                               "or has_function_privilege('once_administrator', p.oid, 'execute')) and "
                               "p.proname <> 'begin_operation'");
    CHECK(known.size() == static_cast<int>(rows.size()));
    for (auto const& known_one : known) {
        CHECK(std::ranges::find(rows, known_one[0].as<std::string>(), &row::function) != rows.end());
    }
    for (auto const& one : rows) {
        for (std::size_t odd = 1; odd < one.arrays.size(); ++odd) {
            for (int const length : {0, 1, 3}) {
                std::string arguments = one.before;
                for (std::size_t i = 0; i < one.arrays.size(); ++i) {
                    auto const& [name, element] = one.arrays[i];
                    arguments += (i > 0 ? ", " : "") + name + " => array_fill(" + element + ", array[" +
                                 std::to_string(i == odd ? length : 2) + "])";
                }
                auto const failed =
                    failure_of(server.dsn(), "select " + one.function + "(" + arguments + ")");
                INFO(one.function << ' ' << one.arrays[odd].first << ' ' << length << ": " << failed.text);
                CHECK(failed.state == "22023");
                CHECK(failed.text.find(one.arrays[odd].first + " has " + std::to_string(length)) !=
                      std::string::npos);
            }
        }
    }
    CHECK(db.ask("select count(*) from outbox") == "2");
    CHECK(db.ask("select count(*) from inbox") == "0");
}

// More than 60 lines: a table of calls with bad values.
TEST_CASE("no error of a message, a schedule or the inbox says what is in it", "[arrays][secrets]") {
    test_database const server;
    std::string const secret = "MARKER5f1c";
    auto const json = "{\"card\":\"" + secret + "\"}";
    auto const headers = "[[\"" + secret + "\",\"" + secret + "\"]]";
    struct row {
        std::string sql;
        std::vector<std::string> values;
        std::string state;
    };
    std::string const fine = "p_json => $1::json, p_headers => $2::json, p_key => $3";
    std::vector<std::string> const values{json, headers, secret};
    std::vector<row> const rows{
        {"select publish('t', " + fine + ", p_bytes => '\\x00')", values, "22023"},
        {"select publish(null, " + fine + ")", values, "22023"},
        {"select publish('t', p_headers => $1::json, p_key => $2)", {headers, secret}, "22023"},
        {"select publish('t t', " + fine + ")", values, "23514"},
        {"select publish('t', " + fine + ", p_content_type => ' ')", values, "23514"},
        {"select publish('t', " + fine + ", p_traceparent => 'x')", values, "23514"},
        {"select publish('t', p_json => $1::json, p_headers => $2::json, p_key => $3 || chr(1))", values,
         "23514"},
        {"select publish('t', p_json => $1::json, p_headers => $2::json, p_key => $3)",
         {json, json, secret},
         "23514"},
        {"select publish('t', " + fine + ", p_message_id => '00000000-0000-0000-0000-000000000000')", values,
         "23514"},
        {"select publish('t', p_json => to_json($1 || repeat('x', 1048576)), p_key => $2)",
         {secret, secret},
         "23514"},
        {"select publish_many(array['t', null], array[$3, $3], array[$1, $1]::json[], p_headers => array[$2, "
         "$2]::json[])",
         values, "22023"},
        {"select publish_many(array['t', 't'], array[$3, $3], array[$1, null]::json[], p_headers => "
         "array[$2, $2]::json[])",
         values, "22023"},
        {"select schedule('infinity', 't', " + fine + ")", values, "22023"},
        {"select schedule(null, 't', " + fine + ")", values, "22023"},
        {"select schedule('1969-01-01', 't', " + fine + ")", values, "22023"},
        {"select schedule(now(), null, " + fine + ")", values, "22023"},
        {"select schedule(now(), 't', " + fine + ", p_bytes => '\\x00')", values, "22023"},
        {"select receive(null, gen_random_uuid(), sha256(convert_to($1, 'UTF8')))", {secret}, "22023"},
        {"select receive($1 || chr(1), gen_random_uuid(), sha256('a'))", {secret}, "23514"},
        {"select receive('c', gen_random_uuid(), convert_to($1, 'UTF8'))", {secret}, "23514"},
        {"select receive_many(null, array[gen_random_uuid()], array[convert_to($1, 'UTF8')])",
         {secret},
         "22023"},
        {"select receive_many('c', array[gen_random_uuid()], array[convert_to($1, 'UTF8')])",
         {secret},
         "23514"},
    };
    auto const hex = [&] {
        std::string made;
        constexpr std::string_view digits = "0123456789abcdef";
        for (char const c : secret) {
            made += digits[static_cast<unsigned char>(c) >> 4U];
            made += digits[static_cast<unsigned char>(c) & 15U];
        }
        return made;
    }();
    for (auto const& one : rows) {
        auto const failed = failure_of(server.dsn(), one.sql, one.values);
        INFO(one.sql << "\n" << failed.text);
        CHECK(failed.state == one.state);
        CHECK(failed.text.find(secret) == std::string::npos);
        CHECK(failed.text.find(hex) == std::string::npos);
    }
}
