// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

/** @file
 * Every SQL text of the command. Names without a schema are those of the target: `use_schema` stands before each.
 */
namespace once::command::queries {

/// The first words of each transaction: what role, database and environment have set otherwise is nothing to a command.
/// A standby refuses to be written to, and to be told of writing.
inline constexpr char const* begin_to_write =
    R"sql(set transaction isolation level read committed, read write, not deferrable)sql";
inline constexpr char const* begin_to_read =
    R"sql(set transaction isolation level read committed, not deferrable)sql";
inline constexpr char const* is_standby = R"sql(select pg_is_in_recovery())sql";

/// Each transaction: nothing waits for ever, and a table that is being altered is reported instead of waited for;
/// values look the same to everybody; names mean those of the system. Not the session, which a pooler hands to others
/// afterwards. Compiling the views would take seconds, reading them takes milliseconds.
inline constexpr char const* bounds = R"sql(
set local statement_timeout = '5min'; set local lock_timeout = '5s';
    set local idle_in_transaction_session_timeout = '5min';
set local client_min_messages = 'warning'; set local jit = off; set local search_path = pg_catalog, pg_temp;
set local client_encoding = 'UTF8'; set local datestyle = 'ISO, YMD'; set local intervalstyle = 'postgres';
set local timezone = 'UTC'; set local bytea_output = 'hex'; set local extra_float_digits = 1;
set local standard_conforming_strings = on; set local quote_all_identifiers = off; set local array_nulls = on;
set local transform_null_equals = off; set local row_security = on; set local check_function_bodies = on)sql";

/// From PostgreSQL 17 on.
inline constexpr char const* newer_bounds = R"sql(set local transaction_timeout = 0)sql";

/// What an error about rights or missing things is explained with. $1 text: schema
inline constexpr char const* place_facts = R"sql(
select current_database(), current_user,
       exists (select from pg_namespace where nspname = $1),
       exists (select from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
               where n.nspname = $1 and c.relname = 'schema_version'),
       (select string_agg(format('schema "%s"', n.nspname), ', ' order by n.nspname)
        from pg_class as v join pg_class as r on r.relnamespace = v.relnamespace and r.relname = 'idempotency_record'
        join pg_namespace as n on n.oid = v.relnamespace
        where v.relname = 'schema_version' and n.nspname <> $1 and n.nspname not like 'once\_bench\_%'),
       pg_is_in_recovery(), (select has_schema_privilege(oid, 'usage') from pg_namespace where nspname = $1))sql";

/// Subscriptions of a name. $1 text: name, $2 text or null: service
inline constexpr char const* subscriptions_named = R"sql(
select service from subscription where name = $1 and ($2::text is null or service = $2) order by service)sql";

/// Some that are there, to be told beside one that is not.
inline constexpr char const* some_subscriptions = R"sql(
select string_agg(format('%s (of service %s)', name, service), ', ' order by name, service)
from (select name, service from subscription order by name, service limit 10) as s)sql";

/// One line per subscription. $1 text or null: service
inline constexpr char const* subscription_list = R"sql(
select s.service, s.name as subscription, s.state, s.slices, coalesce(array_to_string(s.topics, ', '), 'all') as topics,
       s.max_attempts, s.dead_blocks_key, s.expire_after, s.created_at
from subscription as s
where $1::text is null or s.service = $1
order by s.service, s.name)sql";

/// $1 text: subscription, $2 boolean: pause or go on, $3 text or null: service
inline constexpr char const* pause_subscription = R"sql(select pause_subscription($1, $2, $3))sql";

/// $1 text: subscription, $2 text or null: service
inline constexpr char const* resume_expired = R"sql(select resume_expired($1, $2))sql";
inline constexpr char const* unsubscribe = R"sql(select unsubscribe($1, $2))sql";

/// What a login role needs and has. $1 text: role, $2 text: its group role
/// Columns: the role is there, the group role is there, it is a member already
inline constexpr char const* membership = R"sql(
select exists (select from pg_roles where rolname = $1), exists (select from pg_roles where rolname = $2),
       coalesce((select pg_has_role(r.oid, g.oid, 'member') from pg_roles as r, pg_roles as g
                 where r.rolname = $1 and g.rolname = $2), false))sql";

