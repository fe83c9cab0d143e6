-- 0005 lease: which session may act under a name until when, and the number that shuts out earlier holders.
--
-- Apply: into the schema that holds 0004.
-- Locks: creates new objects only.
-- Reverse: 0005_lease.down.sql

do $file$ begin
perform begin_migration('0005_lease');

create table lease (
    service     text        collate "C" not null,
    name        key_text    not null,
    fence       bigint      not null,
    holder      key_text    not null,
    acquired_at timestamptz not null,
    renewed_at  timestamptz not null,
    expires_at  timestamptz not null,
    released_at timestamptz,
    constraint lease_pkey primary key (service, name),
    -- Not for uniqueness: it makes the fence part of a key, so that a new fence is an update of the key, which FOR KEY
    -- SHARE of assert_fence() keeps out, while renew_lease() touches no key and goes on beside it.
    constraint lease_fence_key unique (service, name, fence),
    constraint lease_fence_positive check (fence > 0),
    constraint lease_times check (acquired_at <= renewed_at and renewed_at < expires_at and isfinite(expires_at)
                                  and (released_at is null or released_at >= acquired_at))
)
-- Renewals update in place, again and again.
with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 200);
comment on table lease is
    'One row per lease name that was ever acquired: who holds it until when, and its fencing number. A row stays after '
    'release, so that its fence goes on growing; see purge_leases().';
comment on column lease.service is 'The service that it belongs to; see current_service().';
comment on column lease.name is 'What is held, for example ''nightly report''. Printable ASCII, 1 to 255 bytes.';
comment on column lease.fence is
    'Number of the last acquisition: timeline of the server * 2^40 + counter. It grows with each acquisition, also '
    'over a failover that lost some. A holder shows it with every action, and an older one is refused.';
comment on column lease.holder is
    'Who acquired it last. Printable ASCII, 1 to 255 bytes; for people, never for decisions.';
comment on column lease.acquired_at is 'When it was acquired (clock of the database).';
comment on column lease.renewed_at is 'When its holder was heard of last: acquired or renewed.';
comment on column lease.expires_at is 'From then on any session may acquire it, unless its holder renews first.';
comment on column lease.released_at is
    'When its holder gave it back; null while it is held, or when it ran out unreleased.';
comment on constraint lease_pkey on lease is 'One holder per name. Never drop it, never make it deferrable.';
comment on constraint lease_fence_key on lease is
    'Makes a takeover an update of a key, which waits for transactions that have asserted the fence.';
comment on constraint lease_fence_positive on lease is
    'Fences count from 1, so a variable that was never set, and is 0, is refused everywhere.';
comment on constraint lease_times on lease is
    'Acquired, renewed, expires: in this order. A lease without an end could never be taken over from a dead holder.';

create table lease_floor (
    only_row  boolean     not null default true,
    fence     bigint      not null,
    raised_at timestamptz not null default clock_timestamp(),
    constraint lease_floor_pkey primary key (only_row),
    constraint lease_floor_only_row check (only_row),
    constraint lease_floor_fence_valid check (fence >= 0)
);
comment on table lease_floor is
    'One row: every new fence is greater than this. purge_leases() raises it to the fences that it removes. After the '
    'restore of an older dump raise it by hand above every fence that may have been handed out since.';
comment on column lease_floor.only_row is 'Always true: there is one row.';
comment on column lease_floor.fence is 'The floor. It must never be lowered.';
comment on column lease_floor.raised_at is 'When it was raised last.';
comment on constraint lease_floor_pkey on lease_floor is
    'There is one floor: with two, a purge could raise one and an acquisition read the other.';
comment on constraint lease_floor_only_row on lease_floor is 'The only value that the key can have.';
comment on constraint lease_floor_fence_valid on lease_floor is 'At 0 nothing was purged yet.';

insert into lease_floor (fence) values (0);

create type lease_outcome as enum ('acquired', 'held');
comment on type lease_outcome is
    'acquired: the lease is the caller''s. held: another session has it, or is taking it at this moment.';

create type lease_answer as (
    outcome    lease_outcome,
    fence      bigint,
    expires_at timestamptz,
    holder     text,
    taken_over boolean
);
comment on type lease_answer is 'What acquire_lease() came to.';
comment on column lease_answer.outcome is 'Whether the caller holds the lease from now on.';
comment on column lease_answer.fence is
    'acquired: the fence of this acquisition, to show with every action. held: that of the holder; null while the '
    'first acquisition of this name is not committed.';
comment on column lease_answer.expires_at is 'When the lease runs out; null as for fence.';
comment on column lease_answer.holder is 'Who holds it; null as for fence.';
comment on column lease_answer.taken_over is
    'acquired: whether the holder before let it run out without a release, so it probably died at its work.';

