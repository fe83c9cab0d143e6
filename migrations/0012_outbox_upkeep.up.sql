-- 0012 outbox_upkeep: what keeps the outbox small, and what carries it into another cluster.
--
-- Apply: into the schema that holds 0011.
-- Locks: creates new objects only.
-- Reverse: 0012_outbox_upkeep.down.sql

do $file$ begin
perform begin_migration('0012_outbox_upkeep');

create function promised_to_none() returns pg_snapshot
language plpgsql
as $$
declare
    v_system  constant text := (select system_identifier::text from pg_control_system());
    v_horizon trim_horizon;
    v_now     pg_snapshot;
begin
    select * into v_horizon from trim_horizon for update; -- one trim at a time
    -- First the snapshot, then the look: who comes in between takes a later one.
    v_now := pg_current_snapshot();
    if exists (select from pg_locks
               where locktype = 'relation' and relation = 'subscription'::regclass and mode = 'RowExclusiveLock'
                 and database = (select oid from pg_database where datname = current_database())
                 and pid is distinct from pg_backend_pid()) then
        return case when v_horizon.system_identifier = v_system then v_horizon.snapshot else '1:1:' end;
    end if;
    update trim_horizon set looked_at = clock_timestamp(), system_identifier = v_system, snapshot = v_now;
    return v_now;
end $$;
comment on function promised_to_none() is
    'A snapshot: what it sees was promised to no subscription but those that are there to be seen from now on. It '
    'waits for another trim_outbox(), and for nothing else.';

create function is_passed(p_at checkpoint, p_txid xid8, p_id bigint) returns boolean
language sql immutable
return (p_id <= (p_at).seen_id and pg_visible_in_snapshot(p_txid, (p_at).from_snap))
    or ((p_at).to_snap is not null and p_id <= (p_at).last_id and pg_visible_in_snapshot(p_txid, (p_at).to_snap));
comment on function is_passed(checkpoint, xid8, bigint) is
    'Whether the message at this place lies behind this position: delivered, parked, or not wanted.';

create function is_wanted(p_subscription subscription, p_topic text, p_published_at timestamptz) returns boolean
language sql stable
return (p_subscription.topics is null
        or exists (select from unnest(p_subscription.topics) as t
                   where t = p_topic or (t like '%.*' and p_topic ^@ left(t, -1))))
   and (p_subscription.starts_at is null or p_published_at >= p_subscription.starts_at);
comment on function is_wanted(subscription, text, timestamptz) is 'Whether a subscription gets such a message.';

-- Estimates are far off here, and compiling such a plan takes longer than all the work.
create function expire_subscriptions(p_now timestamptz default null) returns integer
language plpgsql security definer set search_path from current set jit = off
as $$
declare
    v_now     constant timestamptz := coalesce(time_given(p_now), clock_timestamp());
    v_expired integer;
begin
    -- Silent for too long is a slice only if something waits for it: what is idle acknowledges nothing either.
    -- One that a transaction is parking for, or changing, is not silent, and is not waited for.
    update subscription set state = 'expired'
    where ctid = any (array(
        select s.ctid from subscription as s
        where s.state <> 'expired' and s.expire_after is not null and exists (
            select from newest_checkpoints() as c
            where c.service = s.service and c.subscription = s.name and c.acknowledged_at < v_now - s.expire_after
              and exists (select from outbox as o
                          where o.published_at < v_now - s.expire_after and not is_passed(c, o.txid, o.id)
                            and o.bucket % s.slices = c.slice and is_wanted(s, o.topic, o.published_at)))
        for no key update of s skip locked));
    get diagnostics v_expired = row_count;
    return v_expired;
end $$;
comment on function expire_subscriptions(timestamptz) is
    'Marks as expired whatever subscription has acknowledged nothing for its expire_after although messages wait, so '
    'that it no longer keeps them. trim_outbox() calls it.';

create function slot_has_unseen(p_slot integer, p_snapshot pg_snapshot) returns boolean
language plpgsql
as $$
declare
    v_found boolean;
