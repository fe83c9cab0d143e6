-- 0007 subscription: who reads the outbox, and how far they are.
--
-- Apply: into the schema that holds 0006.
-- Locks: creates new objects only.
-- Reverse: 0007_subscription.down.sql

do $file$ begin
perform begin_migration('0007_subscription');

create type subscription_state as enum ('active', 'paused', 'expired');
comment on type subscription_state is
    'active: batches are handed out. paused: next_batch() is refused, messages are kept. expired: it stood still for '
    'longer than expire_after, and messages that it has not seen may be gone.';

create table subscription (
    service            text        collate "C" not null,
    name               key_text    not null,
    state              subscription_state not null default 'active',
    topics             text[]      collate "C",
    slices             smallint    not null default 1,
    max_attempts       integer     not null default 10,
    backoff_base       interval    not null default interval '1 second',
    backoff_cap        interval    not null default interval '10 minutes',
    dead_blocks_key    boolean     not null default true,
    starts_at          timestamptz,
    expire_after       interval,
    system_identifier  text        not null,
    incarnation        bigint      not null default hashtextextended(gen_random_uuid()::text, 0),
    -- 244 bits by chance, of the server's strong random numbers.
    seal_secret        bytea       not null default
        sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())),
    created_at         timestamptz not null default clock_timestamp(),
    created_by         text        not null default session_user,
    constraint subscription_pkey primary key (service, name),
    constraint subscription_name_short check (octet_length(name) <= 63),
    constraint subscription_topics_valid check (
        cardinality(topics) >= 1 and cardinality(topics) <= 100
        and array_to_string(topics, ' ', '!') ~ '^[A-Za-z0-9_.-]+(\.\*)?( [A-Za-z0-9_.-]+(\.\*)?)*$'
        -- no topic has a space in it
        and cardinality(string_to_array(array_to_string(topics, ' ', '!'), ' ')) = cardinality(topics)),
    constraint subscription_starts_at_finite check (isfinite(starts_at)),
    constraint subscription_slices_valid check (slices between 1 and 64),
    constraint subscription_attempts_valid check (max_attempts between 1 and 1000),
    constraint subscription_backoff_valid check (
        backoff_base >= interval '1 millisecond' and backoff_base <= backoff_cap and backoff_cap <= interval '7 days'),
    constraint subscription_expiry_valid check (expire_after between interval '1 minute' and interval '366 days')
);
comment on table subscription is
    'Who reads the outbox. A subscription gets every message of its topics once it exists.';
comment on column subscription.service is 'The service that reads; see current_service().';
comment on column subscription.name is 'Name within the service.';
comment on column subscription.state is 'Whether it hands out messages, see subscription_state.';
comment on column subscription.topics is
    'Exact topics, and prefixes that end with .*; null means all topics.';
comment on column subscription.slices is
    'Into how many slices its messages are divided, by key, so that as many readers work side by side. Fixed.';
comment on column subscription.max_attempts is 'After so many failed attempts a message is dead.';
comment on column subscription.backoff_base is
    'Limit of the pause after the first failed attempt; it doubles with each.';
comment on column subscription.backoff_cap is 'Longest pause between two attempts.';
comment on column subscription.dead_blocks_key is
    'Whether a dead message holds back later ones of its key until redrive() or discard() is called for it.';
comment on column subscription.starts_at is
    'Only messages that were staged at or after this time; null means no such limit.';
comment on column subscription.expire_after is
    'When it has acknowledged nothing for so long although messages wait, it no longer keeps them; null means it keeps '
    'them forever.';
comment on column subscription.system_identifier is
    'The cluster whose transaction ids the checkpoints speak of. In another one nothing is delivered until rebase().';
comment on column subscription.incarnation is
    'A random number that tells it from another of the same name, also from itself before rebase(). Part of what '
    'next_batch() returns.';
comment on column subscription.seal_secret is
    'What its batches are sealed with: a reader of it could make batches up, so no role may read it.';
comment on column subscription.created_at is 'When it was made.';
comment on column subscription.created_by is 'The role that made it.';
comment on constraint subscription_pkey on subscription is 'One subscription of a name per service.';
comment on constraint subscription_name_short on subscription is 'Up to 63 bytes.';
comment on constraint subscription_topics_valid on subscription is 'One to 100 topics or prefixes.';
comment on constraint subscription_starts_at_finite on subscription is 'A time, not infinity.';
comment on constraint subscription_slices_valid on subscription is '1 to 64 slices.';
comment on constraint subscription_attempts_valid on subscription is '1 to 1000 attempts.';
comment on constraint subscription_backoff_valid on subscription is 'From 1 millisecond to 7 days.';
comment on constraint subscription_expiry_valid on subscription is '1 minute to 366 days.';