-- From the name of the WAL file, because pg_control_checkpoint() still shows the old one right after a promotion. The
-- name is that of the timeline that is written, whatever the place; but the function is called IMMUTABLE, so with a
-- place that is known a plan would hold its answer.
create function current_timeline() returns bigint
language sql volatile
return case when pg_is_in_recovery() then 0
            else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint end;
comment on function current_timeline() is
    'The timeline that this server writes; it grows with each promotion. 0: this is a standby.';

create function require_timeline(p_timeline text) returns text
language plpgsql
as $$
declare
    v_timeline constant text := case when pg_is_in_recovery() then ''
        else left(pg_walfile_name(pg_current_wal_lsn()), 8) end;
begin
    if v_timeline collate "C" < p_timeline then
        raise exception 'this server % although timeline % has been seen',
            case when v_timeline = '' then 'is a standby' else 'is on timeline ' || v_timeline end, p_timeline
            using errcode = 'ON068', hint = 'roll back and connect to the primary; this one was failed over';
    end if;
    return v_timeline;
end $$;
comment on function require_timeline(text) is
    'The timeline of this server, as in the names of WAL files, or ON068 when it is older than p_timeline, the '
    'newest that the caller has seen: a pooler can lead a connection that it keeps back to an old primary.';

-- The counter alone would go back over a failover to a standby that had not got the last acquisitions; the timeline has
-- grown by then. 2^40 leaves room for eight million timelines. So no fence is given out twice, and a row that is
-- looked for by its fence is found on no other timeline, unless that one has this very acquisition.
create function fence_after(p_last bigint) returns bigint
language sql volatile
return greatest(p_last, current_timeline() << 40) + 1;
comment on function fence_after(bigint) is
    'The fence after p_last: above it, and above all that an earlier timeline gave out.';

create function newest_floor() returns bigint
language plpgsql
as $$
begin
    if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
        -- An old snapshot shows an old floor; to lock a row that was changed since then is refused with 40001. The lock
        -- goes with the savepoint, because purge_leases() would wait for it until this transaction ends.
        begin
            perform from lease_floor for share;
            raise exception using errcode = 'ON000';
        exception when sqlstate 'ON000' then
            null;
        end;
    end if;
    return (select fence from lease_floor);
end $$;
comment on function newest_floor() is
    'The floor as it is now. Under an older snapshot: that, or 40001. It leaves no lock.';

create function acquire_lease(
    p_name     text,
    p_duration interval,
    p_holder   text        default null,
    p_now      timestamptz default null
) returns lease_answer
language plpgsql security definer set search_path from current set lock_timeout = '500ms'
set enable_seqscan = off set jit = off
as $$
declare
    v_service constant text := service_of_session();
    v_holder  constant text := coalesce(
        p_holder,
        nullif(btrim(regexp_replace(current_setting('application_name'), '[^ -~]', '?', 'g')), ''),
        regexp_replace(session_user, '[^!-~]', '?', 'g'));
    v_given   constant timestamptz := time_given(p_now);
    v_lease lease;
    v_now   timestamptz;
    v_fence bigint;
    v_floor bigint;
begin
    if (p_duration between interval '100 milliseconds' and interval '366 days' and p_name is not null) is not true then
        raise exception 'duration must be between 100 milliseconds and 366 days, the name not null' using errcode =
            '22023';
    end if;

    -- Who finds it held goes away without a lock and without a write, however often they ask.
    select * into v_lease from lease where service = v_service and name = p_name;
    if v_lease.released_at is null and v_lease.expires_at > coalesce(v_given, clock_timestamp()) then
        return row('held', v_lease.fence, v_lease.expires_at, v_lease.holder, false)::lease_answer;
    end if;

    -- An acquisition that a crash of the server takes back would hand out the same fence a second time.
    if current_setting('synchronous_commit') = 'off' then
        perform set_config('synchronous_commit', 'on', true);
    end if;

    for v_round in 1 .. 10 loop
        -- Waits for another taker, and for transactions of the holder that have asserted its fence.
        select * into v_lease from lease where service = v_service and name = p_name for update;
        if found then
            -- Read after the lock: the time before the wait says nothing about the time after it.
            v_now := coalesce(v_given, clock_timestamp());
            if v_lease.released_at is null and v_lease.expires_at > v_now then
                return row('held', v_lease.fence, v_lease.expires_at, v_lease.holder, false)::lease_answer;
            end if;
            v_fence := fence_after(greatest(v_lease.fence, (select fence from lease_floor)));
            update lease
            set fence = v_fence, holder = v_holder, acquired_at = v_now, renewed_at = v_now,
                expires_at = v_now + p_duration, released_at = null
            where service = v_service and name = p_name;
            return row('acquired', v_fence, v_now + p_duration, v_holder,
                       v_lease.released_at is null)::lease_answer;
        end if;

        v_now := coalesce(v_given, clock_timestamp());
        v_fence := fence_after((select fence from lease_floor));
        -- No conflict target: both unique constraints mean the same here, that the lease is there.
        insert into lease (service, name, fence, holder, acquired_at, renewed_at, expires_at)
        values (v_service, p_name, v_fence, v_holder, v_now, v_now, v_now + p_duration)
        on conflict do nothing;
        if found then
            -- purge_leases() may have removed a row of this name after we looked. It raised the floor before ours could
            -- be inserted, and cannot remove ours: so the floor is read once more.
            v_floor := newest_floor();
            if v_fence <= v_floor then
                v_fence := fence_after(v_floor);
                update lease set fence = v_fence where service = v_service and name = p_name;
            end if;
            return row('acquired', v_fence, v_now + p_duration, v_holder, false)::lease_answer;
        end if;
    end loop;
    return row('held', null, null, null, false)::lease_answer;
