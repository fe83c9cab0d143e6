-- 0016 request_window: the same question within a few seconds, under another key.
--
-- Apply: into the schema that holds 0015.
-- Locks: creates new objects only.
-- Reverse: 0016_request_window.down.sql

do $file$ begin
perform begin_migration('0016_request_window');

create table request_window (
    service     text          collate "C" not null,
    scope       key_text      not null,
    fingerprint sha256_digest not null,
    key         key_text      not null,
    opened_at   timestamptz   not null,
    closes_at   timestamptz   not null,
    -- The guard: of all requests that ask the same within one window only one can insert.
    constraint request_window_pkey primary key (fingerprint, scope, service)
)
with (autovacuum_vacuum_scale_factor = 0.02);
comment on table request_window is
    'One row per question that was asked lately: (service, scope, fingerprint). While the window is open, another '
    'key with the same question gets the answer of the first one. A row becomes visible when that one commits.';
comment on column request_window.service is 'The service that was asked; see current_service().';
comment on column request_window.scope is 'Scope of the request: questions of two scopes never count as the same.';
comment on column request_window.fingerprint is 'SHA-256 of what was asked.';
comment on column request_window.key is 'The key of the request that took effect.';
comment on column request_window.opened_at is 'When it was asked (clock of the database).';
comment on column request_window.closes_at is
    'From then on the same question is a new one, and purge_windows() removes the row.';
comment on constraint request_window_pkey on request_window is
    'The guard against a second effect within a window. Never drop it, never make it deferrable.';

create index request_window_close_idx on request_window (closes_at);
comment on index request_window_close_idx is 'Lets purge_windows() find what is closed without reading the rest.';

create function open_window(
    p_scope       text,
    p_key         text,
    p_fingerprint bytea,
    p_window      interval,
    p_wait        interval    default interval '2 seconds',
    p_now         timestamptz default null
) returns claim_answer
-- This SET ends with the function and takes set_config() below with it: the caller's lock_timeout is left as it was.
language plpgsql security definer set search_path from current set lock_timeout = '2s' set enable_seqscan = off
as $$
declare
    v_service        constant text := service_of_session();
    v_timeout text;
    v_now     timestamptz;
    v_first   request_window;
    v_answer  claim_answer;
begin
    if (p_window between interval '1 millisecond' and interval '1 day'
        and p_wait between interval '0' and interval '1 hour'
        and p_scope is not null and p_key is not null and p_fingerprint is not null) is not true then
        raise exception
            'window must be between 1 millisecond and 1 day, wait between 0 and 1 hour, scope, key and fingerprint '
                        'not null' using errcode = '22023';
    end if;
    v_timeout := set_config('lock_timeout', greatest(1, extract(epoch from p_wait) * 1000)::bigint::text, true);

    for v_round in 1 .. 10 loop
        v_now := coalesce(time_given(p_now), clock_timestamp());

        -- Waits here for a transaction that asks the same; then one of us inserts.
        insert into request_window (service, scope, fingerprint, key, opened_at, closes_at)
        values (v_service, p_scope, p_fingerprint, p_key, v_now, v_now + p_window)
        on conflict (service, scope, fingerprint) do nothing;
        if found then
            v_answer.outcome := 'started';
            exit;
        end if;

        -- A separate statement: only a new snapshot is sure to show the row that the insert met.
        select * into v_first from request_window
        where service = v_service and scope = p_scope and fingerprint = p_fingerprint;
        continue when not found;  -- purged in between

        v_now := coalesce(time_given(p_now), clock_timestamp());
        if v_first.closes_at > v_now and v_first.key <> p_key then
            v_answer := lookup(p_scope, v_first.key, p_fingerprint, p_now);
            if v_answer.outcome not in ('replayed', 'in_progress') then
                -- It took effect within the window, but its record is gone: that it was done is all there is to say.
                v_answer := null;
                v_answer.outcome := 'replayed';
                v_answer.claimed_at := v_first.opened_at;
                v_answer.completed_at := v_first.opened_at;
            end if;
            exit;
        end if;

        -- Closed (or our own, from a record that has expired): ours from now on.
        update request_window set key = p_key, opened_at = v_now, closes_at = v_now + p_window
        where service = v_service and scope = p_scope and fingerprint = p_fingerprint
          and (closes_at <= v_now or key = p_key);
        if found then
            v_answer.outcome := 'started';
            exit;
        end if;
    end loop;

    if v_answer.outcome is null then
        v_answer.outcome := 'in_progress';
    end if;
    return v_answer;
exception when lock_not_available then
    v_answer := null;
    v_answer.outcome := 'in_progress';
    return v_answer;
end $$;
comment on function open_window(text, text, bytea, interval, interval, timestamptz) is
    'Asks, in the transaction that has claimed (scope, key), whether another key asked the same within p_window. '
    'started: no, this is the first one; do the work. replayed: yes; complete() this key with the response that is '
    'given here, and commit, so that repeats of both keys get it. in_progress: the first one is still running after '
    'p_wait, or has no response yet; roll back. p_window: 1 millisecond to 1 day. p_now is for tests.';

create function purge_windows(p_limit integer default 1000, p_now timestamptz default null) returns integer
language plpgsql security definer set search_path from current
as $$
begin
    return remove_expired('request_window', 'request_window_close_idx', 'closes_at', p_limit, p_now);
end $$;
comment on function purge_windows(integer, timestamptz) is
    'Removes up to p_limit closed windows, the oldest first, of all services, and returns how many. For operators: '
    'p_now can purge early.';

perform end_migration();
end $file$;