begin
    execute format('select exists (select from %1$I.outbox_%2$s where txid >= pg_snapshot_xmax($1)) '
                   'or exists (select from unnest(array(select pg_snapshot_xip($1))) as x (txid) join '
                   '%1$I.outbox_%2$s using (txid))',
                   current_schema(), p_slot)
        into v_found using p_snapshot;
    return v_found;
end $$;
comment on function slot_has_unseen(integer, pg_snapshot) is
    'Whether a slot of the ring holds a message that this snapshot does not see. By index: it does not read the slot.';

create function slot_is_passed(p_slot integer, p_before timestamptz, p_seen pg_snapshot) returns boolean
language plpgsql
as $$
declare
    v_current constant bigint := (select last_value from outbox_id_seq);
    v_newest  bigint;
    v_at      timestamptz;
    v_slice   checkpoint;
begin
    execute format('select id, published_at from %I.outbox_%s order by id desc limit 1', current_schema(), p_slot)
        into v_newest, v_at;
    if v_newest is null or v_newest >> 20 >= v_current >> 20
       -- Half a ring behind, age does not matter: else a slot would be written again before it is old enough, and the
       -- ring would never be emptied.
       or (v_at >= p_before and (v_current >> 20) - (v_newest >> 20) < 4) or slot_has_unseen(p_slot, p_seen) then
        return false;
    end if;
    for v_slice in
        select c.* from newest_checkpoints() as c join subscription as s on s.service = c.service
            and s.name = c.subscription
        where s.state <> 'expired'
    loop
        -- is_passed() for all of them at once
        if (v_newest <= v_slice.seen_id and not slot_has_unseen(p_slot, v_slice.from_snap)) is not true
           and (v_newest <= v_slice.last_id and not slot_has_unseen(p_slot, v_slice.to_snap)) is not true then
            return false;
        end if;
    end loop;
    return true;
end $$;
comment on function slot_is_passed(integer, timestamptz, pg_snapshot) is
    'Whether every message in a slot of the ring lies behind every subscription, and the newest is older than '
    'p_before, or half a ring behind. A message that p_seen, a snapshot from before, does not see is kept.';

create function empty_slot(p_slot integer, p_seen pg_snapshot, p_wait boolean default true) returns boolean
language plpgsql
as $$
declare
    v_slot constant text := format('%I.outbox_%s', current_schema(), p_slot);
begin
    begin
        perform set_config('lock_timeout', '100ms', true);
        execute format('lock table only %s in access exclusive mode %s', v_slot, case when p_wait then ''
            else 'nowait' end);
    exception when lock_not_available then
        return false;
    end;
    -- Transactions that were writing into it have ended by now, so this sees what has been committed since the look.
    if slot_has_unseen(p_slot, p_seen) then
        return false;
    end if;
    execute format('truncate only %s', v_slot);
    return true;
end $$;
comment on function empty_slot(integer, pg_snapshot, boolean) is
    'Empties a slot of the ring, unless a transaction uses it or it holds a message that this snapshot does not see. '
    'Waits up to 100 milliseconds for those who use it, or not at all; readers of the outbox wait behind us for as '
    'long.';

-- More than 80 lines: the order of looks and locks is the point.
create function trim_outbox(
    p_keep  interval    default interval '1 hour',
    p_limit integer     default 10000,
    p_now   timestamptz default null,
    out slots integer, out messages integer, out identities integer, out checkpoints integer, out expired integer
)
language plpgsql security definer set search_path from current set lock_timeout = '2s'
set enable_seqscan = off set enable_bitmapscan = off set jit = off
as $$
declare
    v_now    constant timestamptz := coalesce(time_given(p_now), clock_timestamp());
    v_read   bigint;
    v_from   constant timestamptz := look_from('trim', '');
    v_first  timestamptz;
    v_seen   pg_snapshot;
    v_ready  integer[] := '{}';
    v_slot   integer;
    v_wait   boolean   := true;
