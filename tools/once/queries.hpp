// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

/** @file
 * Every SQL text of the command. Names without a schema are those of the target: `use_schema` stands before each.
 */
namespace once::command::queries {

/// Each transaction: nothing waits for ever, and a table that is being altered is reported instead of waited for. Not the
/// session, which a pooler hands to others afterwards. Compiling the views would take seconds, reading them takes milliseconds.
inline constexpr char const* bounds =
    R"sql(set local statement_timeout = '5min'; set local lock_timeout = '5s'; set local client_min_messages = 'warning'; set local jit = off)sql";

/// $1 text: schema. pg_temp goes last, so that a temporary table cannot stand in for one of ours.
inline constexpr char const* use_schema =
    R"sql(select set_config('search_path', quote_ident($1) || ', pg_temp', true))sql";

/// $1 text: schema
inline constexpr char const* schema_version_exists =
    R"sql(select to_regclass(quote_ident($1) || '.schema_version') is not null)sql";

inline constexpr char const* newest_version = R"sql(select coalesce(max(version), 0) from schema_version)sql";

/// What is applied, newest last.
inline constexpr char const* applied_versions =
    R"sql(select version, name, applied_at, applied_by from schema_version order by version)sql";

/// $1 text: schema
inline constexpr char const* schema_exists = R"sql(select to_regnamespace(quote_ident($1)) is not null)sql";

/// A record. $1 text: key, $2 text or null: scope
inline constexpr char const* records_of_key = R"sql(
select service, scope, key, state, claimed_by, claimed_at, took, expires_at, expired, fingerprint, status, response
from idempotency_record_readable
where key = $1 and ($2::text is null or scope = $2)
order by claimed_at)sql";

/// The same without what was answered, and without the fingerprint, from which a short request can be guessed: for inspectors.
inline constexpr char const* records_of_key_without_response = R"sql(
select service, scope, key, state, claimed_by, claimed_at, took, expires_at, expired, status
from idempotency_record_readable
where key = $1 and ($2::text is null or scope = $2)
order by claimed_at)sql";

/// $1 text or null: subscription, $2 text or null: state, $3 integer: most rows
inline constexpr char const* parked_list = R"sql(
select service, subscription, slice, message_id, state, attempts, topic, key, parked_at, next_attempt_at,
       left(last_error, 80) as last_error
from parked_message
where ($1::text is null or subscription = $1) and ($2::text is null or state = $2)
order by service, subscription, id
limit $3)sql";

/// Whether this role may look at what is in a message.
inline constexpr char const* may_read_payloads =
    R"sql(select has_column_privilege('parked_message', 'payload_json', 'select'))sql";

/// What an inspector is shown. $1 uuid: message
inline constexpr char const* parked_show_state = R"sql(
select service, subscription, slice, id, message_id, state, attempts, last_error, parked_at, next_attempt_at, started_at,
       published_at, published_by, topic, key, traceparent, content_type
from parked_message where message_id = $1::uuid)sql";

/// With its headers, and how long it is. $1 uuid: message
inline constexpr char const* parked_show = R"sql(
select service, subscription, slice, id, message_id, state, attempts, last_error, parked_at, next_attempt_at, started_at,
       published_at, published_by, topic, key, traceparent, content_type, headers::text as headers,
       octet_length(coalesce(payload_json::text, encode(payload_bytes, 'escape'))) as payload_bytes
from parked_message where message_id = $1::uuid)sql";

/// The same with its payload. $1 uuid: message
inline constexpr char const* parked_show_payload = R"sql(
select coalesce(payload_json::text, encode(payload_bytes, 'base64')) as payload,
       payload_json is not null as is_json
from parked_message where message_id = $1::uuid)sql";

/// $1 text: subscription, $2 uuid or null: one message, $3 text or null: service
inline constexpr char const* redrive = R"sql(select redrive($1, $2::uuid, $3))sql";

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

/// Messages that have committed between two snapshots.
///   $1 text: snapshot before, $2 text: snapshot now, $3 bigint: bound, $4 text: topic or prefix with .*, or null
inline constexpr char const* tail_messages = R"sql(
select published_at, service, topic, key, message_id,
       coalesce(octet_length(payload_json::text), octet_length(payload_bytes)) as bytes,
       coalesce(payload_json::text, encode(payload_bytes, 'base64')) as payload
from (
    select * from outbox where id > $3::bigint
    union all
    select o.* from pg_snapshot_xip($1::pg_snapshot) as late join outbox as o on o.txid = late and o.id <= $3::bigint
) as o
where not pg_visible_in_snapshot(txid, $1::pg_snapshot) and pg_visible_in_snapshot(txid, $2::pg_snapshot)
  and ($4::text is null or topic = $4 or ($4 like '%.*' and starts_with(topic, left($4, -1))))
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