create table checkpoint (
    service         text        collate "C" not null,
    subscription    text        collate "C" not null,
    slice           smallint    not null,
    number          bigint      not null,
    acknowledged_at timestamptz not null default clock_timestamp(),
    acknowledged_by text        not null,
    messages        integer     not null,
    last_id         bigint      not null,
    from_id         bigint      not null,
    seen_id         bigint      not null,
    to_id           bigint,
    bound           bigint      not null,
    to_bound        bigint,
    parked          boolean     not null default true,
    server_started  timestamptz not null default pg_postmaster_start_time(),
    from_snap       pg_snapshot not null,
    to_snap         pg_snapshot,
    -- No foreign key: it would lock and so rewrite the row of the subscription for each batch.
    -- The guard against two readers: of all that acknowledge batch n only one can insert.
    -- Nor a CHECK, which would be prepared again for each batch: acknowledge() checks, and doctor asks.
    constraint checkpoint_pkey primary key (service, subscription, slice, number)
)
with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
comment on table checkpoint is
    'How far each slice of a subscription is: one row per acknowledged batch, the newest counts. Older rows are '
    'history, for throughput; trim_outbox() removes them.';
comment on column checkpoint.service is 'The service that reads.';
comment on column checkpoint.subscription is 'Name of the subscription.';
comment on column checkpoint.slice is 'Its slice, from 0.';
comment on column checkpoint.number is 'Counts the acknowledged batches of the slice; 0 is the start.';
comment on column checkpoint.acknowledged_at is 'When (clock of the database).';
comment on column checkpoint.acknowledged_by is 'application_name of the session that acknowledged, or its role.';
comment on column checkpoint.messages is 'How many messages the batch had.';
comment on column checkpoint.last_id is 'Within an open window: messages up to here are done.';
comment on column checkpoint.from_id is
    'Lies below the id of every message whose transaction began after from_snap; those are found by id from here on.';
comment on column checkpoint.seen_id is
    'No message of a transaction that from_snap sees has a higher id. After a restore from a dump this tells '
    'messages of the new cluster, whose transaction ids start low again, from those that are done.';
comment on column checkpoint.to_id is 'Within an open window: no message of it has a higher id.';
comment on column checkpoint.bound is
    'The newest id before this checkpoint''s transaction had an id: a lower bound for the messages of every '
    'transaction that begins after it. It becomes from_id of a later window.';
comment on column checkpoint.to_bound is 'Within an open window: what becomes from_id when it is done.';
comment on column checkpoint.parked is
    'Whether messages of the subscription may be parked, so that a reader has to look each key up. False: none is.';
comment on column checkpoint.server_started is
    'When the server was started that wrote it. By then subscription.system_identifier was compared with the cluster; '
    'while this server runs, that need not be asked again, which would read a file.';
comment on column checkpoint.from_snap is 'Messages of transactions that this snapshot sees are done.';
comment on column checkpoint.to_snap is
    'An open window: messages of transactions that this snapshot sees, and from_snap does not, are being delivered '
    'in the order of id. Null: the window is done, and the next batch opens another.';
comment on constraint checkpoint_pkey on checkpoint is 'The guard against two readers of one slice.';

-- What trim_outbox() may remove while a transaction that has called subscribe() is open. It does not wait for such a
-- transaction: its subscription was promised what is not in its snapshot, and that was taken after the last look that
-- found none.
create table trim_horizon (
    only_row          boolean     not null default true,
    looked_at         timestamptz not null default clock_timestamp(),
    system_identifier text        not null,
    snapshot          pg_snapshot not null,
    constraint trim_horizon_pkey primary key (only_row),
    constraint trim_horizon_only_row check (only_row)
);
comment on table trim_horizon is
    'One row: the last look of trim_outbox() at which no transaction was open that makes or changes a subscription. '
    'Every subscription that was made since begins at or after its snapshot.';
comment on column trim_horizon.only_row is 'Always true: there is one row.';
comment on column trim_horizon.looked_at is
    'When that was. Long ago: a transaction holds the outbox back; it uses the table subscription, see pg_locks.';
comment on column trim_horizon.system_identifier is 'The cluster whose transaction ids the snapshot speaks of.';
comment on column trim_horizon.snapshot is 'Only what this sees may be removed while such a transaction is open.';
comment on constraint trim_horizon_pkey on trim_horizon is 'One row.';
comment on constraint trim_horizon_only_row on trim_horizon is 'One row.';