begin
    if (p_keep between interval '0' and interval '3660 days' and p_limit between 1 and 1000000) is not true then
        raise exception 'keep must be between 0 and 3660 days, limit between 1 and 1000000' using errcode = '22023';
    end if;
    if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
        raise exception
            'trim_outbox() must run under READ COMMITTED: TRUNCATE removes also what an older snapshot does not see'
            using errcode = '25001', hint = 'begin isolation level read committed';
    end if;
    -- A subscription that is just being made, and that this snapshot does not see, must not lose what it has been
    -- promised.
    v_seen := promised_to_none();
    expired := expire_subscriptions(p_now);

    -- Low volumes never fill a slot: delete by age, in the order of the log, up to the first message that a
    -- subscription needs.
    with oldest as materialized (
        select o.id, o.txid, o.published_at from outbox as o order by o.id limit p_limit
    ), positions as materialized (
        select c from newest_checkpoints() as c join subscription as s on s.service = c.service
            and s.name = c.subscription
        where s.state <> 'expired'
    ), needed as (
        select min(o.id) as id from oldest as o
        where o.published_at >= v_now - p_keep or not pg_visible_in_snapshot(o.txid, v_seen)
           or exists (select from positions as p where not is_passed(p.c, o.txid, o.id))
    )
    delete from outbox
    where id <= (select coalesce((select n.id - 1 from needed as n), (select max(o.id) from oldest as o)));
    get diagnostics messages = row_count;

    v_read := pg_stat_get_xact_tuples_returned('outbox_identity_age_idx'::regclass);
    v_first := (select published_at from outbox_identity where published_at >= v_from order by published_at limit 1);
    perform keep_look('trim', '', v_from, least(v_first, v_now),
                      pg_stat_get_xact_tuples_returned('outbox_identity_age_idx'::regclass) - v_read);
    delete from outbox_identity
    where ctid = any (array(select i.ctid from outbox_identity as i
                            where i.published_at >= v_first
                              and i.published_at < v_now - greatest(p_keep, interval '60 days')
                              -- A message that is not due yet keeps its identity.
                              and not exists (select from scheduled_message as m
                                              where m.service = i.service
                                                and m.message_id = bound_message_id(i.service, i.message_id))
                            order by i.published_at limit p_limit for update skip locked));
    get diagnostics identities = row_count;

    -- History for throughput: an hour of it, and always the newest.
    -- Not while unsubscribe() removes them.
    delete from checkpoint
    where ctid = any (array(select h.ctid from checkpoint as h where h.ctid = any (array(
        select c.ctid
        from newest_checkpoints() as n
        cross join lateral (
            select c.ctid, c.acknowledged_at from checkpoint as c
            where c.service = n.service and c.subscription = n.subscription and c.slice = n.slice
                and c.number < n.number
            order by c.service, c.subscription, c.slice, c.number limit p_limit) as c
        -- Behind the limit: a condition before it would read all of the last hour, to find that nothing is older.
        where c.acknowledged_at < v_now - interval '1 hour')) for update skip locked));
    get diagnostics checkpoints = row_count;

    -- Last, because readers wait for an emptied slot until we commit.
    for i in 0 .. 7 loop
        if slot_is_passed(i, v_now - p_keep, v_seen) then
            v_ready := v_ready || i;
        end if;
    end loop;
    slots := 0;
    foreach v_slot in array v_ready loop
        if empty_slot(v_slot, v_seen, v_wait) then
            slots := slots + 1;
        else
            v_wait := false; -- so that readers wait once, however many slots are in use
        end if;
    end loop;
end $$;
comment on function trim_outbox(interval, integer, timestamptz) is
    'Removes what no subscription needs: messages older than p_keep behind every subscription (full slots of the ring '
    'by TRUNCATE, also younger ones when they are half a ring behind; the rest up to p_limit rows), ids older than 60 '
    'days, checkpoints older than an hour. Call it every minute or so in a separate transaction, and again at once '
    'while it returns p_limit. No transaction of a service keeps it from working: what an open one has locked is left '
    'to the next call, and one that has called subscribe() keeps only what was staged since.';

create function rebase() returns table (service text, subscription text, to_deliver bigint)
language plpgsql security definer set search_path from current set jit = off set lock_timeout = '5s'
as $$
#variable_conflict use_column
declare
    v_system constant text := (select system_identifier::text from pg_control_system());
    v_xid    xid8;
    v_before pg_snapshot;
    v_at     checkpoint;
    v_behind bigint;
    v_bound  bigint;
    v_dead_blocks boolean;
