// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "sql/outbox_statements.hpp"

#include "text/quote.hpp"

namespace once::sql {

namespace {

constexpr std::string_view milliseconds = "::bigint * interval '1 millisecond'";

// /* once: NAME */ select SCHEMA.NAME(ARGUMENTS)
std::string call(std::string const& schema, std::string_view name, std::string_view arguments) {
    return "/* once: " + std::string{name} + " */ select " + schema + "." + std::string{name} + "(" +
           std::string{arguments} + ")";
}

// /* once: NAME */ select COLUMNS from SCHEMA.NAME(ARGUMENTS) as a
std::string rows(std::string const& schema, std::string_view name, std::string_view arguments,
                 std::string_view columns) {
    return "/* once: " + std::string{name} + " */ select " + std::string{columns} + " from " + schema + "." +
           std::string{name} + "(" + std::string{arguments} + ") as a";
}

std::string in_milliseconds(std::string_view placeholder) {
    return std::string{placeholder}.append(milliseconds);
}

constexpr std::string_view message_columns = "a.id, a.message_id, a.given_id, a.published_at, ";
constexpr std::string_view payload_columns =
    ", a.topic, a.key, a.traceparent, a.content_type, a.headers, a.payload_json, a.payload_bytes";

} // namespace

outbox_statements::outbox_statements(std::string_view name) {
    auto const schema = quote_identifier(name);
    publish = call(schema, "publish", "$1, $2, $3::json, $4::bytea, $5, $6::json, $7, $8::uuid, $9::boolean");
    publish_many =
        call(schema, "publish_many",
             "$1::text[], $2::text[], $3::json[], $4::bytea[], $5::text[], $6::json[], $7::text[], "
             "$8::uuid[], $9::boolean");
    schedule_many = "/* once: schedule_many */ select count(" + schema +
                    ".schedule(m.due_at, m.topic, m.key, m.json, m.bytes, m.content_type, m.headers, "
                    "m.traceparent, m.id, "
                    "$9::boolean)) from unnest($1::text[], $2::text[], $3::json[], $4::bytea[], $5::text[], "
                    "$6::json[], $7::text[], "
                    "$8::uuid[], $10::timestamptz[]) as m (topic, key, json, bytes, content_type, headers, "
                    "traceparent, id, due_at)";

    subscribe = call(schema, "subscribe",
                     "$1, $2::text[], $3, $4::integer, $5::integer, " + in_milliseconds("$6") + ", " +
                         in_milliseconds("$7") + ", $8::boolean, " + in_milliseconds("$9"));
    unsubscribe = call(schema, "unsubscribe", "$1");
    pause_subscription = call(schema, "pause_subscription", "$1, $2::boolean");

    next_batch =
        rows(schema, "next_batch", "$1, $2::integer, $3::integer, $4::bigint",
             "a.batch::text, " + std::string{message_columns} + "a.service" + std::string{payload_columns} +
                 ", a.blocked, (a.batch).number, (a.batch).more, (a.batch).timeline");
    acknowledge = call(
        schema, "acknowledge",
        "$1, $2::integer, $3, $4::bigint, $5::integer, $6::bigint[], $7::text[], $8::text[], $9::boolean");
    take_parked = rows(schema, "take_parked", "$1, $2::integer, $3::integer, $4::integer, $5::bigint",
                       std::string{message_columns} + "a.published_by" + std::string{payload_columns} +
                           ", a.attempts") +
                  " order by a.id";
    settle_parked = call(schema, "settle_parked",
                         "$1, $2::integer, $3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::bigint[]");
    parked_due = call(schema, "parked_due", "$1, $2::integer");
    release_due = rows(schema, "release_due", "$1::integer", "a.released, a.next_due_in_ms");

    wake_channel = call(schema, "wake_channel", "");
    fall_asleep = rows(schema, "fall_asleep", in_milliseconds("$1"), "a.sleep_number, a.writers");
    wake_up = call(schema, "wake_up", "$1");
    writers_left = "/* once: writers_left */ select count(*)::integer from unnest(" + schema +
                   ".outbox_writers()) as w where w = any ($1::text[])";
}

} // namespace once::sql
