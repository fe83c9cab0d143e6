// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/execute.hpp>

#include <nlohmann/json.hpp>
#include <pqxx/params>
#include <pqxx/result>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/** @file
 * The business write that all fault tests run: an insert that nothing but the library keeps from happening twice, and
 * an update whose repetition shows. Without Catch2, because a program of its own runs it, too.
 */
namespace once::testing {

/// The two ways to run a request.
enum class form { callback, statements };

[[nodiscard]] inline std::string to_string(form value) {
    return value == form::callback ? "callback" : "statements";
}

[[nodiscard]] inline std::string to_string(isolation value) {
    switch (value) {
    case isolation::repeatable_read:
        return "repeatable read";
    case isolation::serializable:
        return "serializable";
    case isolation::read_committed:
        break;
    }
    return "read committed";
}

inline constexpr char const* workload_scope = "POST /transfer";

/// effect has no unique key on purpose: a second effect must show, not fail.
inline constexpr char const* workload_tables =
    "create table effect (id bigint generated always as identity primary key, key text not null);"
    "create table account (key text primary key, balance integer not null default 0)";

inline constexpr char const* insert_effect = "insert into effect (key) values ($1) returning id";
/// The time makes the answers of two runs differ, so that equal answers prove that one was stored.
inline constexpr char const* update_account =
    "update account set balance = balance + 1 where key = $1 returning key, balance, "
    "(select max(id) from effect where effect.key = $1) as effect, clock_timestamp()::text as at";

[[nodiscard]] inline request workload_request(std::string const& key) {
    return {.scope = workload_scope, .key = key, .fingerprint = fingerprint{"transfer", key}};
}

/// Runs the business write for `key`, whose row in account has to be there.
[[nodiscard]] inline reply run_workload(database& db, form how, std::string const& key,
                                        call_options const& options) {
    if (how == form::statements) {
        return execute(db, workload_request(key),
                       {{insert_effect, parameters{key}}, {update_account, parameters{key}}}, 200, options);
    }
    return execute(
        db, workload_request(key),
        [&](transaction& tx) {
            tx.exec(insert_effect, pqxx::params{key});
            auto const row = tx.exec(update_account, pqxx::params{key});
            return nlohmann::json{{"key", row[0][0].as<std::string>()},
                                  {"balance", row[0][1].as<int>()},
                                  {"effect", row[0][2].as<std::int64_t>()},
                                  {"at", row[0][3].as<std::string>()}};
        },
        options);
}

} // namespace once::testing