begin
    if not outbox_is_foreign() and pg_sequence_last_value('outbox_id_seq') >= newest_place() then
        return;
    end if;
    if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
        raise exception
            'rebase() must run under READ COMMITTED: it has to see what writers commit before they let it go on'
            using errcode = '25001', hint = 'begin isolation level read committed';
    end if;
    lock table subscription, checkpoint, parked_message, outbox in access exclusive mode;
    -- A dump reads the sequence after the table, but others may have copied the one without the other.
    v_bound := greatest((select last_value from outbox_id_seq), newest_place());
    perform setval('outbox_id_seq', v_bound);
    v_xid := pg_current_xact_id();
    -- Sees nothing of what gets this id below. (A snapshot that we take ourselves does not list us as running.)
    v_before := format('%1$s:%1$s:', v_xid);

    for v_at in select * from newest_checkpoints() loop
        select s.dead_blocks_key into v_dead_blocks from subscription as s
        where s.service = v_at.service and s.name = v_at.subscription;
        -- Up to here the slice has passed some, perhaps not all: what it has not is parked, and so delivered first.
        v_behind := coalesce((select max(o.id) from outbox as o where is_passed(v_at, o.txid, o.id)), 0);
        with late as (
            select o.* from outbox as o
            join subscription as s on s.service = v_at.service and s.name = v_at.subscription
            where o.id <= v_behind and not is_passed(v_at, o.txid, o.id) and o.bucket % s.slices = v_at.slice
              and is_wanted(s, o.topic, o.published_at)
        )
        insert into parked_message (service, subscription, slice, id, message_id, given_id, state, attempts,
            next_attempt_at,
                                    published_at, published_by, topic, key, traceparent, content_type, headers,
                                    payload_json, payload_bytes)
        select v_at.service, v_at.subscription, v_at.slice, o.id, o.message_id, o.given_id,
               case when first then 'retrying' else 'waiting' end::parked_state, 0,
               case when first then clock_timestamp() end,
               o.published_at, o.service, o.topic, o.key, o.traceparent, o.content_type, o.headers,
               o.payload_json, o.payload_bytes
        from (select late.*, late.key is null or (
                  row_number() over (partition by late.key order by late.id) = 1
                  and not key_is_blocked(v_at.service, v_at.subscription, late.key, v_dead_blocks)) as first
              from late) as o;
        -- Everything gets one new transaction id, which a snapshot from before does not see: a window in which the
        -- slice has come as far as v_behind.
        insert into checkpoint (service, subscription, slice, number, acknowledged_by, messages, last_id, from_snap,
            from_id,
                                seen_id, bound, to_snap, to_id, to_bound)
        values (v_at.service, v_at.subscription, v_at.slice, v_at.number + 1, session_user, 0, v_behind, v_before, 0,
                0, v_bound, snapshot_up_to(v_xid, true), v_bound, v_bound);
        service := v_at.service;
        subscription := v_at.subscription;
        -- What was parked before comes as well, except for what is dead: that needs redrive().
        to_deliver := (
            select count(*) from parked_message as p
            where p.service = v_at.service and p.subscription = v_at.subscription and p.slice = v_at.slice
              and p.state <> 'dead') + (
            select count(*) from outbox as o
            join subscription as s on s.service = v_at.service and s.name = v_at.subscription
            where o.id > v_behind and o.bucket % s.slices = v_at.slice and is_wanted(s, o.topic, o.published_at));
        return next;
    end loop;
    update outbox set txid = v_xid;
    update subscription set system_identifier = v_system, incarnation = default;
    update trim_horizon set system_identifier = v_system, snapshot = '1:1:';
end $$;
comment on function rebase() is
    'Once after this database was restored from a dump, came through pg_upgrade, or got its rows without their '
    'sequence: translates all positions into the transaction ids of this cluster, and puts outbox_id_seq behind what '
    'is there. Nothing is lost, nothing comes twice. It locks the outbox and rewrites it; it waits 5 seconds for '
    'those who use it, and then raises 55P03. Returns how many messages each slice has still to get, parked ones '
    'included and dead ones not; nothing, when nothing was to be done.';

perform end_migration();
end $file$;