/// $1 text or null: subscription
inline constexpr char const* explain_stall = R"sql(select * from explain_stall($1))sql";

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
       (select greatest(reltuples, 0)::bigint from pg_class where oid = 'idempotency_record'::regclass) as records_estimated,
       (select count(*) from (select from idempotency_record where expires_at <= clock_timestamp() limit 100000) as e)
           as records_expired,
       (select last_value from outbox_id_seq) as messages_staged,
       (select pg_size_pretty(sum(pg_total_relation_size(inhrelid))) from pg_inherits where inhparent = 'outbox'::regclass)
           as outbox_size,
       (select greatest(reltuples, 0)::bigint from pg_class where oid = 'scheduled_message'::regclass) as scheduled_estimated,
       (select count(*) from lease where released_at is null and expires_at > clock_timestamp()) as leases_held)sql";

/// The oldest transaction of the database, if it is older than a minute.
inline constexpr char const* oldest_transaction = R"sql(
select pid, usename as role, application_name as application, state, date_trunc('second', clock_timestamp() - xact_start) as age,
       case when backend_xid is not null then 'has written' else 'only reads' end as writes
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and xact_start < clock_timestamp() - interval '1 minute'
order by xact_start limit 1)sql";

/// Every object of a schema with its definition.
///   $1 text: schema
/// Columns: kind, name, definition, mend (SQL that makes it, where there is one)
inline constexpr char const* catalog = R"sql(
with s as (select oid, nspname from pg_namespace where nspname = $1),
own as (
    select 'table' as kind, c.relname::text as name,
           concat_ws(' ', case c.relkind when 'p' then 'partitioned ' || pg_get_partkeydef(c.oid) when 'v' then 'view' else 'table' end,
                     case c.relpersistence when 'u' then 'UNLOGGED' end,
                     case when c.relrowsecurity then 'ROW SECURITY' end,
                     pg_get_expr(c.relpartbound, c.oid), array_to_string(c.reloptions, ', ')) as definition,
           case when c.relkind = 'r' then format('alter table %I.%I set logged', s.nspname, c.relname) end as mend
    from pg_class as c join s on c.relnamespace = s.oid where c.relkind in ('r', 'p')
    union all
    select 'view', c.relname, pg_get_viewdef(c.oid), format('create or replace view %I.%I as %s', s.nspname, c.relname, rtrim(pg_get_viewdef(c.oid), ';'))
    from pg_class as c join s on c.relnamespace = s.oid where c.relkind = 'v'
    union all
    select 'column', c.relname || '.' || a.attname,
           concat_ws(' ', format_type(a.atttypid, a.atttypmod), case when a.attnotnull then 'not null' end,
                     case when a.attcollation <> t.typcollation then 'collate ' || (select collname from pg_collation where oid = a.attcollation) end,
                     case a.attgenerated when 's' then 'generated' end,
                     'default ' || pg_get_expr(d.adbin, d.adrelid)),
           null
    from pg_class as c join s on c.relnamespace = s.oid
    join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_type as t on t.oid = a.atttypid
    left join pg_attrdef as d on d.adrelid = c.oid and d.adnum = a.attnum
    where c.relkind in ('r', 'p', 'c')
    union all
    select 'constraint', coalesce(c.relname, t.typname) || '.' || o.conname,
           pg_get_constraintdef(o.oid) || case when o.convalidated then '' else ' NOT VALID' end
               || case when o.condeferrable then ' DEFERRABLE' else '' end,
           format('alter %s %I.%I add constraint %I %s', case when c.oid is null then 'domain' else 'table' end,
                  s.nspname, coalesce(c.relname, t.typname), o.conname, pg_get_constraintdef(o.oid))
    from pg_constraint as o join s on o.connamespace = s.oid
    left join pg_class as c on c.oid = o.conrelid
    left join pg_type as t on t.oid = o.contypid
    where o.contype in ('c', 'p', 'u', 'f', 'x')
    union all
    select 'index', c.relname,
           pg_get_indexdef(c.oid) || case when i.indisvalid then '' else ' INVALID' end
               || coalesce(' ' || array_to_string(c.reloptions, ', '), ''),
           replace(pg_get_indexdef(c.oid), ' ON ONLY ', ' ON ')
    from pg_class as c join s on c.relnamespace = s.oid join pg_index as i on i.indexrelid = c.oid
    where not c.relispartition and not exists (select from pg_constraint as o where o.conindid = c.oid)
    union all
    select 'sequence', c.relname, format('%s cache %s increment %s', format_type(q.seqtypid, null), q.seqcache, q.seqincrement),
           format('alter sequence %I.%I cache %s increment %s', s.nspname, c.relname, q.seqcache, q.seqincrement)
    from pg_class as c join s on c.relnamespace = s.oid join pg_sequence as q on q.seqrelid = c.oid
    union all
    select 'function', p.oid::regprocedure::text, pg_get_functiondef(p.oid), pg_get_functiondef(p.oid)
    from pg_proc as p join s on p.pronamespace = s.oid
    union all
    select 'public right', p.oid::regprocedure::text, 'execute', null::text
    from pg_proc as p join s on p.pronamespace = s.oid
    where exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a where a.grantee = 0)
    union all
    select 'right', format('%s on function %s to %s', lower(a.privilege_type), p.oid::regprocedure, r.rolname), a.privilege_type,
           format('grant execute on function %s to %I', p.oid::regprocedure, r.rolname)
    from pg_proc as p join s on p.pronamespace = s.oid
    cross join lateral aclexplode(p.proacl) as a join pg_roles as r on r.oid = a.grantee and r.oid <> p.proowner
    where r.rolname like s.nspname || '\_%'
    union all
    select 'right', format('%s on %s to %s', lower(a.privilege_type), c.oid::regclass, r.rolname), a.privilege_type,
           format('grant %s on %s to %I', a.privilege_type, c.oid::regclass, r.rolname)
    from pg_class as c join s on c.relnamespace = s.oid
    cross join lateral aclexplode(c.relacl) as a join pg_roles as r on r.oid = a.grantee and r.oid <> c.relowner
    where r.rolname like s.nspname || '\_%'
    union all
    select 'trigger', c.relname || '.' || t.tgname, pg_get_triggerdef(t.oid), pg_get_triggerdef(t.oid)
    from pg_trigger as t join pg_class as c on c.oid = t.tgrelid join s on c.relnamespace = s.oid where not t.tgisinternal
    union all
    select 'rule', c.relname || '.' || r.rulename, pg_get_ruledef(r.oid), null
    from pg_rewrite as r join pg_class as c on c.oid = r.ev_class join s on c.relnamespace = s.oid where r.rulename <> '_RETURN'
    union all
    select 'domain', t.typname, format_type(t.typbasetype, t.typtypmod), null
    from pg_type as t join s on t.typnamespace = s.oid where t.typtype = 'd'
    union all
    select 'comment', pg_describe_object(d.classoid, d.objoid, d.objsubid), d.description, null
    from pg_description as d
    join lateral (
        select relnamespace as nsp from pg_class where oid = d.objoid and d.classoid = 'pg_class'::regclass
        union all select pronamespace from pg_proc where oid = d.objoid and d.classoid = 'pg_proc'::regclass
        union all select typnamespace from pg_type where oid = d.objoid and d.classoid = 'pg_type'::regclass
        union all select connamespace from pg_constraint where oid = d.objoid and d.classoid = 'pg_constraint'::regclass
    ) as o on true join s on o.nsp = s.oid
)
select kind, name, definition, mend from own)sql";