exception when lock_not_available then
    select * into v_lease from lease where service = v_service and name = p_name;
    return row('held', v_lease.fence, v_lease.expires_at, v_lease.holder, false)::lease_answer;
end $$;
comment on function acquire_lease(text, interval, text, timestamptz) is
    'Acquires a lease that is free, released or run out, for p_duration (100 milliseconds to 366 days) by the clock of '
    'the database. held: another session has it; that answer takes no lock. It never waits longer than half a second '
    'for another taker or for a transaction that has asserted the fence; then it answers held, too. A holder that asks '
    'again is told held. It turns synchronous_commit from off to on for this transaction. p_holder is for people, '
    'default: application_name. p_now is for tests.';

create function renew_lease(
    p_name     text,
    p_fence    bigint,
    p_duration interval,
    p_now      timestamptz default null
) returns timestamptz
language plpgsql security definer set search_path from current set lock_timeout = '2s' set enable_seqscan = off
    set jit = off
as $$
declare
    v_service constant text := service_of_session();
    v_given   constant timestamptz := time_given(p_now);
    v_lease lease;
    v_now   timestamptz;
begin
    if (p_duration between interval '100 milliseconds' and interval '366 days') is not true then
        raise exception 'duration must be between 100 milliseconds and 366 days' using errcode = '22023';
    end if;
    select * into v_lease from lease
    where service = v_service and name = p_name and fence = p_fence and released_at is null
    for no key update;
    if not found then
        return null;
    end if;
    -- A clock that was set back must not take back what the row says already.
    v_now := greatest(coalesce(v_given, clock_timestamp()), v_lease.renewed_at);
    update lease set renewed_at = v_now, expires_at = v_now + p_duration
    where service = v_service and name = p_name;
    return v_now + p_duration;
end $$;
comment on function renew_lease(text, bigint, interval, timestamptz) is
    'Lets the lease run out p_duration from now, and returns when. Null when it was released or acquired by another '
    'session: stop acting under it. A lease that ran out and was not taken is renewed. It does not wait for '
    'transactions that have asserted the fence; it waits up to 2 seconds for a taker, then raises 55P03. p_now is for '
    'tests.';

create function release_lease(p_name text, p_fence bigint, p_now timestamptz default null) returns boolean
language plpgsql security definer set search_path from current set lock_timeout = '2s' set enable_seqscan = off
    set jit = off
as $$
declare
    v_service constant text := service_of_session();
    v_given   constant timestamptz := time_given(p_now);
begin
    update lease set released_at = greatest(coalesce(v_given, clock_timestamp()), acquired_at)
    where service = v_service and name = p_name and fence = p_fence and released_at is null;
    return found;
end $$;
comment on function release_lease(text, bigint, timestamptz) is
    'Gives the lease back, so that others need not wait until it runs out. False when it was released before, or '
    'another session has acquired it. Waits up to 2 seconds for a taker, then raises 55P03. p_now is for tests.';

create function lease_held(p_name text, p_fence bigint, p_now timestamptz default null) returns boolean
language plpgsql stable security definer set search_path from current set enable_seqscan = off set jit = off
as $$
declare
    v_service constant text := service_of_session();
    v_given   constant timestamptz := time_given(p_now);
begin
    return exists (select from lease
                   where service = v_service and name = p_name and fence = p_fence and released_at is null
                     and expires_at > coalesce(v_given, clock_timestamp()));
