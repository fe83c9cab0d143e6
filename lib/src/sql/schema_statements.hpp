// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string_view>

namespace once::sql {

/// Whether the schema is there at all, and how new.
///   $1  text   schema
/// Columns: 0 boolean schema exists, 1 boolean installed_version() exists and may be called.
inline constexpr std::string_view schema_presence = R"sql(/* once: schema_presence */
select n.oid is not null,
       coalesce(has_function_privilege(p.oid, 'execute') and has_schema_privilege(n.oid, 'usage'), false)
from (select $1::text as name) as wanted
left join pg_catalog.pg_namespace as n on n.nspname = wanted.name
left join pg_catalog.pg_proc as p on p.pronamespace = n.oid and p.proname = 'installed_version')sql";

/// How new the schema is: the number of its newest migration file. In a schema (`in_schema`).
inline constexpr std::string_view installed_version = R"sql(/* once: installed_version */
select {schema}.installed_version()::text)sql";

/// The oldest version that a library may know to work on the schema. In a schema (`in_schema`).
inline constexpr std::string_view serves_from = R"sql(/* once: serves_from */
select {schema}.serves_from()::text)sql";

/// Differences of the live catalog from what the guarantees rest on, one row each: what is wrong, as text.
///   $1  text   schema
/// Reads the catalog only, so it needs no right on any table.
inline constexpr std::string_view schema_differences = R"sql(/* once: schema_differences */
with schema_here as (
    select oid, nspname from pg_catalog.pg_namespace where nspname = $1::text
), expected_column (tab, col, type, required) as (values
    ('idempotency_record', 'service', 'text', true),
    ('idempotency_record', 'scope', 'text', true),
    ('idempotency_record', 'key', 'text', true),
    ('idempotency_record', 'claimed_by', 'text', true),
    ('idempotency_record', 'claimed_at', 'timestamp with time zone', true),
    ('idempotency_record', 'completed_at', 'timestamp with time zone', false),
    ('idempotency_record', 'expires_at', 'timestamp with time zone', true),
    ('idempotency_record', 'fingerprint', 'bytea', false),
    ('idempotency_record', 'response_status', 'integer', false),
    ('idempotency_record', 'response_headers', 'json', false),
    ('idempotency_record', 'response_content_type', 'text', false),
    ('idempotency_record', 'response_json', 'json', false),
    ('idempotency_record', 'response_bytes', 'bytea', false),
    ('inbox', 'service', 'text', true),
    ('inbox', 'consumer', 'key_text', true),
    ('inbox', 'message_id', 'message_uuid', true),
    ('inbox', 'received_by', 'text', true),
    ('inbox', 'received_at', 'timestamp with time zone', true),
    ('inbox', 'expires_at', 'timestamp with time zone', true),
    ('inbox', 'fingerprint', 'sha256_digest', false),
    ('operation', 'service', 'text', true),
    ('operation', 'scope', 'key_text', true),
    ('operation', 'key', 'key_text', true),
    ('operation', 'name', 'key_text', true),
    ('operation', 'state', 'operation_state', true),
    ('operation', 'recovery_point', 'key_text', true),
    ('operation', 'call', 'operation_call', false),
    ('operation', 'owner', 'uuid', false),
    ('operation', 'lease_until', 'timestamp with time zone', true),
    ('operation', 'fence', 'bigint', true),
    ('operation', 'data', 'json', true),
    ('request_window', 'service', 'text', true),
    ('request_window', 'scope', 'key_text', true),
    ('request_window', 'fingerprint', 'sha256_digest', true),
    ('request_window', 'key', 'key_text', true),
    ('request_window', 'closes_at', 'timestamp with time zone', true),
    ('lease', 'service', 'text', true),
    ('lease', 'name', 'key_text', true),
    ('lease', 'fence', 'bigint', true),
    ('lease', 'holder', 'key_text', true),
    ('lease', 'acquired_at', 'timestamp with time zone', true),
    ('lease', 'renewed_at', 'timestamp with time zone', true),
    ('lease', 'expires_at', 'timestamp with time zone', true),
    ('lease', 'released_at', 'timestamp with time zone', false),
    ('lease_floor', 'only_row', 'boolean', true),
    ('lease_floor', 'fence', 'bigint', true),
    ('token', 'service', 'text', true),
    ('token', 'token_hash', 'sha256_digest', true),
    ('token', 'purpose', 'token_purpose', true),
    ('token', 'principal', 'token_principal', true),
    ('token', 'issued_by', 'text', true),
    ('token', 'issued_at', 'timestamp with time zone', true),
    ('token', 'expires_at', 'timestamp with time zone', true),
    ('outbox', 'txid', 'xid8', true),
    ('outbox', 'id', 'bigint', true),
    ('outbox', 'published_at', 'timestamp with time zone', true),
    ('outbox', 'message_id', 'uuid', true),
    ('outbox', 'given_id', 'uuid', false),
    ('outbox', 'service', 'text', true),
    ('outbox', 'bucket', 'smallint', true),
    ('outbox', 'topic', 'text', true),
    ('outbox', 'key', 'text', false),
    ('outbox', 'traceparent', 'text', false),
    ('outbox', 'content_type', 'text', false),
    ('outbox', 'headers', 'json', false),
    ('outbox', 'payload_json', 'json', false),
    ('outbox', 'payload_bytes', 'bytea', false),
    ('outbox_identity', 'service', 'text', true),
    ('outbox_identity', 'message_id', 'uuid', true),
    ('outbox_identity', 'digest', 'bytea', true),
    ('outbox_identity', 'published_at', 'timestamp with time zone', true),
    ('subscription', 'service', 'text', true),
    ('subscription', 'name', 'key_text', true),
    ('subscription', 'state', 'subscription_state', true),
    ('subscription', 'topics', 'text[]', false),
    ('subscription', 'slices', 'smallint', true),
    ('subscription', 'max_attempts', 'integer', true),
    ('subscription', 'backoff_base', 'interval', true),
    ('subscription', 'backoff_cap', 'interval', true),
    ('subscription', 'dead_blocks_key', 'boolean', true),
    ('subscription', 'starts_at', 'timestamp with time zone', false),
    ('subscription', 'expire_after', 'interval', false),
    ('subscription', 'system_identifier', 'text', true),
    ('subscription', 'incarnation', 'bigint', true),
    ('checkpoint', 'service', 'text', true),
    ('checkpoint', 'subscription', 'text', true),
    ('checkpoint', 'slice', 'smallint', true),
    ('checkpoint', 'number', 'bigint', true),
    ('checkpoint', 'messages', 'integer', true),
    ('checkpoint', 'last_id', 'bigint', true),
    ('checkpoint', 'from_id', 'bigint', true),
    ('checkpoint', 'seen_id', 'bigint', true),
    ('checkpoint', 'to_id', 'bigint', false),
    ('checkpoint', 'bound', 'bigint', true),
    ('checkpoint', 'to_bound', 'bigint', false),
    ('checkpoint', 'parked', 'boolean', true),
    ('checkpoint', 'server_started', 'timestamp with time zone', true),
    ('checkpoint', 'from_snap', 'pg_snapshot', true),
    ('checkpoint', 'to_snap', 'pg_snapshot', false),
    ('parked_message', 'service', 'text', true),
    ('parked_message', 'subscription', 'text', true),
    ('parked_message', 'slice', 'smallint', true),
    ('parked_message', 'id', 'bigint', true),
    ('parked_message', 'message_id', 'message_uuid', true),
    ('parked_message', 'given_id', 'message_uuid', false),
    ('parked_message', 'state', 'parked_state', true),
    ('parked_message', 'attempts', 'integer', true),
    ('parked_message', 'next_attempt_at', 'timestamp with time zone', false),
    ('parked_message', 'started_at', 'timestamp with time zone', false),
    ('parked_message', 'key', 'message_key', false),
    ('scheduled_message', 'service', 'text', true),
    ('scheduled_message', 'message_id', 'message_uuid', true),
    ('scheduled_message', 'given_id', 'message_uuid', false),
    ('scheduled_message', 'due_at', 'timestamp with time zone', true),
    ('scheduled_message', 'scheduled_at', 'timestamp with time zone', true),
    ('service_role', 'role', 'text', true),
    ('service_role', 'service', 'text', true)
), expected_unique (tab, con, columns) as (values
    ('idempotency_record', 'idempotency_record_pkey', 'key, scope, service'),
    ('inbox', 'inbox_pkey', 'message_id, consumer, service'),
    ('operation', 'operation_pkey', 'key, scope, service'),
    ('request_window', 'request_window_pkey', 'fingerprint, scope, service'),
    ('lease', 'lease_pkey', 'service, name'),
    ('lease', 'lease_fence_key', 'service, name, fence'),
    ('lease_floor', 'lease_floor_pkey', 'only_row'),
    ('outbox_identity', 'outbox_identity_pkey', 'service, message_id'),
    ('subscription', 'subscription_pkey', 'service, name'),
    ('checkpoint', 'checkpoint_pkey', 'service, subscription, slice, number'),
    ('parked_message', 'parked_message_pkey', 'service, subscription, id'),
    ('scheduled_message', 'scheduled_message_pkey', 'service, message_id'),
    ('token', 'token_pkey', 'token_hash, service'),
    ('service_role', 'service_role_pkey', 'role')
), expected_function (name, arguments, pinned, family) as (values
    -- pinned: it sets its search_path; the others name the schema of everything. family: who calls one calls them all.
    ('current_service', '', true, ''),
    ('claim', 'text, text, bytea, interval, interval, timestamp with time zone', false, 'request'),
    ('try_claim', 'text, text, bytea, interval, interval, timestamp with time zone', false, 'request'),
    ('claim_or_abort', 'text, text, bytea, interval, interval, timestamp with time zone', false, 'request'),
    ('lookup', 'text, text, bytea, timestamp with time zone', false, 'request'),
    ('complete', 'text, text, integer, json, text, json, bytea, timestamp with time zone', false, 'request'),
    ('complete_with_row', 'text, text, integer, json', false, 'request'),
    ('begin_request', 'text, text, bytea, interval, timestamp with time zone', false, 'request'),
    ('begin_request_or_abort', 'text, text, bytea, interval, timestamp with time zone', false, 'request'),
    ('finish_request',
        'text, text, bytea, integer, json, text, json, bytea, interval, interval, timestamp with time zone', false,
            'request'),
    ('finish_request_with_row', 'text, text, bytea, integer, json, interval, interval', false, 'request'),
    ('acquire_lease', 'text, interval, text, timestamp with time zone', true, ''),
    ('renew_lease', 'text, bigint, interval, timestamp with time zone', true, ''),
    ('release_lease', 'text, bigint, timestamp with time zone', true, ''),
    ('lease_held', 'text, bigint, timestamp with time zone', true, ''),
    ('assert_fence', 'text, bigint, timestamp with time zone', true, ''),
    ('issue_tokens', 'text, text, interval, bytea[], timestamp with time zone', true, ''),
    ('issue_token', 'text, text, interval, timestamp with time zone', true, ''),
    ('redeem_token', 'bytea, text, text, bytea, interval, interval, timestamp with time zone', true, ''),
    ('try_redeem_token', 'bytea, text, text, bytea, interval, interval, timestamp with time zone', true, ''),
    ('redeem_token_or_abort', 'bytea, text, text, bytea, interval, interval, timestamp with time zone', true, ''),
    ('receive', 'text, uuid, bytea, timestamp with time zone, interval, interval, timestamp with time zone', true, ''),
    ('receive_many',
        'text, uuid[], bytea[], timestamp with time zone[], interval, interval, timestamp with time zone', true, ''),
    ('new_ones', 'text, uuid[], interval, interval', true, ''),
    ('open_window', 'text, text, bytea, interval, interval, timestamp with time zone', true, ''),
    ('call_key', 'text, text, text', true, ''),
    ('begin_operation',
        'text, text, bytea, text, text[], operation_call, json, uuid, interval, integer, interval, interval, '
            'timestamp with time zone', true, ''),
    ('retake_operation', 'text, text, uuid, interval, timestamp with time zone', true, ''),
    ('next_operation', 'text[], uuid, interval, integer, timestamp with time zone', true, ''),
    ('advance_operation',
        'text, text, bigint, text, text, operation_call, json, interval, timestamp with time zone', true, ''),
    ('renew_operation', 'text, text, bigint, interval, timestamp with time zone', true, ''),
    ('release_operation', 'text, text, bigint, text, interval, integer, boolean, timestamp with time zone', true, ''),
    ('finish_operation', 'text, text, bigint, text, json, integer, json, text, json, bytea, timestamp with time zone',
        true, ''),
    ('next_batch', 'text, integer, integer, bigint, bigint', false, 'reading'),
    ('acknowledge', 'text, integer, batch, bigint, integer, bigint[], park_verdict[], text[], boolean', false,
        'reading'),
    ('take_parked', 'text, integer, integer, integer, bigint, timestamp with time zone', true, 'reading'),
    ('settle_parked',
        'text, integer, bigint[], uuid[], delivery_result[], text[], interval[], timestamp with time zone', true,
        'reading'),
    ('wake_channel', '', true, 'reading'),
    ('outbox_writers', '', false, 'reading'),
    ('fall_asleep', 'interval', false, 'reading'),
    ('wake_up', 'text', true, 'reading'),
    ('release_due', 'integer, timestamp with time zone', false, 'reading'),
    ('publish', 'text, text, json, bytea, text, json, text, uuid, boolean', false, ''),
    ('publish_many', 'text[], text[], json[], bytea[], text[], json[], text[], uuid[], boolean', true, ''),
    ('schedule', 'timestamp with time zone, text, text, json, bytea, text, json, text, uuid, boolean', true, ''),
    ('cancel_scheduled', 'uuid', true, ''),
    ('message_id_of', 'uuid', true, ''),
    ('copied_apart', '', true, ''),
    ('subscribe', 'text, text[], text, integer, integer, interval, interval, boolean, interval, text', true, ''),
    ('unsubscribe', 'text, text', true, ''),
    ('pause_subscription', 'text, boolean, text', true, ''),
    ('parked_due', 'text, integer, timestamp with time zone', false, 'reading')
), type_name (oid, name) as (
    -- As the lists above write them. format_type() and oidvectortypes() would write what quote_all_identifiers and the
    -- search_path of the session make of it.
    select t.oid, coalesce(w.written, b.typname) || case when b.oid <> t.oid then '[]' else '' end
    from pg_catalog.pg_type as t
    join pg_catalog.pg_type as b on b.oid = case when t.typcategory = 'A' and t.typelem <> 0 then t.typelem
        else t.oid end
    left join (values ('bool', 'boolean'), ('int2', 'smallint'), ('int4', 'integer'), ('int8', 'bigint'),
                      ('timestamptz', 'timestamp with time zone')) as w (typname, written) on w.typname = b.typname
), callable as (
    select e.family from expected_function as e
    join pg_catalog.pg_proc as p on p.proname = e.name
    join schema_here as s on p.pronamespace = s.oid
    where e.family <> '' and has_function_privilege(p.oid, 'execute')
), live_table as (
    select c.* from pg_catalog.pg_class as c join schema_here as s on c.relnamespace = s.oid
    where c.relname in (select tab from expected_column) and c.relkind in ('r', 'p')
)
select format('table %s is missing', e.tab)
from (select distinct tab from expected_column) as e
where not exists (select from live_table as c where c.relname = e.tab)
union all
select format('table %s is %s: a crash would empty it', c.relname,
              case c.relpersistence when 'u' then 'UNLOGGED' else 'TEMPORARY' end)