/// The process that answers: another one than the connection was made with, where a pooler stands between.
inline constexpr char const* server_process = R"sql(select pg_backend_pid())sql";

/// Settings that break a promise. One row each: what, why, what to do.
///   $1 text: schema
inline constexpr char const* risky_settings = R"sql(
select 'setting ' || name || ' is ' || setting as what, why, mend
from pg_settings
join (values
    ('fsync', 'off', 'a crash of the machine loses or corrupts what was acknowledged', 'alter system set fsync = on'),
    ('full_page_writes', 'off', 'a crash of the machine can corrupt the data', 'alter system set full_page_writes = on'),
    ('synchronous_commit', 'off', 'a crash loses the last commits; execute() raises it for its own transactions',
     'alter system set synchronous_commit = on'),
    ('autovacuum', 'off', 'tables grow, and the cluster stops at transaction id wraparound', 'alter system set autovacuum = on'),
    ('track_activities', 'off', 'explain_stall() cannot name who holds things up', 'alter system set track_activities = on')
) as risk (name, bad, why, mend) using (name)
where setting = bad
union all
select format('%s runs a transaction for %s (pid %s, user %s, application %s)', coalesce(backend_type, 'session'),
              date_trunc('second', clock_timestamp() - xact_start), pid, usename, application_name),
       'it keeps dead rows of every table, and slots of the outbox that it can see',
       format('select pg_terminate_backend(%s)', pid)
from pg_stat_activity
where xact_start < clock_timestamp() - interval '10 minutes' and pid <> pg_backend_pid() and backend_type = 'client backend'
union all
select format('prepared transaction %s of %s is %s old', gid, owner, date_trunc('second', clock_timestamp() - prepared)),
       'its messages wait for it, and so do claims of its keys', format('commit prepared %L, or rollback prepared %1$L', gid)
from pg_prepared_xacts where prepared < clock_timestamp() - interval '10 minutes' and database = current_database()
union all
select format('the notification queue is %s %% full', round((pg_notification_queue_usage() * 100)::numeric)),
       'above 50 % nobody wakes readers any more, and a full queue makes commits with NOTIFY fail',
       'end the session that listens and never reads: select pid from pg_stat_activity where state = ''idle in transaction'''
where pg_notification_queue_usage() > 0.3)sql";

} // namespace once::command::queries