/// $1 text: schema. pg_temp goes last, so that a temporary table cannot stand in for one of ours.
inline constexpr char const* use_schema =
    R"sql(select set_config('search_path', quote_ident($1) || ', pg_temp', true))sql";

/// $1 text: schema
inline constexpr char const* schema_version_exists =
    R"sql(select exists (select from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
                          where n.nspname = $1 and c.relname = 'schema_version'))sql";

inline constexpr char const* newest_version = R"sql(select coalesce(max(version), 0) from schema_version)sql";

/// What is applied, newest last.
inline constexpr char const* applied_versions =
    R"sql(select version, name, applied_at, applied_by from schema_version order by version)sql";

/// $1 text: schema
inline constexpr char const* schema_exists =
    R"sql(select exists (select from pg_namespace where nspname = $1))sql";

/// Until the end of the transaction nobody else applies a migration file: the lock that each file takes. Waiting for
/// another deploy is no reason to fail. $1 text: schema
inline constexpr char const* lock_migrations = R"sql(
select set_config('lock_timeout', '0', true),
       pg_advisory_xact_lock('pg_namespace'::regclass::oid::integer,
           to_regnamespace(quote_ident($1))::oid::integer))sql";

/// Behind that lock, where a session may still remember from before that there is no such table. $1 text: schema
inline constexpr char const* schema_version_exists_now = R"sql(
select exists (select from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
               where n.nspname = $1 and c.relname = 'schema_version'))sql";

/// A record. $1 text: key, $2 text or null: scope
inline constexpr char const* records_of_key = R"sql(
select service, scope, key, state, claimed_by, claimed_at, took, expires_at, expired, fingerprint, status, response
from idempotency_record_readable
where key = $1 and ($2::text is null or scope = $2)
order by claimed_at)sql";

/// The same without what was answered, and without the fingerprint, from which a short request can be guessed: for
/// inspectors.
inline constexpr char const* records_of_key_without_response = R"sql(
select service, scope, key, state, claimed_by, claimed_at, took, expires_at, expired, status
from idempotency_record_readable
where key = $1 and ($2::text is null or scope = $2)
order by claimed_at)sql";

/// $1 text or null: subscription, $2 text or null: state, $3 integer: most rows, $4 text or null: service
inline constexpr char const* parked_list = R"sql(
select service, subscription, slice, message_id, state, attempts, topic, key, parked_at, next_attempt_at,
       left(last_error, 80) as last_error
from parked_message
where ($1::text is null or subscription = $1) and ($2::text is null or state::text = $2)
  and ($4::text is null or service = $4)
order by service, subscription, id
limit $3)sql";

/// Whether this role may look at what is in a message.
inline constexpr char const* may_read_payloads =
    R"sql(select has_column_privilege('parked_message', 'payload_json', 'select'))sql";

/// What an inspector is shown. $1 uuid: message
inline constexpr char const* parked_show_state = R"sql(
select service, subscription, slice, id, message_id, state, attempts, last_error, parked_at, next_attempt_at,
    started_at,
       published_at, published_by, topic, key, traceparent, content_type
from parked_message where message_id = $1::uuid)sql";

/// With its headers, and how long it is. $1 uuid: message
inline constexpr char const* parked_show = R"sql(
select service, subscription, slice, id, message_id, given_id, state, attempts, last_error, parked_at,
    next_attempt_at, started_at,
       published_at, published_by, topic, key, traceparent, content_type, headers::text as headers,
       octet_length(coalesce(payload_json::text, encode(payload_bytes, 'escape'))) as payload_bytes
from parked_message where message_id = $1::uuid)sql";

/// The same with its payload. $1 uuid: message
inline constexpr char const* parked_show_payload = R"sql(
select coalesce(payload_json::text, encode(payload_bytes, 'base64')) as payload,
       payload_json is not null as is_json
from parked_message where message_id = $1::uuid)sql";

/// $1 text: subscription, $2 uuid or null: one message, $3 text or null: service
inline constexpr char const* redrive = R"sql(select redrive($1, $2::uuid, p_service => $3))sql";