from live_table as c where c.relpersistence <> 'p'
union all
select format('table %s is %s: a crash would empty it', part.relname,
              case part.relpersistence when 'u' then 'UNLOGGED' else 'TEMPORARY' end)
from live_table as c join pg_catalog.pg_inherits as i on i.inhparent = c.oid
join pg_catalog.pg_class as part on part.oid = i.inhrelid
where c.relname = 'outbox' and part.relpersistence <> 'p'
union all
-- Readers rely on it that a transaction has its id before it draws a place in the log.
select 'columns txid and id of outbox are in another order, so that readers can miss messages'
from live_table as c
join pg_catalog.pg_attribute as t on t.attrelid = c.oid and t.attname = 'txid'
join pg_catalog.pg_attribute as i on i.attrelid = c.oid and i.attname = 'id'
where c.relname = 'outbox' and t.attnum > i.attnum
union all
select format('sequence %s %s, so that readers can miss messages', c.relname,
              case when q.seqcache <> 1 then 'has a cache of ' || q.seqcache else 'may begin again' end)
from pg_catalog.pg_class as c join schema_here as s on c.relnamespace = s.oid
join pg_catalog.pg_sequence as q on q.seqrelid = c.oid
where c.relname = 'outbox_id_seq' and (q.seqcache <> 1 or q.seqcycle or q.seqincrement <> 1)
union all
select format('table %s has row security, which can hide records from a claim', c.relname)
from live_table as c where c.relrowsecurity
union all
select format('table %s has the trigger %s, which can change or drop a claim', c.relname, t.tgname)
from live_table as c join pg_catalog.pg_trigger as t on t.tgrelid = c.oid and not t.tgisinternal
-- One of ours asks at COMMIT whether a claim was completed, and one writes the services into a function.
where not exists (
    select from pg_catalog.pg_proc as p
    where p.oid = t.tgfoid and p.pronamespace = c.relnamespace
      and (t.tgname, p.proname) in (('idempotency_record_completed', 'refuse_uncompleted_claim'),
                                    ('service_role_written', 'service_role_changed')))
