-- 0018 outbox_views: what people look at when messages do not come.
--
-- Apply: into the schema that holds 0017.
-- Locks: creates new objects only.
-- Reverse: 0018_outbox_views.down.sql

do $file$ begin
perform begin_migration('0018_outbox_views');

-- A function, because a view's plan would be the reader's: with a table of millions it must not be a scan of all.
create function waiting_for(p_service text, p_subscription text, p_slice integer,
                            out messages integer, out published_at timestamptz, out beyond bigint)
language plpgsql stable security definer set search_path from current
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set jit = off
as $$
declare
    v_sub   subscription;
    v_at    checkpoint;
    v_row   record;
    v_from  bigint;
    v_new   bigint;
    v_count integer := 0;
    v_last  bigint;
begin
    messages := 0;
    beyond := 0;
    select * into v_sub from subscription where service = p_service and name = p_subscription;
    select * into v_at from checkpoint as c
    where c.service = p_service and c.subscription = p_subscription and c.slice = p_slice
    order by c.service desc, c.subscription desc, c.slice desc, c.number desc limit 1;
    if not found then
        return;
    end if;
    v_from := greatest(v_at.from_id, v_at.last_id);
    v_new := greatest(v_from, v_at.seen_id);
    for v_row in
        -- committed late
        (select o.id, o.txid, o.topic, o.bucket, o.published_at as at
         from unnest(array(select pg_snapshot_xip(v_at.from_snap))) as late (txid)
         cross join lateral (
            select * from outbox as o where o.txid = late.txid and o.id > v_at.last_id and o.id <= v_at.from_id
            order by o.txid, o.id limit 100) as o
         limit 1000)
        union all
        -- where most is behind it
        (select o.id, o.txid, o.topic, o.bucket, o.published_at from outbox as o
         where o.id > v_from and o.id <= v_new order by o.id limit 1000)
        union all
        -- where nothing is
        (select o.id, o.txid, o.topic, o.bucket, o.published_at from outbox as o where o.id > v_new
            order by o.id limit 1000)
    loop
        if v_row.id > v_new then
            v_count := v_count + 1;
            v_last := v_row.id;
        end if;
        if not is_passed(v_at, v_row.txid, v_row.id) and v_row.bucket % v_sub.slices = p_slice
           and is_wanted(v_sub, v_row.topic, v_row.at) then
            messages := messages + 1;
            published_at := least(published_at, v_row.at);
        end if;
    end loop;
    if v_count = 1000 then
        beyond := (select last_value from outbox_id_seq) - v_last;
    end if;
end $$;
comment on function waiting_for(text, text, integer) is
    'For subscription_lag: how many messages wait for a slice among the next thousand places of the log, since when, '
    'and how many places are beyond those.';

create view subscription_lag as
select s.service, s.name as subscription, c.slice, s.state,
       w.messages + w.beyond / s.slices as messages,
       w.beyond > 0 as estimated,
       w.published_at as waiting_since,
       round(extract(epoch from clock_timestamp() - w.published_at)::numeric, 1) as seconds,
       c.acknowledged_at, c.acknowledged_by, c.number as batches,
       s.system_identifier <> (select system_identifier::text from pg_control_system()) as needs_rebase
from subscription as s
cross join generate_series(0, s.slices - 1) as slices (slice)
cross join lateral (
    select * from checkpoint as c
    where c.service = s.service and c.subscription = s.name and c.slice = slices.slice
    order by c.service desc, c.subscription desc, c.slice desc, c.number desc limit 1) as c
cross join lateral waiting_for(s.service, s.name, c.slice) as w;
comment on view subscription_lag is
    'How far each slice of each subscription is behind. Looks at no more than about a thousand places of the log per '
    'slice.';
comment on column subscription_lag.service is 'The service that reads.';
comment on column subscription_lag.subscription is 'Its subscription.';
comment on column subscription_lag.slice is 'Its slice.';
comment on column subscription_lag.state is 'active, paused or expired.';
comment on column subscription_lag.messages is
    'Messages that wait; parked ones are in parked_summary. Above about a thousand it is an estimate, see estimated.';
comment on column subscription_lag.estimated is
    'Only the next thousand places of the log were looked at; the rest is counted as if each place held a message for '
    'it.';
comment on column subscription_lag.waiting_since is
    'When the oldest of them was staged, among those that were looked at.';
comment on column subscription_lag.seconds is 'That long ago.';
comment on column subscription_lag.acknowledged_at is
    'When its reader last acknowledged a batch. A reader that has nothing to do acknowledges nothing.';
comment on column subscription_lag.acknowledged_by is 'By whom.';
comment on column subscription_lag.batches is 'Acknowledged batches since it was made.';
comment on column subscription_lag.needs_rebase is 'The database was restored: nothing is delivered until rebase().';

create view parked_summary as
select p.service, p.subscription, p.state, count(*) as messages, count(distinct p.key) as keys,
    min(p.parked_at) as oldest,
       min(p.next_attempt_at) as next_attempt_at, max(p.attempts) as most_attempts,
       (array_agg(p.last_error order by p.parked_at desc) filter (where p.last_error is not null))[1] as newest_error
