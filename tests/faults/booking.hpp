// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/execute.hpp>
#include <once/operation.hpp>

#include <nlohmann/json.hpp>
#include <pqxx/connection>
#include <pqxx/nontransaction>
#include <pqxx/params>
#include <pqxx/result>
#include <pqxx/row>

#include <string>

/** @file
 * The operation that the fault tests run: two phases in the database and a call between them. The receiver of the call
 * is on a connection of its own, where each statement commits by itself, as a service elsewhere would. Without Catch2,
 * because a program of its own runs it, too.
 */
namespace once::testing {

/// done has no unique key on purpose: a second effect must show. charge has one, as a good provider does; cash has
/// none.
inline constexpr char const* booking_tables =
    "create table done (id bigint generated always as identity, key text not null, phase text not null);"
    "create table charge (call_key uuid primary key, key text not null);"
    "create table cash (id bigint generated always as identity, key text not null)";

[[nodiscard]] inline operation make_booking(effect how, std::string const& provider_dsn) {
    auto const call = [how, provider_dsn](running_operation& op) {
        pqxx::connection connection{provider_dsn};
        pqxx::nontransaction session{connection};
        if (how == effect::at_most_once) {
            session.exec("insert into cash (key) values ($1)", pqxx::params{op.key()});
        } else {
            session.exec(
                "insert into charge (call_key, key) values ($1, $2) on conflict (call_key) do nothing",
                pqxx::params{op.call_key(), op.key()});
        }
        op.data()["charged"] = true;
    };
    auto const done = [](transaction& tx, running_operation& op, char const* phase) {
        tx.exec("insert into done (key, phase) values ($1, $2)", pqxx::params{op.key(), phase});
    };
    return {std::string{to_string(how)},
            {in_database("reserve", [=](transaction& tx, running_operation& op) { done(tx, op, "reserve"); }),
             how == effect::at_most_once ? at_most_once("charge", call) : idempotent_remote("charge", call),
             in_database(
                 "confirm",
                 [=](transaction& tx, running_operation& op) -> response {
                     done(tx, op, "confirm");
                     return {.status = 201,
                             .body = nlohmann::json{
                                 {"charged", op.data().at("charged")},
                                 {"at", tx.exec("select clock_timestamp()::text")[0][0].as<std::string>()}}};
                 })},
            {.retry_after = std::chrono::milliseconds{0}}};
}

[[nodiscard]] inline request booking_request(std::string const& key) {
    return {.scope = "POST /bookings", .key = key, .fingerprint = fingerprint{"booking", key}};
}

} // namespace once::testing