union all
select format('table %s has the rule %s, which can change or drop a claim', c.relname, r.rulename)
from live_table as c join pg_catalog.pg_rewrite as r on r.ev_class = c.oid
union all
select format('column %s.%s is missing', e.tab, e.col)
from expected_column as e join live_table as c on c.relname = e.tab
where not exists (select from pg_catalog.pg_attribute as a
                  where a.attrelid = c.oid and a.attname = e.col and not a.attisdropped)
union all
select format('column %s.%s is %s%s instead of %s%s', e.tab, e.col,
              live.type, case when a.attnotnull then ' not null' else '' end,
              e.type, case when e.required then ' not null' else '' end)
from expected_column as e join live_table as c on c.relname = e.tab
join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attname = e.col and not a.attisdropped
join type_name as n on n.oid = a.atttypid
cross join lateral (select n.name || case when a.atttypmod <> -1 then format(' (modifier %s)', a.atttypmod)
    else '' end as type) as live
where live.type <> e.type or a.attnotnull <> e.required
union all
select format('domain %s has lost its constraint %s', e.name, e.con)
from (values ('key_text', 'key_text_valid'), ('sha256_digest', 'sha256_digest_valid'),
             ('http_status', 'http_status_valid'), ('token_purpose', 'token_purpose_valid'),
             ('token_principal', 'token_principal_valid'), ('message_uuid', 'message_uuid_valid'),
             ('message_topic', 'message_topic_valid'), ('message_key', 'message_key_valid'),
             ('message_trace', 'message_trace_valid'), ('media_type', 'media_type_valid'),
             ('header_list', 'header_list_valid'),
             ('message_json', 'message_json_size'), ('message_bytes', 'message_bytes_size')) as e (name, con)