from parked_message as p
group by p.service, p.subscription, p.state;
comment on view parked_summary is
    'How many messages of each subscription are retrying, waiting or dead. Reads parked_message, all of it.';
comment on column parked_summary.service is 'The service that reads.';
comment on column parked_summary.subscription is 'Its subscription.';
comment on column parked_summary.state is 'retrying, waiting or dead; see parked_message.state.';
comment on column parked_summary.messages is 'How many.';
comment on column parked_summary.keys is 'Of how many keys.';
comment on column parked_summary.oldest is 'Since when the oldest is parked.';
comment on column parked_summary.next_attempt_at is 'When the next one comes again.';
comment on column parked_summary.most_attempts is 'The most attempts that one of them has had.';
comment on column parked_summary.newest_error is 'Why the newest of them that was tried has failed.';

create view blocked_key as
select p.service, p.subscription, p.key, f.id, f.message_id, f.topic, f.state, f.attempts, f.next_attempt_at,
    f.last_error,
       p.behind, f.parked_at as since, f.given_id
from (select w.service, w.subscription, w.key, min(w.id) as first, count(*) filter (where w.state = 'waiting') as behind
      from parked_message as w
      join subscription as s on s.service = w.service and s.name = w.subscription
      where w.key is not null and (s.dead_blocks_key or w.state <> 'dead')
      group by w.service, w.subscription, w.key) as p
join parked_message as f on f.service = p.service and f.subscription = p.subscription and f.id = p.first;
comment on view blocked_key is
    'Keys whose messages are held back, and the message that is to blame: dead ones need redrive() or discard().';
comment on column blocked_key.service is 'The service that reads.';
comment on column blocked_key.subscription is 'Its subscription.';
comment on column blocked_key.key is 'The key.';
comment on column blocked_key.id is 'Place of the first message in the log.';
comment on column blocked_key.message_id is 'Its id, for redrive() and discard().';
comment on column blocked_key.topic is 'Its topic.';
comment on column blocked_key.state is 'retrying or dead.';
comment on column blocked_key.attempts is 'How often it was tried.';
comment on column blocked_key.next_attempt_at is 'When it comes again; null: never by itself.';
comment on column blocked_key.last_error is 'Why it failed.';
comment on column blocked_key.behind is 'How many parked messages wait behind it. More may come.';
comment on column blocked_key.since is 'Since when it is parked.';
comment on column blocked_key.given_id is 'The id that its application gave, if it gave one.';

create view subscription_throughput as
select c.service, c.subscription, c.slice, date_trunc('minute', c.acknowledged_at) as minute, count(*) as batches,
       sum(c.messages) as messages, round(sum(c.messages) / 60.0, 1) as messages_per_second,
       count(distinct c.acknowledged_by) as readers
from checkpoint as c
where c.number > 0
group by c.service, c.subscription, c.slice, minute;
comment on view subscription_throughput is
    'Messages per minute, as far back as the checkpoints go: about an hour. The minute that is running is not over '
    'yet.';
comment on column subscription_throughput.service is 'The service that reads.';
comment on column subscription_throughput.subscription is 'Its subscription.';
comment on column subscription_throughput.slice is 'Its slice.';
comment on column subscription_throughput.minute is 'The minute.';
comment on column subscription_throughput.batches is 'Acknowledged batches.';
comment on column subscription_throughput.messages is 'Messages in them, parked ones included.';
comment on column subscription_throughput.messages_per_second is 'Mean over the whole minute.';
comment on column subscription_throughput.readers is 'How many names acknowledged; more than one: a takeover.';

create view oldest_transaction as
with open as (
    select a.pid, null::text as gid, a.usename::text as role, a.application_name, a.datname::text as database, a.state,
           a.xact_start as since, a.backend_xid::text as xid, coalesce(a.backend_xid, a.backend_xmin) as horizon,
           split_part(a.query, E'\n', 1) as statement,
           exists (select from pg_locks as l where l.pid = a.pid and l.locktype = 'relation'
               and l.mode = 'RowExclusiveLock'
                   and l.relation in ('outbox'::regclass, 'scheduled_message'::regclass)
                   and l.database = (select oid from pg_database where datname = current_database())) as stages,
           exists (select from pg_locks as l join pg_inherits as i on i.inhrelid = l.relation
               and i.inhparent = 'outbox'::regclass
                   where l.pid = a.pid and l.locktype = 'relation'
                   and l.database = (select oid from pg_database where datname = current_database())) as uses_slot
    from pg_stat_activity as a
    where a.xact_start is not null and a.pid <> pg_backend_pid() and a.backend_type = 'client backend'
    union all
    -- Columns without a name get one in a dump.
    select null as pid, p.gid, p.owner::text, null as application, p.database::text, 'prepared' as state, p.prepared,
           p.transaction::text, p.transaction, null as query,
           exists (select from pg_locks as l where l.virtualtransaction = x.virtualtransaction
               and l.locktype = 'relation'
                   and l.mode = 'RowExclusiveLock' and l.relation in ('outbox'::regclass, 'scheduled_message'::regclass)
                   and p.database = current_database()),
           exists (select from pg_locks as l join pg_inherits as i on i.inhrelid = l.relation
               and i.inhparent = 'outbox'::regclass
                   where l.virtualtransaction = x.virtualtransaction and l.locktype = 'relation'
                       and p.database = current_database())
    from pg_prepared_xacts as p
    -- Its locks are under the virtual id of the session that prepared it.
    left join pg_locks as x on x.locktype = 'transactionid' and x.transactionid = p.transaction
        and x.mode = 'ExclusiveLock'
)
select since, date_trunc('milliseconds', clock_timestamp() - since) as open_for, pid, gid, role, application_name,
    database, state,
       stages, uses_slot,
       case when stages then 'its own messages wait for its commit, no others'
            when uses_slot then 'reads the outbox: a slot of the ring cannot be emptied'
            else 'none for the outbox; vacuum of other tables may wait for it' end as matters,
       statement
