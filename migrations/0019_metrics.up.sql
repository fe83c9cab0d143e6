-- 0019 metrics: numbers for monitoring, and an explanation for a person who asks why nothing moves.
--
-- Apply: into the schema that holds 0018.
-- Locks: creates new objects only.
-- Reverse: 0019_metrics.down.sql

do $file$ begin
perform begin_migration('0019_metrics');

create function oldest_waiting(p_at checkpoint) returns timestamptz
language plpgsql stable security definer set search_path from current
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set jit = off
as $$
declare
    v_late timestamptz;
    v_new  timestamptz;
begin
    select min(o.published_at) into v_late
    from pg_snapshot_xip(p_at.from_snap) as late
    cross join lateral (select o.published_at from outbox as o
                        where o.txid = late and o.id > p_at.last_id and o.id <= p_at.from_id
                          and not is_passed(p_at, o.txid, o.id)
                        order by o.txid, o.id limit 1) as o;
    select o.published_at into v_new from outbox as o
    where o.id > greatest(p_at.from_id, p_at.last_id) and not is_passed(p_at, o.txid, o.id)
    order by o.id limit 1;
    return least(v_late, v_new);
end $$;
comment on function oldest_waiting(checkpoint) is
    'When the first message that lies before this position was staged, whatever its topic; null when none does.';

create view metrics as
with slices as materialized (
    select c.*, s.state, oldest_waiting(c) as waiting_since
    from newest_checkpoints() as c join subscription as s on s.service = c.service and s.name = c.subscription
), relations as materialized (
    select c.relname::text as name, c.reltuples, pg_total_relation_size(c.oid) as bytes,
           -- As the planner does it: so dense as it was, so large as it is. Null where it was never looked at, or empty
           -- then.
           case when c.relpages > 0 and c.reltuples > 0
                then round(c.reltuples::numeric * (pg_relation_size(c.oid) / current_setting('block_size')::integer) /
                    c.relpages)
                end as estimate
    from pg_class as c
    where c.relnamespace = (select relnamespace from pg_class where oid = 'outbox'::regclass) and c.relkind = 'r'
)
select 'once_schema_version'::text as name, '{}'::text as labels, 'gauge'::text as kind,
       installed_version()::double precision as value, 'Number of the newest migration.'::text as help
union all
select 'once_idempotency_records', '{}', 'gauge',
       coalesce(estimate, (select count(*) from (select from idempotency_record limit 100000) as few)),
       'Idempotency records, as estimated by statistics and size of the table; counted up to 100000 where there are '
       'none.'
from relations where name = 'idempotency_record'
union all
select 'once_idempotency_records_expired', '{}', 'gauge',
       (select count(*) from (select from idempotency_record where expires_at <= clock_timestamp() limit 100000) as e),
       'Expired records that wait for purge; counted up to 100000.'
union all
select 'once_idempotency_records_unfinished', '{}', 'gauge',
       (select count(*) from (select from idempotency_record where completed_at is null
                              and expires_at > clock_timestamp() - interval '366 days' limit 1000) as e),
       'Records that were committed without a response; counted up to 1000.'
where (select reltuples from relations where name = 'idempotency_record') < 1000000
union all
select 'once_table_bytes', format('{"table":"%s"}', name), 'gauge', bytes, 'Size of a table with its indexes.'
from relations
union all
select 'once_outbox_last_id', '{}', 'counter', (select last_value from outbox_id_seq),
       'Newest place in the log: its rate is that of staged messages.'
union all
select 'once_subscription_waiting_messages', format('{"service":%s,"subscription":%s,"slice":"%s"}',
           to_json(service), to_json(subscription), slice), 'gauge',
       case when waiting_since is null then 0
            else greatest(1, (select last_value from outbox_id_seq) - greatest(from_id, last_id)) end,
       'Messages before the position of a slice: an upper bound, whatever their topic.'
from slices
union all
select 'once_subscription_waiting_seconds', format('{"service":%s,"subscription":%s,"slice":"%s"}',
           to_json(service), to_json(subscription), slice), 'gauge',
       coalesce(extract(epoch from clock_timestamp() - waiting_since), 0),
       'Age of the oldest message before the position of a slice; 0 when none waits.'