where not exists (
    select from pg_catalog.pg_constraint as k join pg_catalog.pg_type as t on t.oid = k.contypid
    join schema_here as s on t.typnamespace = s.oid where t.typname = e.name and k.conname = e.con)
union all
select format('unique constraint %s of %s on (%s) is %s', e.con, e.tab, e.columns,
              case when live.oid is null then 'missing'
                   when live.condeferrable then 'deferrable, so that it cannot guard a claim'
                   when not live.whole then 'not valid'
                   else format('on (%s)', live.columns) end)
from expected_unique as e join live_table as c on c.relname = e.tab
left join lateral (
    select k.oid, k.condeferrable, i.indisvalid and i.indisready and i.indisunique and i.indpred is null as whole,
           (select string_agg(a.attname, ', ' order by n) from unnest(k.conkey) with ordinality as u (attnum, n)
            join pg_catalog.pg_attribute as a on a.attrelid = k.conrelid and a.attnum = u.attnum) as columns
    from pg_catalog.pg_constraint as k join pg_catalog.pg_index as i on i.indexrelid = k.conindid
    where k.conrelid = c.oid and k.conname = e.con and k.contype in ('p', 'u')
) as live on true
where live.oid is null or live.condeferrable or not live.whole or live.columns <> e.columns
union all
select format('function %s(%s) is missing', e.name, e.arguments)
from expected_function as e
where not exists (
    select from pg_catalog.pg_proc as p join schema_here as s on p.pronamespace = s.oid
    where p.proname = e.name
      and e.arguments = (select coalesce(string_agg(n.name, ', ' order by u.place), '')
                         from unnest(p.proargtypes) with ordinality as u (type, place)
                             join type_name as n on n.oid = u.type))