from (select *, row_number() over (partition by database = current_database() order by since) as place from open
      where database = current_database() or horizon is not null) as open
where place <= 20
order by since;
comment on view oldest_transaction is
    'The 20 transactions of this database, and the 20 of others on this server, that are open for longest, and '
    'whether that matters to the outbox. Readers never wait for them. Without the rights of pg_read_all_stats a role '
    'sees its own transactions only.';
comment on column oldest_transaction.since is 'When it began, or was prepared.';
comment on column oldest_transaction.open_for is 'That long ago.';
comment on column oldest_transaction.pid is 'Process of the server; null for a prepared one.';
comment on column oldest_transaction.gid is 'Name of a prepared transaction.';
comment on column oldest_transaction.role is 'Who.';
comment on column oldest_transaction.application_name is 'As what.';
comment on column oldest_transaction.database is 'Where.';
comment on column oldest_transaction.state is
    'active, idle in transaction, ...; prepared: it waits for COMMIT PREPARED.';
comment on column oldest_transaction.stages is
    'It has staged or scheduled messages that no other transaction can see yet.';
comment on column oldest_transaction.uses_slot is
    'It has a lock on a slot of the ring, which cannot be emptied meanwhile.';
comment on column oldest_transaction.matters is 'What that means.';
comment on column oldest_transaction.statement is 'First line of its last statement.';

create function slot_edges(p_slot integer, out oldest_id bigint, out newest_id bigint, out oldest_at timestamptz,
    out newest_at timestamptz)
language plpgsql stable security definer set search_path from current
as $$
declare
    v_slot constant text := format('%I.outbox_%s', current_schema(), p_slot);
begin
    if (p_slot between 0 and 7) is not true then
        raise exception 'the ring has slots 0 to 7' using errcode = '22023';
    end if;
    execute format('select id, published_at from %s order by id limit 1', v_slot) into oldest_id, oldest_at;
    execute format('select id, published_at from %s order by id desc limit 1', v_slot) into newest_id, newest_at;
end $$;
comment on function slot_edges(integer) is 'For ring_usage: the oldest and the newest message in a slot, by the index.';

create view ring_usage as
select right(c.relname, 1)::integer as slot,
       e.oldest_id, e.newest_id, e.oldest_at, e.newest_at,
       greatest(c.reltuples, 0)::bigint as estimated_messages,
       pg_total_relation_size(c.oid) as bytes,
       q.last_value >> 20 & 7 = right(c.relname, 1)::integer as is_written,
       coalesce(e.newest_id >> 20 < q.last_value >> 20, false) as is_full,
       coalesce(e.oldest_id >> 20 < e.newest_id >> 20, false) as is_lapped
from pg_inherits as i
join pg_class as c on c.oid = i.inhrelid
cross join outbox_id_seq as q
cross join lateral slot_edges(right(c.relname, 1)::integer) as e
where i.inhparent = 'outbox'::regclass;
comment on view ring_usage is 'The eight slots of the outbox. Reads two messages of each.';
comment on column ring_usage.slot is 'Number of the slot: the partition outbox_N.';
comment on column ring_usage.oldest_id is 'Its oldest place in the log that is in use.';
comment on column ring_usage.newest_id is 'Its newest one.';
comment on column ring_usage.oldest_at is 'When the oldest was staged.';
comment on column ring_usage.newest_at is 'When the newest was staged.';
comment on column ring_usage.estimated_messages is 'As of the last ANALYZE.';
comment on column ring_usage.bytes is 'With indexes and long values.';
comment on column ring_usage.is_written is 'Messages go here now.';
comment on column ring_usage.is_full is
    'It is complete: trim_outbox() empties it as soon as every subscription has passed it and it is old enough.';
comment on column ring_usage.is_lapped is
    'It holds messages of two rounds: some subscription was a whole ring behind. It is emptied when the newer ones '
    'are passed, too.';

perform end_migration();
end $file$;
