// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "sql/in_schema.hpp"
#include "text/quote.hpp"

#include <string>
#include <string_view>

namespace once::sql {

/// For this transaction only. $1 bigint: milliseconds after which the server gives up a statement, and an idle
/// transaction. synchronous_commit is only ever raised: a sender that is told "accepted" must be able to rely on it.
inline constexpr std::string_view receiving_settings = R"sql(/* once: receiving_settings */
select set_config('statement_timeout', $1::bigint::text, true),
       set_config('idle_in_transaction_session_timeout', $1::bigint::text, true),
       set_config('synchronous_commit',
                  case when current_setting('synchronous_commit') in ('off', 'local', 'remote_write')
                       then 'on' else current_setting('synchronous_commit') end, true))sql";

/// Takes messages into the inbox. One row for each, in their order, one text: the outcome.
///   $1 text consumer, $2 uuid[] ids, $3 bytea[] their SHA-256, $4 timestamptz[] when they were staged,
///   $5 bigint retention in milliseconds, $6 bigint longest wait for another transaction in milliseconds
[[nodiscard]] inline std::string receive_messages(std::string_view schema) {
    return in_schema(R"sql(/* once: receive_messages */
select outcome
from {schema}.receive_many($1, $2::uuid[], $3::bytea[], $4::timestamptz[], $5::bigint * interval '1 millisecond',
                           $6::bigint * interval '1 millisecond')
order by place)sql",
                     quote_identifier(schema));
}

/// How many parameters `with_message` takes.
inline constexpr int columns_of_message = 11;

/// Puts the user's statement behind a WITH that makes the message a relation.
///   $1 to $11: the columns of `message`, in their order; $11 in microseconds since 1970.
/// @param with whether the user's statement begins with WITH or WITH RECURSIVE; then `sql` begins behind that
[[nodiscard]] inline std::string with_message(std::string_view sql, bool with, bool recursive) {
    return std::string{"/* once: receive_message */ with "} + (recursive ? "recursive " : "") +
           R"sql(message (id, given_id, topic, key, payload, payload_bytes, content_type, headers, traceparent, service,
         published_at) as materialized (
    select $1::uuid, $2::uuid, $3::text, $4::text, $5::json, $6::bytea, $7::text, $8::json, $9::text, $10::text,
           timestamptz '1970-01-01 00:00:00+00' + $11::bigint * interval '1 microsecond'))sql" +
           (with ? ",\n" : "\n") + std::string{sql};
}

} // namespace once::sql
