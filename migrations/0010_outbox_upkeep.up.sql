-- 0010 outbox_upkeep: what keeps the outbox small, and what carries it into another cluster.
--
-- Apply: in one transaction, into the schema that holds 0009.
-- Locks: creates new objects only.
-- Reverse: 0010_outbox_upkeep.down.sql

do $$ begin
    perform set_config('once.migration', pg_current_xact_id()::text, true);
    perform set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);
    perform set_config('lock_timeout', '2s', true);
end $$;
do $$ begin
    if current_setting('once.migration', true) is distinct from pg_current_xact_id()::text then
        raise exception 'a migration file must be applied in one transaction'
            using hint = 'psql -1 -v ON_ERROR_STOP=1 -f FILE';
    end if;
end $$;

create function newest_checkpoints() returns setof checkpoint
language sql stable
begin atomic
    select c.*
    from subscription as s
    cross join generate_series(0, s.slices - 1) as slice
    cross join lateral (
        select c.* from checkpoint as c
        where c.service = s.service and c.subscription = s.name and c.slice = slice.slice
        order by c.service desc, c.subscription desc, c.slice desc, c.number desc limit 1) as c;
end;
comment on function newest_checkpoints() is 'The position of each slice of each subscription.';

create function is_passed(p_at checkpoint, p_txid xid8, p_id bigint) returns boolean
language sql immutable
return pg_visible_in_snapshot(p_txid, (p_at).from_snap)
    or ((p_at).to_snap is not null and p_id <= (p_at).last_id and pg_visible_in_snapshot(p_txid, (p_at).to_snap));
comment on function is_passed(checkpoint, xid8, bigint) is
    'Whether the message at this place lies behind this position: delivered, parked, or not wanted.';

create function expire_subscriptions(p_now timestamptz default null) returns integer
language plpgsql security definer set search_path from current
as $$
declare
    v_now     constant timestamptz := coalesce(p_now, clock_timestamp());
    v_expired integer;
begin
    -- Silent for too long is a slice only if something waits for it: what is idle acknowledges nothing either.
    update subscription as s set state = 'expired'
    where s.state <> 'expired' and exists (
        select from newest_checkpoints() as c
        where c.service = s.service and c.subscription = s.name and c.acknowledged_at < v_now - s.expire_after
          and exists (select from outbox as o
                      where o.published_at < v_now - s.expire_after and not is_passed(c, o.txid, o.id)));
    get diagnostics v_expired = row_count;
    return v_expired;
end $$;
comment on function expire_subscriptions(timestamptz) is
    'Marks as expired whatever subscription has acknowledged nothing for its expire_after although messages wait, so '
    'that it no longer keeps them. trim_outbox() calls it.';

create function resume_expired(p_name text, p_service text default null) returns boolean
language plpgsql security definer set search_path from current
as $$
begin
    update subscription set state = 'active'
    where service = service_named(p_service) and name = p_name and state = 'expired';
    return found;
end $$;
comment on function resume_expired(text, text) is
    'Lets an expired subscription go on from where it stood. What was trimmed meanwhile it will never see.';

create function trim_slot(p_slot integer, p_before timestamptz) returns bigint
language plpgsql
as $$
declare
    v_slot   constant text := format('%I.outbox_%s', current_schema(), p_slot);
    v_newest bigint;
    v_after  bigint;
    v_txid   xid8;
    v_txid_after xid8;
    v_kept   boolean;
begin
    execute format('select (select id from %1$s order by id desc limit 1), (select txid from %1$s order by txid desc limit 1)', v_slot)
        into v_newest, v_txid;
    if v_newest is null
       -- The slot that is being written, and the one after it.
       or (v_newest >> 20) >= ((select last_value from outbox_id_seq) >> 20) then
        return 0;
    end if;
    -- Without a lock first: this reads the slot.
    execute format('select exists (select from %s as o where o.published_at >= $1 or exists ('
                   '    select from newest_checkpoints() as c join subscription as s on s.service = c.service and s.name = c.subscription'
                   '    where s.state <> ''expired'' and not is_passed(c, o.txid, o.id)))', v_slot)
        into v_kept using p_before;
    if v_kept then
        return 0;
    end if;
    -- Nobody may be writing into it now; whoever was has committed by then what the second look sees.
    begin
        perform set_config('lock_timeout', '100ms', true);
        execute format('lock table only %s in access exclusive mode', v_slot);
    exception when lock_not_available then
        return 0;
    end;
    execute format('select (select id from %1$s order by id desc limit 1), (select txid from %1$s order by txid desc limit 1)', v_slot)
        into v_after, v_txid_after;
    if v_after <> v_newest or v_txid_after <> v_txid then
        return 0;
    end if;
    execute format('truncate only %s', v_slot);
    return v_newest;