/// $1 text: subscription, $2 uuid: message, $3 text or null: service
inline constexpr char const* discard = R"sql(select discard($1, $2::uuid, $3))sql";

/// The jobs of purge. $1 integer: most rows at a time
inline constexpr char const* purge_records = R"sql(select purge($1))sql";
inline constexpr char const* purge_inbox = R"sql(select purge_inbox($1))sql";
inline constexpr char const* purge_operations = R"sql(select purge_operations($1))sql";
inline constexpr char const* purge_windows = R"sql(select purge_windows($1))sql";
inline constexpr char const* purge_tokens = R"sql(select purge_tokens($1))sql";
/// $2 interval: that nobody has held for so long
inline constexpr char const* purge_leases = R"sql(select purge_leases($2::interval, $1))sql";
/// $2 interval: keep messages for so long
inline constexpr char const* trim_outbox =
    R"sql(select messages, identities, checkpoints, slots, expired from trim_outbox($2::interval, $1))sql";

/// Where the log ends now: snapshot, and a number that lies below every message of a transaction that begins later. It
/// has to be read before this transaction takes an id of its own, which is why the two stand in this order.
inline constexpr char const* tail_position = R"sql(
select (select last_value from outbox_id_seq) as bound, pg_current_xact_id()::text as xid)sql";

inline constexpr char const* tail_snapshot = R"sql(select pg_current_snapshot()::text)sql";

/// Messages that have committed between two snapshots, a page of them: up to a thousand, or 16 MiB, or one.
///   $1 text: snapshot before, $2 text: snapshot now, $3 bigint: bound, $4 text: topic or prefix with .*, or null
///   $5 bigint: behind this place of the log
inline constexpr char const* tail_messages = R"sql(
select published_at, service, topic, key, message_id, bytes,
       coalesce(payload_json::text, encode(payload_bytes, 'base64')) as payload, id
from (
    select *, sum(bytes) over (order by id) as so_far
    from (
        select o.*, coalesce(octet_length(payload_json::text), octet_length(payload_bytes)) as bytes
        from (
            select * from outbox where id > greatest($3::bigint, $5::bigint)
            union all
            select o.* from pg_snapshot_xip($1::pg_snapshot) as late
            join outbox as o on o.txid = late and o.id <= $3::bigint and o.id > $5::bigint
        ) as o
        where not pg_visible_in_snapshot(txid, $1::pg_snapshot) and pg_visible_in_snapshot(txid, $2::pg_snapshot)
          and ($4::text is null or topic = $4 or ($4 like '%.*' and starts_with(topic, left($4, -1))))
        order by id limit 1000) as wanted
) as page
where so_far - bytes < 16777216 and (so_far <= 16777216 or so_far = bytes)
order by id)sql";

/// All metrics.
inline constexpr char const* metrics =
    R"sql(select name, labels, kind, value, help from metrics order by name, labels)sql";

/// A scrape ends before Prometheus gives up on it.
inline constexpr char const* scrape_settings =
    R"sql(set local statement_timeout = '8s'; set local lock_timeout = '2s')sql";

/// Those of one subscription of the service that is connected. $1 text: subscription
inline constexpr char const* metrics_of_subscription = R"sql(
select name, labels, kind, value, help from metrics
where labels::json ->> 'subscription' = $1 and labels::json ->> 'service' = current_service()
order by name, labels)sql";

/// Where `bench` would put load on: database, server, other sessions.
inline constexpr char const* bench_facts = R"sql(
select current_database(), coalesce(host(inet_server_addr()) || ':' || inet_server_port(), 'a local socket'),
       (select count(*) from pg_stat_activity
        where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()))sql";

/// Bytes of WAL since the cluster was made.
inline constexpr char const* wal_position = R"sql(select pg_current_wal_insert_lsn() - '0/0'::pg_lsn)sql";

/// $1 integer: how many messages
inline constexpr char const* bench_messages = R"sql(
select count(publish_many(
    array_fill('bench'::text, array[1000]),
    array(select (i % 1000)::text from generate_series(1, 1000) as i),
    array_fill('{"number":"A-17","customer":"alice","amount":4200}'::json, array[1000]),
    p_content_types => array_fill('application/json'::text, array[1000])))
