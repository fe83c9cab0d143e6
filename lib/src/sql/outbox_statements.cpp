// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "sql/outbox_statements.hpp"

#include "sql/in_schema.hpp"
#include "text/quote.hpp"

namespace once::sql {

namespace {

constexpr std::string_view publish_text = R"sql(/* once: publish */ select {schema}.publish(
    $1, $2, $3::json, $4::bytea, $5, $6::json, $7, $8::uuid, $9::boolean))sql";

constexpr std::string_view publish_many_text = R"sql(/* once: publish_many */ select {schema}.publish_many(
    $1::text[], $2::text[], $3::json[], $4::bytea[], $5::text[], $6::json[], $7::text[], $8::uuid[],
    $9::boolean))sql";

constexpr std::string_view schedule_many_text =
    R"sql(/* once: schedule_many */ select count({schema}.schedule(
    m.due_at, m.topic, m.key, m.json, m.bytes, m.content_type, m.headers, m.traceparent, m.id, $9::boolean))
from unnest($1::text[], $2::text[], $3::json[], $4::bytea[], $5::text[], $6::json[], $7::text[], $8::uuid[],
            $10::timestamptz[])
    as m (topic, key, json, bytes, content_type, headers, traceparent, id, due_at))sql";

constexpr std::string_view subscribe_text = R"sql(/* once: subscribe */ select {schema}.subscribe(
    $1, $2::text[], $3, $4::integer, $5::integer, $6::bigint * interval '1 millisecond',
    $7::bigint * interval '1 millisecond', $8::boolean, $9::bigint * interval '1 millisecond'))sql";

constexpr std::string_view unsubscribe_text =
    R"sql(/* once: unsubscribe */ select {schema}.unsubscribe($1))sql";

constexpr std::string_view pause_subscription_text =
    R"sql(/* once: pause_subscription */ select {schema}.pause_subscription($1, $2::boolean))sql";

constexpr std::string_view next_batch_text =
    R"sql(/* once: next_batch */ select a.batch::text, a.id, a.message_id,
    a.given_id, a.published_at, a.service, a.topic, a.key, a.traceparent, a.content_type, a.headers, a.payload_json,
    a.payload_bytes, a.blocked, (a.batch).number, (a.batch).more, (a.batch).timeline
from {schema}.next_batch($1, $2::integer, $3::integer, $4::bigint, $5::bigint) as a)sql";

constexpr std::string_view acknowledge_text = R"sql(/* once: acknowledge */ select {schema}.acknowledge(
    $1, $2::integer, $3, $4::bigint, $5::integer, $6::bigint[], $7::text[]::{schema}.park_verdict[], $8::text[],
    $9::boolean))sql";

constexpr std::string_view take_parked_text =
    R"sql(/* once: take_parked */ select a.id, a.message_id, a.given_id,
    a.published_at, a.published_by, a.topic, a.key, a.traceparent, a.content_type, a.headers, a.payload_json,
    a.payload_bytes, a.attempts
from {schema}.take_parked($1, $2::integer, $3::integer, $4::integer, $5::bigint) as a order by a.id)sql";

constexpr std::string_view settle_parked_text = R"sql(/* once: settle_parked */ select {schema}.settle_parked(
    $1, $2::integer, $3::bigint[], $4::uuid[], $5::text[]::{schema}.delivery_result[], $6::text[],
    (select array_agg(n * interval '1 millisecond' order by place)
     from unnest($7::bigint[]) with ordinality as pause (n, place))))sql";

constexpr std::string_view parked_due_text =
    R"sql(/* once: parked_due */ select ceil(extract(epoch from
    {schema}.parked_due($1, $2::integer)) * 1000)::bigint)sql";

constexpr std::string_view release_due_text =
    R"sql(/* once: release_due */ select a.released, (extract(epoch from a.next_due_in) * 1000)::bigint
from {schema}.release_due($1::integer) as a)sql";

constexpr std::string_view wake_channel_text =
    R"sql(/* once: wake_channel */ select {schema}.wake_channel())sql";

constexpr std::string_view fall_asleep_text = R"sql(/* once: fall_asleep */ select a.sleep_number, a.writers
from {schema}.fall_asleep($1::bigint * interval '1 millisecond') as a)sql";

constexpr std::string_view wake_up_text = R"sql(/* once: wake_up */ select {schema}.wake_up($1))sql";

constexpr std::string_view writers_left_text = R"sql(/* once: writers_left */ select count(*)::integer
from unnest({schema}.outbox_writers()) as w where w = any ($1::text[]))sql";

} // namespace

outbox_statements::outbox_statements(std::string_view name) {
    auto const schema = quote_identifier(name);
    publish = in_schema(publish_text, schema);
    publish_many = in_schema(publish_many_text, schema);
    schedule_many = in_schema(schedule_many_text, schema);
    subscribe = in_schema(subscribe_text, schema);
    unsubscribe = in_schema(unsubscribe_text, schema);
    pause_subscription = in_schema(pause_subscription_text, schema);
    next_batch = in_schema(next_batch_text, schema);
    acknowledge = in_schema(acknowledge_text, schema);
    take_parked = in_schema(take_parked_text, schema);
    settle_parked = in_schema(settle_parked_text, schema);
    parked_due = in_schema(parked_due_text, schema);
    release_due = in_schema(release_due_text, schema);
    wake_channel = in_schema(wake_channel_text, schema);
    fall_asleep = in_schema(fall_asleep_text, schema);
    wake_up = in_schema(wake_up_text, schema);
    writers_left = in_schema(writers_left_text, schema);
}

} // namespace once::sql