union all
select format('function %s is not SECURITY DEFINER with the search_path it was made with', p.proname)
from pg_catalog.pg_proc as p join schema_here as s on p.pronamespace = s.oid
join expected_function as e on e.name = p.proname
cross join lateral (select string_agg(c, '') from unnest(p.proconfig) as c where c like 'search_path=%') as own (path)
-- Those that every transaction calls name the schema of everything instead.
where not p.prosecdef or e.pinned <> (own.path is not null)
   or own.path !~ '^search_path="?[a-z_][a-z0-9_]*"?, pg_temp$'
union all
-- alter schema ... rename, or a dump that was restored under another name.
select format('%s functions look for tables in schema %s, and not here: this schema was renamed, or restored '
              'under another name. '
              'Run what once doctor --sql prints', count(*), replace(split_part(split_part(c, '=', 2), ',', 1),
                  '"', ''))
from pg_catalog.pg_proc as p join schema_here as s on p.pronamespace = s.oid
join expected_function as e on e.name = p.proname and e.pinned
cross join unnest(p.proconfig) as c
where c ~ '^search_path="?[a-z_][a-z0-9_]*"?, pg_temp$'
  and c not in (format('search_path=%s, pg_temp', s.nspname), format('search_path="%s", pg_temp', s.nspname))