end $$;
comment on function trim_slot(integer, timestamptz) is
    'Empties one slot of the ring if every message in it is older than p_before and lies behind every subscription. '
    'Returns the newest id that it held, or 0.';

create function trim_outbox(
    p_keep  interval    default interval '1 hour',
    p_limit integer     default 10000,
    p_now   timestamptz default null,
    out slots integer, out messages integer, out identities integer, out checkpoints integer, out expired integer
)
language plpgsql security definer set search_path from current set lock_timeout = '2s'
as $$
declare
    v_now    constant timestamptz := coalesce(p_now, clock_timestamp());
    v_passed bigint;
begin
    if (p_keep >= interval '0') is not true or (p_limit between 1 and 1000000) is not true then
        raise exception 'keep must not be negative, limit must be between 1 and 1000000' using errcode = '22023';
    end if;
    expired := expire_subscriptions(p_now);
    slots := 0;
    for v_slot in 0 .. 7 loop
        if trim_slot(v_slot, v_now - p_keep) > 0 then
            slots := slots + 1;
        end if;
    end loop;

    -- Low volumes never fill a slot: delete by age, in the order of the log, up to the first message that somebody needs.
    delete from outbox
    where id <= coalesce((
        select o.id from (select * from outbox order by id limit p_limit) as o
        where o.published_at >= v_now - p_keep or exists (
            select from newest_checkpoints() as c join subscription as s on s.service = c.service and s.name = c.subscription
            where s.state <> 'expired' and not is_passed(c, o.txid, o.id))
        order by o.id limit 1) - 1,
        (select max(o.id) from (select id from outbox order by id limit p_limit) as o));
    get diagnostics messages = row_count;

    delete from outbox_identity
    where ctid = any (array(select ctid from outbox_identity where published_at < v_now - greatest(p_keep, interval '7 days')
                            order by published_at limit p_limit));
    get diagnostics identities = row_count;

    -- History for throughput: an hour of it, and always the newest.
    delete from checkpoint
    where ctid = any (array(
        select c.ctid
        from newest_checkpoints() as n
        cross join lateral (
            select c.ctid from checkpoint as c
            where c.service = n.service and c.subscription = n.subscription and c.slice = n.slice and c.number < n.number
              and c.acknowledged_at < v_now - interval '1 hour'
            order by c.service, c.subscription, c.slice, c.number limit p_limit) as c));
    get diagnostics checkpoints = row_count;
end $$;
comment on function trim_outbox(interval, integer, timestamptz) is
    'Removes what nobody needs: messages older than p_keep behind every subscription (full slots of the ring by TRUNCATE, '
    'the rest up to p_limit rows), ids older than 7 days, checkpoints older than an hour. Call it every minute or so, and '
    'again at once while it returns p_limit. It gives up rather than wait for a lock.';

create function rebase() returns table (service text, subscription text, to_deliver bigint)
language plpgsql security definer set search_path from current
as $$
#variable_conflict use_column
declare
    v_system constant text := (select system_identifier::text from pg_control_system());
    v_xid    xid8;
    v_before pg_snapshot;
    v_at     checkpoint;
    v_behind bigint;
    v_bound  bigint;
    v_late   bigint;