from slices
union all
select 'once_subscription_acknowledged_total', format('{"service":%s,"subscription":%s,"slice":"%s"}',
           to_json(service), to_json(subscription), slice), 'counter', number,
       'Batches that a slice has acknowledged.'
from slices
union all
select 'once_subscription_silent_seconds', format('{"service":%s,"subscription":%s,"slice":"%s"}',
           to_json(service), to_json(subscription), slice), 'gauge',
       extract(epoch from clock_timestamp() - acknowledged_at),
       'Time since a slice acknowledged anything; matters only while messages wait.'
from slices
union all
select 'once_subscription_active', format('{"service":%s,"subscription":%s}', to_json(service), to_json(name)), 'gauge',
       (state = 'active')::integer, '1 when active, 0 when paused or expired.'
from subscription
union all
select 'once_parked_messages', format('{"service":%s,"subscription":%s,"state":"%s"}',
           to_json(s.service), to_json(s.name), p.state), 'gauge',
       (select count(*) from parked_message as m
        where m.service = s.service and m.subscription = s.name and m.state = p.state),
       'Messages whose delivery failed (retrying, dead), and later ones of their keys (waiting).'
from subscription as s cross join unnest(enum_range(null::parked_state)) as p (state)
union all
select 'once_scheduled_messages', '{}', 'gauge',
       coalesce(estimate, (select count(*) from (select from scheduled_message limit 100000) as few)),
       'Messages that are to be delivered later, as estimated by statistics and size of the table; counted up to '
       '100000 where there are none.'
from relations where name = 'scheduled_message'
union all
select 'once_scheduled_overdue_seconds', '{}', 'gauge',
       coalesce((select greatest(0, extract(epoch from clock_timestamp() - due_at)) from scheduled_message
           order by due_at limit 1), 0),
       'How long the first scheduled message has been due; more than a few seconds means that no reader runs.'
union all
select 'once_leases_held', '{}', 'gauge',
       (select count(*) from lease where released_at is null
           and expires_at > clock_timestamp()), 'Leases that are held.'
union all
select 'once_oldest_transaction_seconds', '{}', 'gauge',
       coalesce((select max(extract(epoch from clock_timestamp() - xact_start)) from pg_stat_activity
                 where datname = current_database() and pid <> pg_backend_pid()), 0),
       'Age of the oldest transaction in this database. It delays only its own messages, but keeps dead rows.'
union all
select 'once_notification_queue_usage', '{}', 'gauge', pg_notification_queue_usage(),
       'Share of the notification queue that is full; from 0.5 on readers are not woken any more, they poll.';
comment on view metrics is
    'The single source of what is monitored: name, labels (JSON), kind, value, help. once metrics and once relay '
    'serve it.';
comment on column metrics.name is 'Name of the metric, as Prometheus takes it.';
comment on column metrics.labels is 'Its labels, as a JSON object.';
comment on column metrics.kind is 'gauge or counter.';
comment on column metrics.value is 'Its value now.';
comment on column metrics.help is 'What it means.';

-- The reads come before the look at the sequence, whose value only grows.
create function copied_apart() returns table (service text, what text, why text, fix text, advice text)
language plpgsql stable security definer set search_path from current set enable_seqscan = off set jit = off
as $$
#variable_conflict use_column
declare
    v_newest constant bigint := newest_place();
    v_last   constant bigint := pg_sequence_last_value('outbox_id_seq');
begin
    if v_last < v_newest then
        what := 'outbox_id_seq is behind the messages';
        why := format('it is at %s, and places up to %s are taken: rows were copied without their sequence, and '
            'messages could be skipped', v_last, v_newest);
        fix := format('select * from %I.rebase()', current_schema());
        advice := 'as the owner of the schema';
        return next;
    end if;
    return query
    select s.service, format('slice %s of subscription %s of service %s has no checkpoint', n.slice, s.name, s.service),
           'checkpoint was copied without subscription, or the other way round: where it stood is not known',
           format('select %1$I.unsubscribe(%2$L, %3$L)', current_schema(), s.name, s.service), 'then subscribe() again'
    from subscription as s cross join generate_series(0, s.slices - 1) as n (slice)
    where (s.service = service_of_session() or can_look_everywhere())
      and not exists (select from checkpoint as c
                      where c.service = s.service and c.subscription = s.name and c.slice = n.slice);
    if not exists (select from lease_floor) then
        service := null;
        what := 'lease_floor has no row';
        why := 'leases were copied without it: a fence that a purged lease had could be given out again';
        fix := '';
        advice := format('insert into %I.lease_floor (fence) a number above every fence that was handed out',
            current_schema());
        return next;
    end if;