group by split_part(split_part(c, '=', 2), ',', 1)
union all
select format('function %s may not be called by %s: ', p.proname, current_user)
       || case when coalesce(pg_catalog.pg_has_role(to_regrole(quote_ident(g.name)), 'member'), false)
               then format('grant execute on function %s to %s', p.oid::regprocedure, g.name)
               else format('grant %s to %s', g.name, quote_ident(current_user)) end
from pg_catalog.pg_proc as p join schema_here as s on p.pronamespace = s.oid
join expected_function as e on e.name = p.proname
cross join lateral (select s.nspname || case e.family when 'request' then '_producer' else '_consumer' end as name) as g
-- A role that writes, or one that reads messages, has all of what that takes; one that has none of either lacks the
-- first.
where e.family <> '' and not has_function_privilege(p.oid, 'execute')
  and (exists (select from callable as c where c.family = e.family)
       or (e.family = 'request' and not exists (select from callable))))sql";

/// $1 text: schema. Whether this role may ask what was copied apart; one that was granted single functions perhaps may
/// not.
inline constexpr std::string_view may_ask_copied_apart = R"sql(/* once: may_ask_copied_apart */
select has_function_privilege(p.oid, 'execute')
from pg_catalog.pg_proc as p join pg_catalog.pg_namespace as s on s.oid = p.pronamespace
where s.nspname = $1 and p.proname = 'copied_apart')sql";

/// What was copied without what it belongs to, and stops this service: one text for each. In a schema (`in_schema`).
inline constexpr std::string_view copied_apart = R"sql(/* once: copied_apart */
select concat(what, ': ', why, '. To fix it: ', concat_ws('; ', nullif(fix, ''), nullif(advice, '')))
from {schema}.copied_apart()
where service is null or service = {schema}.current_service())sql";

} // namespace once::sql