end $$;
comment on function lease_held(text, bigint, timestamptz) is
    'Whether the lease is held with this fence, as far as this snapshot shows. It takes no lock, so it may be out of '
    'date at once: for a look before work is begun. What is written must be guarded by assert_fence().';

create function assert_fence(p_name text, p_fence bigint, p_now timestamptz default null) returns void
language plpgsql security definer set search_path from current set lock_timeout = '2s' set enable_seqscan = off
    set jit = off
as $$
declare
    v_service constant text := service_of_session();
    v_given   constant timestamptz := time_given(p_now);
    v_expires timestamptz;
begin
    -- From here to the end of the transaction no session can acquire the lease; its holder can go on renewing it.
    perform from lease where service = v_service and name = p_name and fence = p_fence for key share;
    if found then
        -- A separate statement: the lock passes by a renewal, so the row that it found may be one from before.
        select expires_at into v_expires from lease
        where service = v_service and name = p_name and fence = p_fence and released_at is null;
        if v_expires > coalesce(v_given, clock_timestamp()) then
            return;
        end if;
        if v_expires > now() and current_setting('transaction_isolation') <> 'read committed' then
            raise exception 'lease "%" may have been renewed since the snapshot of this transaction', p_name
                using errcode = 'serialization_failure', hint = 'run the transaction again';
        end if;
    end if;
    raise exception 'lease "%" is not held with fence % any more', p_name, p_fence
        using errcode = 'ON010', hint = 'stop acting under it; its new holder will do the work';
end $$;
comment on function assert_fence(text, bigint, timestamptz) is
    'Guards the writes of this transaction: raises ON010 unless the lease is held with this fence, and keeps others '
    'from acquiring it until the transaction ends. Call it last, just before COMMIT, so that they wait shortly. Waits '
    'up to 2 seconds for a taker, then raises 55P03. p_now is for tests.';

create function purge_leases(
    p_unused interval    default interval '30 days',
    p_limit  integer     default 1000,
    p_now    timestamptz default null
) returns integer
language plpgsql security definer set search_path from current set lock_timeout = '2s'
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set jit = off
as $$
declare
    v_given   constant timestamptz := time_given(p_now);
    v_removed integer;
    v_highest bigint;
begin
    if (p_unused between interval '0' and interval '3660 days' and p_limit between 1 and 100000) is not true then
        raise exception 'unused must be between 0 and 3660 days, limit between 1 and 100000' using errcode = '22023';
    end if;
    -- One purge at a time. Who makes a row reads the floor again when the row is there: then this has committed, or
    -- that row is none of those removed here.
    perform from lease_floor for update;
    with removed as (
        delete from lease
        where ctid = any (array(
            select ctid from lease
            where coalesce(released_at, expires_at) <= coalesce(v_given, clock_timestamp()) - p_unused
            limit p_limit
            for update skip locked))
        returning fence
    )
    select count(*), max(fence) into v_removed, v_highest from removed;
    update lease_floor set fence = v_highest, raised_at = clock_timestamp() where fence < v_highest;
    return v_removed;
end $$;
comment on function purge_leases(interval, integer, timestamptz) is
    'Removes up to p_limit leases of all services that were not held for p_unused, and returns how many. Fences do '
    'not go back: lease_floor keeps the highest one that was removed. It skips what is being acquired. For operators.';

create view lease_readable as
select service, name,
       case when released_at is not null then 'released'
            when expires_at > clock_timestamp() then 'held'
            else 'expired' end as state,
       holder, acquired_at,
       coalesce(released_at, least(expires_at, clock_timestamp())) - acquired_at as held_for,
       clock_timestamp() - renewed_at as silent_for,
       expires_at, released_at,
       (fence >> 40) || '/' || (fence & ((1::bigint << 40) - 1)) as timeline_and_counter,
       fence
from lease;
comment on view lease_readable is 'lease for reading in psql: who holds what, since when, until when.';
comment on column lease_readable.service is 'The service that it belongs to.';
comment on column lease_readable.name is 'What is held.';
comment on column lease_readable.state is
    'held; released: given back by its holder; expired: ran out unreleased, the holder has probably died or hangs.';
comment on column lease_readable.holder is 'Who holds it, or held it last.';
comment on column lease_readable.acquired_at is 'When it was acquired.';
comment on column lease_readable.held_for is 'How long it is held, or was.';
comment on column lease_readable.silent_for is 'How long ago its holder acquired or renewed it.';
comment on column lease_readable.expires_at is 'When it runs out.';
comment on column lease_readable.released_at is 'When it was given back.';
comment on column lease_readable.timeline_and_counter is
    'The fence in its two parts: timeline of the server / counter.';
comment on column lease_readable.fence is 'The fence as it is compared.';

perform end_migration();
end $file$;