insert into trim_horizon (system_identifier, snapshot) select system_identifier, '1:1:' from pg_control_system();

-- As text, because plpgsql before the releases of August 2024 does not know the semicolons of BEGIN ATOMIC.
execute $function$
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
end
$function$;
comment on function newest_checkpoints() is 'The position of each slice of each subscription.';

create function newest_place() returns bigint
language plpgsql stable set search_path from current
as $$
begin
    return greatest(0, (select max(id) from outbox),
                    (select max(greatest(c.last_id, c.from_id, c.seen_id, c.to_id, c.bound, c.to_bound))
                        from newest_checkpoints() as c));
end $$;
comment on function newest_place() is
    'The highest place in the log that a message or a reader''s position speaks of. outbox_id_seq is never below it, '
    'unless rows were copied without their sequence.';

-- The owner of the schema, or an administrator, may act for any service, for example to make a subscription for it.
create function service_named(p_service text) returns text
language plpgsql stable
as $$
begin
    if p_service is null or p_service = service_of_session() then
        return service_of_session();
    end if;
    if not is_operator() then
        raise exception 'role % may not act for service %', session_user, p_service
            using errcode = '42501', hint =
                'leave p_service out, or connect as the owner of the schema or an administrator';
    end if;
    return p_service;
end $$;
comment on function service_named(text) is
    'The service that a function acts for: the session''s own, or any when the session is that of the owner of the '
    'schema or of an administrator.';

create function snapshot_up_to(p_xid xid8, p_sees boolean) returns pg_snapshot
language plpgsql stable
as $$
declare
    v_now  constant pg_snapshot := pg_current_snapshot();
    v_xid  constant numeric := p_xid::text::numeric;
    v_xmax constant numeric := pg_snapshot_xmax(v_now)::text::numeric;
begin
    -- A snapshot does not list the transaction that took it; so we put ourselves in, or not.
    return format('%s:%s:%s', pg_snapshot_xmin(v_now), greatest(v_xmax, v_xid + 1),
        array_to_string(array(
            select x from (
                select x::text::numeric from pg_snapshot_xip(v_now) as x
                union select generate_series(v_xmax, v_xid - 1)
                union select v_xid) as running (x)
            where not (p_sees and x = v_xid) order by x), ','))::pg_snapshot;
end $$;
comment on function snapshot_up_to(xid8, boolean) is
    'The snapshot of now, with the caller''s own transaction among those that it sees, or among those that are '
    'running. Others that have begun and not ended are running in it.';

-- Messages whose transaction ids are those of another cluster. A message that we see has been committed, so an id from
-- beyond our snapshot is not of this cluster.
create function outbox_is_foreign() returns boolean
language plpgsql stable
as $$
begin
    return exists (select from subscription
                   where system_identifier <> (select c.system_identifier::text from pg_control_system() as c))
        or exists (select from outbox where txid >= pg_snapshot_xmax(pg_current_snapshot())
                   and txid is distinct from pg_current_xact_id_if_assigned());
end $$;
comment on function outbox_is_foreign() is
    'Whether this database was restored from a dump, or upgraded, and rebase() was not called yet.';

create function subscribe(
    p_name            text,
    p_topics          text[]      default null,
    p_from            text        default 'now',
    p_slices          integer     default 1,
    p_max_attempts    integer     default 10,
    p_backoff_base    interval    default interval '1 second',
    p_backoff_cap     interval    default interval '10 minutes',
    p_dead_blocks_key boolean     default true,
    p_expire_after    interval    default null,
    p_service         text        default null
) returns boolean
language plpgsql security definer set search_path from current
as $$
declare
    v_service constant text   := service_named(p_service);
    -- A lower bound for all transactions that begin after ours, when ours has not begun yet; see checkpoint.bound.
    v_bound   constant bigint := case when pg_current_xact_id_if_assigned() is null
                                      then (select last_value from outbox_id_seq) else 0 end;
    v_from_id bigint          := 0;
    v_seen_id bigint          := 0;
    v_snap    pg_snapshot     := '1:1:';
    v_starts  timestamptz;