from generate_series(1, $1 / 1000))sql";

/// What was measured, as a table. $1 json
inline constexpr char const* bench_table = R"sql(
select job, jobs, per_second, median_ms, p99_ms, wal_bytes
from json_to_recordset($1::json) as r (job text, jobs bigint, per_second numeric, median_ms numeric, p99_ms numeric,
                                       wal_bytes numeric))sql";

/// Fails with 22023 when there is no such slice, ON060 when there is no such subscription. $1 text, $2 integer: slice
inline constexpr char const* probe_slice = R"sql(select count(*) from next_batch($1, $2, 1))sql";

/// What was copied, or restored, without what it belongs to.
inline constexpr char const* copied_apart = R"sql(select what, why, fix, advice from copied_apart())sql";

/// Who works on a request at this moment, under the service of any role that there is. One row for each.
///   $1 text: scope, $2 text: key, $3 text or null: only this service
inline constexpr char const* holders_of_key = R"sql(
select s.service, h.process, h.role, h.application, date_trunc('milliseconds', clock_timestamp() - h.since) as open_for,
       h.foreign_role
from (select service from service_role union select rolname from pg_roles where rolcanlogin) as s
cross join lateral request_holder($1, $2, s.service) as h
where $3::text is null or s.service = $3
order by s.service, h.since)sql";

/// $1 text or null: subscription, $2 text or null: service
inline constexpr char const* explain_stall = R"sql(select * from explain_stall($1, $2))sql";

/// One line per slice.
inline constexpr char const* subscriptions = R"sql(
select c.service, c.subscription, c.slice, s.state,
       case when w.since is null then 0
            else greatest(1, (select last_value from outbox_id_seq) - greatest(c.from_id, c.last_id)) end as waiting,
       date_trunc('milliseconds', clock_timestamp() - w.since) as oldest_waits,
       date_trunc('second', clock_timestamp() - c.acknowledged_at) as acknowledged,
       case when l.released_at is null and l.expires_at > clock_timestamp() then l.holder end as reader,
       (select count(*) from parked_message as p where p.service = c.service and p.subscription = c.subscription
        and p.slice = c.slice and p.state <> 'dead') as parked,
       (select count(*) from parked_message as p where p.service = c.service and p.subscription = c.subscription
        and p.slice = c.slice and p.state = 'dead') as dead
from newest_checkpoints() as c
join subscription as s on s.service = c.service and s.name = c.subscription
cross join lateral (select oldest_waiting(c) as since) as w
left join lease as l on l.service = c.service and l.name = format('subscription/%s/%s', c.subscription, c.slice)
order by 1, 2, 3)sql";

/// One row of everything else that a person looks at first.
inline constexpr char const* overview = R"sql(
select (select max(version) from schema_version) as schema_version,
       (select value::bigint from metrics where name = 'once_idempotency_records') as records_estimated,
       (select count(*) from (select from idempotency_record where expires_at <= clock_timestamp() limit 100000) as e)
           as records_expired,
       (select last_value from outbox_id_seq) as messages_staged,
       (select pg_size_pretty(sum(pg_total_relation_size(inhrelid))) from pg_inherits
           where inhparent = 'outbox'::regclass)
           as outbox_size,
       (select value::bigint from metrics where name = 'once_scheduled_messages') as scheduled_estimated,
       (select count(*) from lease where released_at is null and expires_at > clock_timestamp()) as leases_held)sql";

/// The oldest transaction of the database, if it is older than a minute.
inline constexpr char const* oldest_transaction = R"sql(
select pid, usename as role, application_name as application, state, date_trunc('second',
    clock_timestamp() - xact_start) as age,
       case when backend_xid is not null then 'has written' else 'only reads' end as writes
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and xact_start < clock_timestamp() - interval '1 minute'
order by xact_start limit 1)sql";

/// The process that answers: another one than the connection was made with, where a pooler stands between.
inline constexpr char const* server_process = R"sql(select pg_backend_pid())sql";

} // namespace once::command::queries