end $$;
comment on function copied_apart() is
    'What must agree and does not, because one was copied, or restored, without the other: one row for each, with '
    'the statement that fixes it, and the service that it stops; null: all. The library looks at it when it starts; '
    'doctor and explain_stall() show it.';

-- More than 80 lines: one query for each reason.
create function explain_stall(p_subscription text default null, p_service text default null)
returns table (service text, subscription text, slice integer, reason text, detail text, fix text)
-- Compiling it took seconds, and it runs for milliseconds.
language plpgsql stable security definer set search_path from current set jit = off
as $$
#variable_conflict use_column
declare
    v_service constant text := p_service;
    v_here    constant text := quote_ident(current_schema()) || '.';
begin
    -- In `fix` no text of others stands behind the dashes of a comment: a line break in it would end the comment.
    if p_subscription is not null and not exists (
        select from subscription as s
        where s.name = p_subscription and (v_service is null or s.service = v_service)
          and (s.service = service_of_session() or can_look_everywhere()))
    then
        raise exception 'there is no subscription %', quote_literal(p_subscription)
            || coalesce(' of service ' || quote_literal(v_service),
                        case when not can_look_everywhere() then ' of service '
                            || quote_literal(service_of_session()) end, '')
            using errcode = 'ON060',
                  hint = coalesce('there are: '
                      || (select string_agg(format('%s (of service %s)', few.name, few.service), ', '
                          order by few.name, few.service)
                          from (select s.name, s.service from subscription as s
                                where s.service = service_of_session() or can_look_everywhere()
                                order by s.name, s.service limit 10) as few), 'there is none');
    end if;
    return query
    with wanted as (
        select s.* from subscription as s
        where (v_service is null or s.service = v_service) and (p_subscription is null or s.name = p_subscription)
          and (s.service = service_of_session() or can_look_everywhere())
    ), at as materialized (
        select c.*, oldest_waiting(c) as waiting_since
        from newest_checkpoints() as c join wanted as w on w.service = c.service and w.name = c.subscription
    ), held as (
        select a.service, a.subscription, a.slice, a.waiting_since, a.acknowledged_at,
               l.holder, l.acquired_at, l.expires_at, l.released_at
        from at as a
        left join lease as l on l.service = a.service and l.name = format('subscription/%s/%s', a.subscription, a.slice)
    )
    select c.service, null::text, null::integer, c.what, c.why, case when c.fix = '' then '-- '
        else c.fix || ' -- ' end || c.advice from copied_apart() as c
    where p_service is null or c.service is null or c.service = p_service
    union all
    select w.service, w.name, null::integer, 'the subscription is ' || w.state,
           case w.state when 'paused' then 'pause_subscription() was called'
                else 'it stood still for longer than ' || w.expire_after || ', so its messages may be gone' end,
           case w.state when 'paused' then format('select %spause_subscription(%L, false, %L);', v_here, w.name,
               w.service)
                else format('select %sresume_expired(%L, %L);', v_here, w.name, w.service) end
    from wanted as w where w.state <> 'active'
    union all
    select w.service, w.name, null, 'the database was restored, or upgraded',
           'its positions speak of cluster ' || w.system_identifier, format('select * from %srebase();', v_here)
    from wanted as w where w.system_identifier <> (select system_identifier::text from pg_control_system())
    union all
    select h.service, h.subscription, h.slice, 'no reader is running',
           case when h.holder is null then 'no reader has ever read this slice'
                when h.released_at is not null then format('%s stopped at %s', h.holder, h.released_at)
                else format('%s has not been heard of since its lease ran out at %s', h.holder, h.expires_at) end,
           '-- start a consumer or a relay for it'
    from held as h
    where h.waiting_since is not null and (h.holder is null or h.released_at is not null
        or h.expires_at <= clock_timestamp())
    union all
    select h.service, h.subscription, h.slice, 'the reader acknowledges nothing',
           format('%s has the slice since %s, messages wait since %s, the last acknowledgement was at %s', h.holder,
                  h.acquired_at, h.waiting_since, h.acknowledged_at),
           coalesce((select format('-- look at pid %s (%s, %s %s since %s)', a.pid, a.application_name, a.state,
                                   coalesce(a.wait_event_type || '/' || a.wait_event, ''), a.state_change)
                     from pg_stat_activity as a where a.application_name = h.holder and a.pid <> pg_backend_pid()
                     order by a.xact_start nulls last limit 1), '-- look at its log')
    from held as h
    where h.waiting_since < clock_timestamp() - interval '10 seconds' and h.released_at is null
      and h.expires_at > clock_timestamp() and h.acknowledged_at < clock_timestamp() - interval '10 seconds'
    union all
    select p.service, p.subscription, p.slice::integer, 'key ' || coalesce(quote_literal(p.key),
        '(none)') || ' is blocked by a dead message',
           format('message %s, %s attempts, %s: %s', p.message_id, p.attempts,
                  (select count(*) || ' wait behind it' from parked_message as w
                   where w.service = p.service and w.subscription = p.subscription and w.key = p.key
                       and w.state = 'waiting'),
                  coalesce(p.last_error, 'no error was recorded')),
           format('select %sredrive(%L, %L, p_service => %L); -- or discard() with the same arguments', v_here,
                  p.subscription, p.message_id, p.service)
    from (select d.* from parked_message as d join wanted as w on w.service = d.service and w.name = d.subscription
          where d.state = 'dead' order by d.id limit 50) as p
    union all
    select p.service, p.subscription, p.slice::integer, 'key ' || coalesce(quote_literal(p.key),
        '(none)') || ' waits for another attempt',
           format('message %s failed %s times, next attempt at %s: %s', p.message_id, p.attempts, p.next_attempt_at,
                  coalesce(p.last_error, 'no error was recorded')), '-- nothing to do: it comes by itself'
    from (select d.* from parked_message as d join wanted as w on w.service = d.service and w.name = d.subscription
          where d.state = 'retrying' order by d.id limit 50) as p
    union all
    select null, null, null, 'an open transaction has staged messages',
           format('pid %s, user %s, application %s, since %s, now %s: its messages come when it commits; it delays no '
               'others',
                  a.pid, a.usename, a.application_name, a.xact_start, a.state),
           format('select pg_terminate_backend(%s); -- or wait', a.pid)
    from pg_stat_activity as a
    -- Another database, a copy of the same template say, can have a table of the same number.
    where a.datname = current_database() and a.xact_start < clock_timestamp() - interval '5 seconds'
      and a.pid in (select l.pid from pg_locks as l where l.relation = 'outbox'::regclass
          and l.mode = 'RowExclusiveLock')
    union all
    select null, null, null, 'a prepared transaction may hold messages',
           format('%s of %s, prepared at %s', x.gid, x.owner, x.prepared),
               format('commit prepared %L; -- or rollback prepared', x.gid)
    from pg_prepared_xacts as x where x.database = current_database();
end $$;
comment on function explain_stall(text, text) is
    'Why a subscription does not move: one row per reason, with who is to blame and what to do, as SQL that can be '
    'run as it stands, or as a comment. No row: nothing stands in its way. ON060: there is no such subscription. A '
    'service sees its own subscriptions; the owner of the schema, inspectors and administrators see all.';

create function can_look_everywhere() returns boolean
language plpgsql stable
as $$
begin
    return pg_has_role(session_user, (select nspowner from pg_namespace
        where oid = current_schema()::regnamespace), 'member')
        or exists (select from pg_roles as r where r.rolname in (current_schema() || '_inspector',
            current_schema() || '_administrator')
                   and pg_has_role(session_user, r.oid, 'member'));
end $$;
comment on function can_look_everywhere() is 'Whether this session may see the subscriptions of all services.';

perform end_migration();
end $file$;