begin
    -- Before our snapshot: trim_outbox() sees by this lock that a subscription may be there which it cannot see.
    lock table subscription in row exclusive mode;
    if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
        -- Our snapshot is from before that lock. If trim_outbox() has looked in between, this is error 40001. The lock
        -- on the row goes with the savepoint, because trim_outbox() would wait for it until this transaction ends.
        begin
            perform from trim_horizon for share;
            raise exception using errcode = 'ON000';
        exception when sqlstate 'ON000' then
            null;
        end;
    end if;
    if outbox_is_foreign() then
        raise exception 'the outbox comes from another cluster, so its transaction ids mean nothing here'
            using errcode = 'ON062', hint =
                'this database was restored from a dump or upgraded: let its owner call rebase() once';
    end if;
    if p_from = 'now' then
        -- It reaches up to our own id, so that v_bound holds for whatever it does not know. (Bounds of other
        -- checkpoints would do, but those that a service hands in are good for that service only.)
        v_from_id := v_bound;
        v_snap := snapshot_up_to(pg_current_xact_id(), false);
        v_seen_id := (select last_value from outbox_id_seq);
    elsif p_from is distinct from 'beginning' then
        begin
            v_starts := p_from::timestamptz;
        exception when others then
            null;
        end;
        if isfinite(v_starts) is not true then
            raise exception 'p_from must be now, beginning, or a time' using errcode = '22023';
        end if;
    end if;
    insert into subscription (service, name, topics, slices, max_attempts, backoff_base, backoff_cap, dead_blocks_key,
                              starts_at, expire_after, system_identifier)
    values (v_service, p_name, p_topics, p_slices, p_max_attempts, p_backoff_base, p_backoff_cap, p_dead_blocks_key,
            v_starts, p_expire_after, (select system_identifier from pg_control_system()))
    on conflict (service, name) do nothing;
    if not found then
        return false;
    end if;
    -- trim_outbox() and the monitoring go through all slices of all services.
    if (select sum(slices) from subscription where service = v_service) > 256 then
        raise exception 'the subscriptions of service % have more than 256 slices together', v_service
            using errcode = '54000', hint = 'end some with unsubscribe(), or give them fewer slices';
    end if;
    insert into checkpoint (service, subscription, slice, number, acknowledged_by, messages, last_id, from_id, seen_id,
                            bound, parked, from_snap)
    select v_service, p_name, slice, 0, session_user, 0, 0, v_from_id, v_seen_id, v_bound, false, v_snap
    from generate_series(0, p_slices - 1) as slice;
    return true;
end $$;
comment on function subscribe(text, text[], text, integer, integer, interval, interval, boolean, interval, text) is
    'Makes a subscription; false, and nothing is changed, when it is there. p_topics: exact ones, or prefixes that '
    'end with .*. p_from: now (messages of transactions that have not committed yet, this one included), beginning '
    '(all that are still in the outbox), or a time. The subscriptions of a service have up to 256 slices together '
    '(54000). ON062: the database was restored, call rebase().';

create function pause_subscription(p_name text, p_paused boolean default true,
    p_service text default null) returns boolean
language plpgsql security definer set search_path from current
as $$
begin
    update subscription set state = case when p_paused then 'paused' else 'active' end::subscription_state
    where service = service_named(p_service) and name = p_name
      and state = case when p_paused then 'active' else 'paused' end::subscription_state;
    return found;
end $$;
comment on function pause_subscription(text, boolean, text) is
    'Stops handing out messages, or goes on with it. Messages are kept meanwhile. False when it was so already.';

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

create function usable_subscription(p_service text, p_name text) returns subscription
language plpgsql stable set search_path from current
as $$
declare
    v_subscription subscription;
begin
    select * into v_subscription from subscription where service = p_service and name = p_name;
    if not found then
        raise exception 'service % has no subscription %', p_service, p_name
            using errcode = 'ON060', hint = 'make it with subscribe()';
    end if;
    if v_subscription.state <> 'active' then
        raise exception 'subscription % of service % is %', p_name, p_service, v_subscription.state
            using errcode = 'ON061',
                  hint = case v_subscription.state
                             when 'paused' then 'pause_subscription(name, false) lets it go on'
                             else 'messages may be gone; unsubscribe() and subscribe() again, or resume_expired()' end;
    end if;
    if v_subscription.system_identifier <> (select system_identifier::text from pg_control_system()) then
        raise exception
            'subscription % of service % comes from another cluster, so its transaction ids mean nothing here',
            p_name, p_service
            using errcode = 'ON062', hint =
                'this database was restored from a dump or upgraded: let its owner call rebase() once';
    end if;
    return v_subscription;
end $$;
comment on function usable_subscription(text, text) is
    'The subscription, or an error: ON060 not there, ON061 paused or expired, ON062 comes from another cluster.';

perform end_migration();
end $file$;