begin
    if not exists (select from subscription where system_identifier <> v_system) then
        return;
    end if;
    lock table subscription, checkpoint, parked_message, outbox in access exclusive mode;
    v_bound := (select last_value from outbox_id_seq);
    v_before := pg_current_snapshot();
    v_xid := pg_current_xact_id();

    for v_at in select * from newest_checkpoints() loop
        -- Up to here the slice has passed some, perhaps not all: what it has not is parked, and so delivered first.
        v_behind := coalesce((select max(o.id) from outbox as o where is_passed(v_at, o.txid, o.id)), 0);
        with late as (
            select o.* from outbox as o
            join subscription as s on s.service = v_at.service and s.name = v_at.subscription
            where o.id <= v_behind and not is_passed(v_at, o.txid, o.id) and o.bucket % s.slices = v_at.slice
              and is_wanted(s, o.topic, o.published_at)
        )
        insert into parked_message (service, subscription, slice, id, message_id, state, attempts, next_attempt_at,
                                    published_at, published_by, topic, key, traceparent, content_type, headers,
                                    payload_json, payload_bytes)
        select v_at.service, v_at.subscription, v_at.slice, o.id, o.message_id,
               case when first then 'retrying' else 'waiting' end, 0, case when first then clock_timestamp() end,
               o.published_at, o.service, o.topic, o.key, o.traceparent, o.content_type, o.headers,
               o.payload_json, o.payload_bytes
        from (select late.*, late.key is null or (
                  row_number() over (partition by late.key order by late.id) = 1
                  and not exists (select from parked_message as p where p.service = v_at.service
                                  and p.subscription = v_at.subscription and p.key = late.key)) as first
              from late) as o;
        get diagnostics v_late = row_count;
        -- Everything gets one new transaction id, which a snapshot from before does not see: a window in which the
        -- slice has come as far as v_behind.
        insert into checkpoint (service, subscription, slice, number, acknowledged_by, messages, last_id, from_snap, from_id,
                                bound, to_snap, to_id, to_bound)
        values (v_at.service, v_at.subscription, v_at.slice, v_at.number + 1, session_user, 0, v_behind, v_before, 0,
                v_bound, snapshot_with(v_xid), v_bound, v_bound);
        service := v_at.service;
        subscription := v_at.subscription;
        to_deliver := v_late + (
            select count(*) from outbox as o
            join subscription as s on s.service = v_at.service and s.name = v_at.subscription
            where o.id > v_behind and o.bucket % s.slices = v_at.slice and is_wanted(s, o.topic, o.published_at));
        return next;
    end loop;
    update outbox set txid = v_xid;
    update subscription set system_identifier = v_system;
end $$;
comment on function rebase() is
    'Once after this database was restored from a dump, or came through pg_upgrade: translates all positions into the '
    'transaction ids of this cluster. Nothing is lost, nothing comes twice. Readers and writers must not be running. '
    'Returns how many messages each subscription has still to get; nothing, when nothing was to be done.';

create function snapshot_with(p_xid xid8) returns pg_snapshot
language plpgsql stable
as $$
declare
    v_now  constant pg_snapshot := pg_current_snapshot();
    v_xid  constant numeric := p_xid::text::numeric;
    v_xmax constant numeric := pg_snapshot_xmax(v_now)::text::numeric;
begin
    return format('%s:%s:%s', pg_snapshot_xmin(v_now), greatest(v_xmax, v_xid + 1),
        array_to_string(array(
            select x from (
                select x::text::numeric from pg_snapshot_xip(v_now) as x
                union select generate_series(v_xmax, v_xid - 1)) as running (x)
            where x <> v_xid order by x), ','))::pg_snapshot;
end $$;
comment on function snapshot_with(xid8) is
    'The snapshot of now, as if this transaction of our own had committed already; others that may be running are not in it.';

create function is_wanted(p_subscription subscription, p_topic text, p_published_at timestamptz) returns boolean
language sql stable
return (p_subscription.topics is null
        or exists (select from unnest(p_subscription.topics) as t
                   where t = p_topic or (t like '%.*' and p_topic ^@ left(t, -1))))
   and (p_subscription.starts_at is null or p_published_at >= p_subscription.starts_at);
comment on function is_wanted(subscription, text, timestamptz) is 'Whether a subscription gets such a message.';

revoke all on function
    newest_checkpoints(), is_passed(checkpoint, xid8, bigint), expire_subscriptions(timestamptz), resume_expired(text, text),
    trim_slot(integer, timestamptz), trim_outbox(interval, integer, timestamptz), rebase(), snapshot_with(xid8),
    is_wanted(subscription, text, timestamptz)
from public;

insert into schema_version (version, name) values (10, 'outbox_upkeep');
