-- 0015 operation: work with effects outside this database, done in phases that a crash cannot repeat or lose.
-- More than 400 lines: every way in which an operation moves on is read in one piece.
--
-- Apply: into the schema that holds 0014.
-- Locks: creates new objects only.
-- Reverse: 0015_operation.down.sql

do $file$ begin
perform begin_migration('0015_operation');

create type operation_state as enum ('running', 'finished', 'unknown_effect', 'failed');
comment on type operation_state is
    'running: owned while the lease lasts, else waiting for a worker. finished: the response is stored. '
    'unknown_effect: a call that must not be repeated may have been made; a person decides with resolve_operation(). '
    'failed: attempts are used up; a person decides.';
create type operation_call as enum ('idempotent_remote', 'at_most_once');
comment on type operation_call is
    'Kinds of calls to the outside. idempotent_remote: the receiver knows a repeat by its key, so after a crash the '
    'call is made again. at_most_once: the receiver does not, so it is never made again.';
create type operation_outcome as enum (
    'started', 'resumed', 'in_progress', 'replayed', 'key_reused', 'unknown_effect', 'failed', 'absent');
comment on type operation_outcome is
    'What asking for an operation came to. started, resumed: it is the caller''s, who goes on at recovery_point. '
    'in_progress: another owner has it. replayed: it is finished, here is the response. key_reused: the key belongs '
    'to another request. unknown_effect, failed: a person has to decide. absent: there is nothing to take over.';

create table operation (
    service        text        collate "C" not null,
    scope          key_text    not null,
    key            key_text    not null,
    name           key_text    not null,
    state          operation_state not null,
    started_at     timestamptz not null,
    finished_at    timestamptz,
    expires_at     timestamptz,
    fingerprint    sha256_digest,
    retention      interval    not null,
    phases         text[]      collate "C" not null,
    recovery_point key_text    not null,
    call           operation_call,
    attempt        integer     not null,
    owner          uuid,
    owned_by       text        not null,
    lease_until    timestamptz not null,
    fence          bigint      not null,
    updated_at     timestamptz not null,
    last_error     text,
    data           json        not null,
    constraint operation_pkey primary key (key, scope, service),
    constraint operation_finished_has_times check (
        (state = 'finished') = (finished_at is not null) and (state = 'finished') = (expires_at is not null)),
    constraint operation_unknown_effect_of_call check (
        state <> 'unknown_effect' or (call is not null and call = 'at_most_once')),
    constraint operation_phases_valid check (cardinality(phases) between 1 and 100),
    constraint operation_counters_valid check (attempt >= 0 and fence > 0),
    constraint operation_data_size check (octet_length(data::text) <= 1048576)
)
-- A row is updated once per phase, never in an indexed column: the free space keeps those updates on its page.
with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
comment on table operation is
    'One row per operation that runs in phases because it has effects outside this database. (service, scope, '
    'key) is also the key of its idempotency record, which is claimed when the operation begins and gets the '
    'response when it finishes.';
comment on column operation.service is 'The service that runs it; see current_service().';
comment on column operation.scope is 'Scope of the request, and of its idempotency record.';
comment on column operation.key is
    'Idempotency key of the request. The key of its record, too, so a repeat finds the response without this table.';
comment on column operation.name is 'Which operation of the service it is: says which phases a worker has to run.';
comment on column operation.state is 'Where it stands; the words are those of the type operation_state.';
comment on column operation.started_at is 'When it began (clock of the database).';
comment on column operation.finished_at is 'When its response was stored.';
comment on column operation.expires_at is 'From then on purge_operations() removes the row, and the key is free.';
comment on column operation.fingerprint is
    'SHA-256 of what was asked: the key with another request is refused, also while the operation runs.';
comment on column operation.retention is 'How long the response is kept once it is there.';
comment on column operation.phases is 'Names of the phases, in order, as the service that began it knew them.';
comment on column operation.recovery_point is
    'The phase that runs now or runs next: what stands before it is committed and is never run again.';
comment on column operation.call is
    'Not null: the phase at recovery_point makes a call to the outside, which may have been made by now. The kind of '
    'call says whether it may be made again; see operation_call.';
comment on column operation.attempt is 'How often the phase at recovery_point was begun.';
comment on column operation.owner is
    'Random number of the process that runs it, ran it last, or finished it; null after it was given back.';
comment on column operation.owned_by is 'application_name or role of the session that ran it last.';
comment on column operation.lease_until is 'From then on another process may take a running operation over.';
comment on column operation.fence is
    'Grows with each change of the owner, also over a failover and over purge_operations(). With an older number '
    'nothing can be changed.';
comment on column operation.updated_at is 'When the row was last changed.';
comment on column operation.last_error is 'Why the last attempt at this recovery point ended; cut to 500 characters.';
comment on column operation.data is 'What the phases hand on to each other; up to 1 MiB.';
comment on constraint operation_pkey on operation is
    'One operation per key: of two requests with it, the second finds the row of the first, and waits or takes over.';
comment on constraint operation_finished_has_times on operation is
    'Only a finished operation may be purged: one that expired earlier would forget a call that it made.';
comment on constraint operation_unknown_effect_of_call on operation is
    'Only a call that must not be repeated leaves doubt.';
comment on constraint operation_phases_valid on operation is
    'There is a phase to run, and the list is short enough to be copied with each change of the row.';
comment on constraint operation_counters_valid on operation is
    'An attempt is 0 after a person decided; a fence is never 0, so a variable that was never set is refused.';
comment on constraint operation_data_size on operation is
    'It is written again with each phase: what is larger belongs in a table, and its key in data.';

create index operation_unfinished_idx on operation (service, started_at) where state <> 'finished';
comment on index operation_unfinished_idx is 'Lets next_operation() and people find what is not finished.';
create index operation_expiry_idx on operation (expires_at) where state = 'finished';
comment on index operation_expiry_idx is 'Lets purge_operations() find what has expired.';

create type operation_answer as (
    outcome        operation_outcome,
    scope          text,
    key            text,
    name           text,
    fence          bigint,
    recovery_point text,
    call           operation_call,
    attempt        integer,
    data           json,
    call_keys      json,
    retry_after    interval,
    status         integer,
    headers        text,
    content_type   text,
    body           bytea
);
comment on type operation_answer is
    'What asking for an operation came to, and what its owner needs. Columns that the outcome has nothing to say about '
    'are null.';
comment on column operation_answer.outcome is 'What it came to.';
comment on column operation_answer.scope is 'Scope of the request; a worker learns here which operation it took.';
comment on column operation_answer.key is 'Key of the request.';
comment on column operation_answer.name is 'Which operation of the service it is: says which phases to run.';
comment on column operation_answer.fence is
    'The fencing number of this owner; every later call for the operation takes it.';
comment on column operation_answer.recovery_point is 'The phase to run next.';
comment on column operation_answer.call is 'Not null: the call of that phase may have been made.';
comment on column operation_answer.attempt is 'How often that phase was begun, this time included.';
comment on column operation_answer.data is 'What earlier phases left.';
comment on column operation_answer.call_keys is
    'For each phase the idempotency key for its call, as call_key() makes it.';
comment on column operation_answer.retry_after is 'When in_progress: how long until it may be taken over.';
comment on column operation_answer.status is 'When replayed: the HTTP status of the stored response.';
comment on column operation_answer.headers is
    'When replayed: the headers of the stored response as JSON text; null when it has none.';
comment on column operation_answer.content_type is 'When replayed: the media type of the body.';
comment on column operation_answer.body is 'When replayed: the body, byte for byte.';

create function call_key_of(p_scope text, p_key text, p_phase text, p_service text) returns uuid
language plpgsql immutable
as $$
declare
    v_hash bytea := '';
    v_part text;
begin
    -- Each part with its length in front, so that no two lists of parts look alike.
    foreach v_part in array array[p_service, p_scope, p_key, p_phase] loop
        v_hash := v_hash || int8send(octet_length(v_part)) || convert_to(v_part, 'UTF8');
    end loop;
    v_hash := substr(sha256(v_hash), 1, 16);
    -- Version 8 of RFC 9562: a UUID whose bits are made by a rule of one's own.
    v_hash := set_byte(v_hash, 6, (get_byte(v_hash, 6) & 15) | 128);
    v_hash := set_byte(v_hash, 8, (get_byte(v_hash, 8) & 63) | 128);
    return encode(v_hash, 'hex')::uuid;
end $$;
comment on function call_key_of(text, text, text, text) is 'What call_key() says to the service that comes last.';

create function call_key(p_scope text, p_key text, p_phase text) returns uuid
language plpgsql stable security definer set search_path from current
as $$
begin
    return call_key_of(p_scope, p_key, p_phase, service_of_session());
end $$;
comment on function call_key(text, text, text) is
    'The idempotency key for the call of one phase: the same for every attempt, for every process, and for an '
    'operation that was lost with a failover and is begun again. Made of service, scope, key and phase by SHA-256.';

create function bare_operation_answer(p_outcome operation_outcome) returns operation_answer
language sql immutable
return row(p_outcome, null, null, null, null, null, null, null, null, null, null, null, null, null,
           null)::operation_answer;
comment on function bare_operation_answer(operation_outcome) is
    'The answer that is one word, because the caller has no part in the operation.';

create function answer_of_operation(p_record operation, p_outcome operation_outcome) returns operation_answer
language sql stable
return row(p_outcome, p_record.scope, p_record.key, p_record.name, p_record.fence, p_record.recovery_point,
           p_record.call, p_record.attempt, p_record.data,
           (select json_object_agg(phase, call_key_of(p_record.scope, p_record.key, phase, p_record.service))
            from unnest(p_record.phases) as phase),
           null, null, null, null, null)::operation_answer;
comment on function answer_of_operation(operation, operation_outcome) is 'The answer that carries a whole operation.';

create function answer_of_claim(p_answer claim_answer) returns operation_answer
language sql stable
return row((p_answer).outcome::text::operation_outcome, null, null, null, null, null, null, null, null, null, null,
           (p_answer).status, (p_answer).headers, (p_answer).content_type, (p_answer).body)::operation_answer;
comment on function answer_of_claim(claim_answer) is
    'The answer that carries a stored response. The words of a claim are also words of an operation.';

create function check_lease(p_lease interval) returns void
language plpgsql immutable
as $$
begin
    if (p_lease between interval '100 milliseconds' and interval '1 day') is not true then
        raise exception 'lease must be between 100 milliseconds and 1 day' using errcode = '22023';
    end if;
end $$;
comment on function check_lease(interval) is
    'Refuses with 22023 a lease of an operation that is too short to work under, or that a crash would leave for days.';

-- Constraints of the table would print the row with its data.
create function check_operation(p_phase text, p_data json) returns void
language plpgsql immutable
as $$
begin
    if p_phase is null then
        raise exception 'a phase has a name' using errcode = '22023';
    elsif (octet_length(p_data::text) <= 1048576) is not true then
        raise exception 'data must be JSON of up to 1 MiB, and not null' using errcode = '22023';
    end if;
end $$;
comment on function check_operation(text, json) is
    'Refuses with 22023 what the table operation would refuse with an error that shows data.';

create function refuse_lost_operation(p_fence bigint) returns void
language plpgsql
as $$
begin
    raise exception 'fence % is no longer that of the operation at this recovery point', p_fence
        using errcode = 'ON040',
              hint = 'another process has taken the operation over: roll back and leave it to that process';
end $$;
comment on function refuse_lost_operation(bigint) is
    'Raises ON040, for a caller whose fence, state or recovery point did not match.';

create function refuse_decided_operation() returns void
language plpgsql
as $$
begin
    raise exception 'no operation of this key waits for a decision'
        using errcode = 'ON041',
              hint = 'select * from operation_readable where needs = ''a person''; p_service names another service';
end $$;
comment on function refuse_decided_operation() is
    'Raises ON041, for a person whose operation is not there, or goes on without a decision.';

create function own_operation(
    p_record       operation,
    p_owner        uuid,
    p_lease        interval,
    p_max_attempts integer,
    p_now          timestamptz
) returns operation_answer
language plpgsql
as $$
declare
    -- An answer to the same owner was lost: it asks again, and no other owner has touched the operation meanwhile.
    v_mine   constant boolean := coalesce(p_record.owner = p_owner, false);
    v_state  operation_state := 'running';
    v_error  text := p_record.last_error;
    v_record operation;
begin
    if p_record.state in ('unknown_effect', 'failed') then
        return answer_of_operation(p_record, p_record.state::text::operation_outcome);
    end if;
    if not v_mine and p_record.call = 'at_most_once' then
        v_state := 'unknown_effect';
        v_error := 'the owner vanished while the call of this phase was under way';
    elsif not v_mine and p_record.attempt >= p_max_attempts then
        v_state := 'failed';
        v_error := coalesce(p_record.last_error, 'every owner vanished');
    end if;
    if v_state <> 'running' then
        -- The fence stays: an owner that comes back with the outcome of its call may still end the doubt.
        update operation set state = v_state, last_error = v_error, updated_at = p_now
        where service = p_record.service and scope = p_record.scope and key = p_record.key
        returning * into v_record;
        return answer_of_operation(v_record, v_state::text::operation_outcome);
    end if;
    update operation
    set owner = p_owner, owned_by = coalesce(nullif(current_setting('application_name'), ''), session_user),
        lease_until = p_now + p_lease, fence = fence_after(p_record.fence),
        attempt = p_record.attempt + (not v_mine)::integer, updated_at = p_now
    where service = p_record.service and scope = p_record.scope and key = p_record.key
    returning * into v_record;
    -- The claim lasts as long as the operation, however long that is.
    update idempotency_record set expires_at = p_now + interval '366 days'
    where service = p_record.service and scope = p_record.scope and key = p_record.key
      -- IS TRUE, because without statistics the index on expires_at seems to be as good as that on the key.
      and completed_at is null and (expires_at < p_now + interval '180 days') is true;
    return answer_of_operation(v_record, 'resumed');
end $$;
comment on function own_operation(operation, uuid, interval, integer, timestamptz) is
    'Makes p_owner the owner of an operation whose row the caller has locked, or finds that a person has to decide.';

-- More than 80 lines: every state that the operation can be found in.
create function begin_operation(
    p_scope        text,
    p_key          text,
    p_fingerprint  bytea,
    p_name         text,
    p_phases       text[],
    p_call         operation_call,
    p_data         json,
    p_owner        uuid,
    p_lease        interval,
    p_max_attempts integer     default 20,
    p_retention    interval    default interval '24 hours',
    p_wait         interval    default interval '2 seconds',
    p_now          timestamptz default null
) returns operation_answer
-- This SET ends with the function and takes set_config() below with it: the caller's lock_timeout is left as it was.
language plpgsql security definer set search_path from current set lock_timeout = '2s' set enable_seqscan = off
as $$
declare
    v_service constant text := service_of_session();
    v_timeout text;
    v_now     timestamptz;
    v_claim   claim_answer;
    v_record  operation;
    v_answer  operation_answer;
begin
    if (p_retention between interval '1 second' and interval '366 days' and p_max_attempts between 1 and 1000
        and p_owner is not null) is not true then
        raise exception
            'retention must be between 1 second and 366 days, attempts between 1 and 1000, the owner not null'
            using errcode = '22023';
    end if;
    perform check_lease(p_lease);
    if (array_ndims(p_phases) = 1 and cardinality(p_phases) between 1 and 100 and p_name is not null) is not true
       or array_position(p_phases, null) is not null or array_lower(p_phases, 1) <> 1 then
        raise exception 'an operation has a name and 1 to 100 phases' using errcode = '22023';
    end if;
    perform check_operation(p_phases[1], p_data);
    -- The claim is committed without a response: another request with the key is told in_progress meanwhile.
    v_claim := claim(p_scope, p_key, p_fingerprint, interval '366 days', p_wait, p_now);
    if v_claim.outcome in ('replayed', 'key_reused') then
        return answer_of_claim(v_claim);
    end if;
    v_timeout := set_config('lock_timeout', greatest(1, extract(epoch from p_wait) * 1000)::bigint::text, true);
    select * into v_record from operation
    where service = v_service and scope = p_scope and key = p_key
    for update;
    v_now := coalesce(time_given(p_now), clock_timestamp());
    if v_claim.outcome = 'started' and (v_record.state = 'finished') is not false then
        -- What a finished operation left behind, whose response has expired since.
        delete from operation where service = v_service and scope = p_scope and key = p_key;
        insert into operation (service, scope, key, name, state, started_at, fingerprint, retention, phases,
                               recovery_point, call, attempt, owner, owned_by, lease_until, fence, updated_at, data)
        values (v_service, p_scope, p_key, p_name, 'running', v_now, p_fingerprint, p_retention, p_phases,
                p_phases[1], p_call, 1, p_owner,
                coalesce(nullif(current_setting('application_name'), ''), session_user),
                v_now + p_lease,
                -- An operation of this key that was purged had a smaller one: each of its fences took a transaction.
                case when v_record.fence is null then fence_after(0) + pg_current_xact_id()::text::bigint
                     else fence_after(v_record.fence) end,
                v_now, p_data)
        returning * into v_record;
        return answer_of_operation(v_record, 'started');
    end if;
    if v_record.service is null then
        -- Claimed, and committed without a response, by something that is no operation.
        v_answer.outcome := 'in_progress';
    elsif v_record.fingerprint is distinct from p_fingerprint then
        raise exception 'the idempotency record of this operation was lost, and its key came with another request'
            using errcode = 'ON042', hint = 'it is still in the table operation: finish or end it';
    elsif v_record.state = 'finished' then
        -- It finished while we waited for its row.
        v_answer := answer_of_claim(lookup(p_scope, p_key, p_fingerprint, p_now));
    elsif v_record.state = 'running' and v_record.lease_until > v_now and v_record.owner is distinct from p_owner then
        v_answer.outcome := 'in_progress';
        v_answer.recovery_point := v_record.recovery_point;
        v_answer.retry_after := v_record.lease_until - v_now;
    else
        v_answer := own_operation(v_record, p_owner, p_lease, p_max_attempts, v_now);
    end if;
    return v_answer;
exception when lock_not_available then
    return bare_operation_answer('in_progress');
end $$;
comment on function begin_operation(text, text, bytea, text, text[], operation_call, json, uuid, interval, integer,
                                    interval, interval, timestamptz) is
    'Begins the operation p_name for the request (scope, key), or takes it over where its owner has vanished: commit, '
    'then run the phase at recovery_point. p_call: kind of call that the first phase makes, null for none. p_owner: a '
    'random number of the caller; asking again with the same one gives the operation back to it. p_lease: how long '
    'no other owner may take it.';

create function retake_operation(
    p_scope text,
    p_key   text,
    p_owner uuid,
    p_lease interval,
    p_now   timestamptz default null
) returns operation_answer
language plpgsql security definer set search_path from current set enable_seqscan = off
as $$
declare
    v_service constant text := service_of_session();
    v_given   constant timestamptz := time_given(p_now);
    v_record  operation;
begin
    perform check_lease(p_lease);
    -- Waits for a transaction of the same owner whose answer was lost; the new fence refuses one that comes later.
    select * into v_record from operation
    where service = v_service and scope = p_scope and key = p_key
    for update;
    if coalesce(v_record.owner = p_owner, false) then
        if v_record.state = 'finished' then
            return answer_of_claim(lookup(p_scope, p_key, v_record.fingerprint, p_now));
        end if;
        return own_operation(v_record, p_owner, p_lease, 1, coalesce(v_given, clock_timestamp()));
    end if;
    return bare_operation_answer('in_progress');
end $$;
comment on function retake_operation(text, text, uuid, interval, timestamptz) is
    'For an owner that lost the answer to a COMMIT: where the operation stands, with a new fence. in_progress: '
    'another owner has it now.';

create function next_operation(
    p_names        text[],
    p_owner        uuid,
    p_lease        interval,
    p_max_attempts integer     default 20,
    p_now          timestamptz default null
) returns operation_answer
language plpgsql security definer set search_path from current
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set jit = off
as $$
declare
    v_service constant text := service_of_session();
    v_now     constant timestamptz := coalesce(time_given(p_now), clock_timestamp());
    v_record  operation;
begin
    if (p_max_attempts between 1 and 1000 and p_owner is not null) is not true then
        raise exception 'attempts must be between 1 and 1000, the owner not null' using errcode = '22023';
    end if;
    perform check_lease(p_lease);
    -- The first part is in the order of operation_unfinished_idx: else the primary key seems to be as good while there
    -- are few rows, and it leads through all that are finished.
    with candidate as materialized (
        select ctid as place, lease_until from operation
        where service = v_service and state = 'running' and lease_until <= v_now
          and name = any (p_names)
        order by service, started_at
    )
    select o.* into v_record from candidate as c join operation as o on o.ctid = c.place
    -- Asked again of the row under its lock: another worker may just have taken it.
    where o.state = 'running' and o.lease_until <= v_now
    order by c.lease_until
    limit 1
    for update of o skip locked;
    if not found then
        return bare_operation_answer('absent');
    end if;
    return own_operation(v_record, p_owner, p_lease, p_max_attempts, v_now);
end $$;
comment on function next_operation(text[], uuid, interval, integer, timestamptz) is
    'Takes over one running operation of these names whose lease is over, the longest one first: resumed, or '
    'unknown_effect or failed for one that a person has to look at now; absent when there is none.';

create function advance_operation(
    p_scope text,
    p_key   text,
    p_fence bigint,
    p_from  text,
    p_to    text,
    p_call  operation_call,
    p_data  json,
    p_lease interval,
    p_now   timestamptz default null
) returns void
language plpgsql security definer set search_path from current set enable_seqscan = off
as $$
declare
    v_service constant text := service_of_session();
    v_now     constant timestamptz := coalesce(time_given(p_now), clock_timestamp());
begin
    perform check_operation(p_to, p_data);
    perform check_lease(p_lease);
    -- unknown_effect, too: the fence proves that no person has decided anything since.
    update operation
    set recovery_point = p_to, call = p_call, data = p_data, state = 'running',
        attempt = case when p_to = p_from then attempt else 1 end, last_error = null,
        lease_until = v_now + p_lease, updated_at = v_now
    where service = v_service and scope = p_scope and key = p_key
      and fence = p_fence and recovery_point = p_from and state in ('running', 'unknown_effect');
    if not found then
        perform refuse_lost_operation(p_fence);
    end if;
end $$;
comment on function advance_operation(text, text, bigint, text, text, operation_call, json, interval, timestamptz) is
    'Moves the recovery point from one phase to the next, in the transaction that did the phase, and renews the lease. '
    'p_call: kind of call that the next phase makes, null for none. Raises ON040 when the fence is not the current '
    'one.';

create function renew_operation(
    p_scope text,
    p_key   text,
    p_fence bigint,
    p_lease interval,
    p_now   timestamptz default null
) returns void
language plpgsql security definer set search_path from current set enable_seqscan = off
as $$
declare
    v_service constant text := service_of_session();
    v_now     constant timestamptz := coalesce(time_given(p_now), clock_timestamp());
begin
    perform check_lease(p_lease);
    update operation set lease_until = v_now + p_lease, state = 'running', updated_at = v_now
    where service = v_service and scope = p_scope and key = p_key
      and fence = p_fence and state in ('running', 'unknown_effect');
    if not found then
        perform refuse_lost_operation(p_fence);
    end if;
end $$;
comment on function renew_operation(text, text, bigint, interval, timestamptz) is
    'Renews the lease of an operation that the caller owns. Raises ON040 when the fence is not the current one.';

create function release_operation(
    p_scope        text,
    p_key          text,
    p_fence        bigint,
    p_error        text,
    p_retry_after  interval,
    p_max_attempts integer,
    p_call_made    boolean,
    p_now          timestamptz default null
) returns operation_state
language plpgsql security definer set search_path from current set enable_seqscan = off
as $$
declare
    v_service constant text := service_of_session();
    v_now     constant timestamptz := coalesce(time_given(p_now), clock_timestamp());
    v_state   operation_state;
begin
    if (p_retry_after between interval '0' and interval '366 days' and p_max_attempts between 1 and 1000
        and p_call_made is not null) is not true then
        raise exception 'the pause must be between 0 and 366 days, attempts between 1 and 1000, p_call_made not null'
            using errcode = '22023';
    end if;
    update operation
    set state = case when call = 'at_most_once' and p_call_made then 'unknown_effect'::operation_state
                     when attempt >= p_max_attempts then 'failed'
                     else 'running' end,
        call = case when call = 'at_most_once' and not p_call_made then null else call end,
        owner = null, lease_until = v_now + p_retry_after, last_error = left(p_error, 500), updated_at = v_now
    where service = v_service and scope = p_scope and key = p_key
      and fence = p_fence and state in ('running', 'unknown_effect')
    returning state into v_state;
    if not found then
        perform refuse_lost_operation(p_fence);
    end if;
    return v_state;
end $$;
comment on function release_operation(text, text, bigint, text, interval, integer, boolean, timestamptz) is
    'Gives an operation back after a phase that failed: a worker may take it after p_retry_after. Returns its state, '
    'which is failed after p_max_attempts, and unknown_effect when a call that must not be repeated may have been made '
    '(p_call_made). Raises ON040 when the fence is not the current one.';

create function store_answer_of_operation(
    p_record       operation,
    p_status       integer,
    p_headers      json,
    p_content_type text,
    p_json         json,
    p_bytes        bytea
) returns void
language plpgsql
as $$
begin
    if p_status is null or num_nonnulls(p_json, p_bytes) <> 1 then
        raise exception 'a response is a status with exactly one body' using errcode = '22023';
    end if;
    perform require_request(p_record.scope, p_record.key, p_record.fingerprint, interval '1 day', p_status, p_headers,
                            p_content_type, p_json, p_bytes);
    -- The record is there since the beginning. Where it was removed by hand, it is made again.
    insert into idempotency_record (service, scope, key, claimed_by, claimed_at, expires_at, fingerprint, completed_at,
                                    response_status, response_headers, response_content_type, response_json,
                                    response_bytes)
    values (p_record.service, p_record.scope, p_record.key, p_record.owned_by, p_record.started_at,
            p_record.expires_at, p_record.fingerprint, p_record.finished_at, p_status, p_headers, p_content_type,
            p_json, p_bytes)
    on conflict (service, scope, key) do update
    set completed_at = excluded.completed_at, expires_at = excluded.expires_at,
        response_status = excluded.response_status, response_headers = excluded.response_headers,
        response_content_type = excluded.response_content_type, response_json = excluded.response_json,
        response_bytes = excluded.response_bytes
    where idempotency_record.completed_at is null
      and idempotency_record.fingerprint is not distinct from excluded.fingerprint;
    if not found then
        raise exception 'the key of this operation has a response or a request that is not its own'
            using errcode = 'ON042', hint =
                'its idempotency record was removed and claimed again; a person has to decide';
    end if;
end $$;
comment on function store_answer_of_operation(operation, integer, json, text, json, bytea) is
    'Completes the idempotency record of an operation that has just finished.';

create function finish_operation(
    p_scope        text,
    p_key          text,
    p_fence        bigint,
    p_from         text,
    p_data         json,
    p_status       integer,
    p_headers      json,
    p_content_type text,
    p_json         json,
    p_bytes        bytea,
    p_now          timestamptz default null
) returns void
language plpgsql security definer set search_path from current set enable_seqscan = off
as $$
declare
    v_service constant text := service_of_session();
    v_now     constant timestamptz := coalesce(time_given(p_now), clock_timestamp());
    v_record  operation;
begin
    perform check_operation(p_from, p_data);
    update operation
    set state = 'finished', finished_at = v_now, expires_at = v_now + retention, call = null,
        last_error = null, data = p_data, updated_at = v_now
    where service = v_service and scope = p_scope and key = p_key
      and fence = p_fence and recovery_point = p_from and state = 'running'
    returning * into v_record;
    if not found then
        perform refuse_lost_operation(p_fence);
    end if;
    perform store_answer_of_operation(v_record, p_status, p_headers, p_content_type, p_json, p_bytes);
end $$;
comment on function finish_operation(text, text, bigint, text, json, integer, json, text, json, bytea, timestamptz) is
    'Ends an operation with its response, in the transaction of its last phase: from now on its key is answered with '
    'it. Raises ON040 when the fence is not the current one.';

create function resolve_operation(
    p_scope          text,
    p_key            text,
    p_recovery_point text,
    p_data           json        default null,
    p_now            timestamptz default null,
    p_service        text        default null
) returns void
language plpgsql security definer set search_path from current set enable_seqscan = off
as $$
declare
    v_service constant text := service_named(p_service);
    v_now     constant timestamptz := coalesce(time_given(p_now), clock_timestamp());
    v_phases  text[];
begin
    perform check_operation(p_recovery_point, coalesce(p_data, 'null'));
    update operation
    set state = 'running', recovery_point = p_recovery_point, call = null, attempt = 0, owner = null,
        lease_until = v_now, fence = fence_after(fence), data = coalesce(p_data, data), updated_at = v_now
    where service = v_service and scope = p_scope and key = p_key and state in ('unknown_effect', 'failed')
    returning phases into v_phases;
    if not found then
        perform refuse_decided_operation();
    end if;
    if (p_recovery_point = any (v_phases)) is not true then
        raise exception 'this operation has no phase of that name'
            using errcode = '22023', hint = format('its phases are: %s', array_to_string(v_phases, ', '));
    end if;
end $$;
comment on function resolve_operation(text, text, text, json, timestamptz, text) is
    'For operators: what to do with an operation that is unknown_effect or failed. p_recovery_point: the phase to go '
    'on with. The same one: its effect did not happen, do it again. The next one: it did happen; give what it '
    'returned in p_data. A worker goes on from there. p_service: whose operation it is, the session''s own by default. '
    'Raises ON041 when there is nothing to decide.';

create function end_operation(
    p_scope   text,
    p_key     text,
    p_status  integer,
    p_body    json,
    p_now     timestamptz default null,
    p_service text        default null
) returns void
language plpgsql security definer set search_path from current set enable_seqscan = off
as $$
declare
    v_service constant text := service_named(p_service);
    v_now     constant timestamptz := coalesce(time_given(p_now), clock_timestamp());
    v_record  operation;
begin
    update operation
    set state = 'finished', finished_at = v_now, expires_at = v_now + retention, call = null, owner = null,
        fence = fence_after(fence), updated_at = v_now
    where service = v_service and scope = p_scope and key = p_key and state in ('unknown_effect', 'failed')
    returning * into v_record;
    if not found then
        perform refuse_decided_operation();
    end if;
    perform store_answer_of_operation(v_record, p_status, null, 'application/json', p_body, null);
end $$;
comment on function end_operation(text, text, integer, json, timestamptz, text) is
    'For operators: ends an operation that is unknown_effect or failed with the response given, which every '
    'repeat of its key gets. No phase runs any more. p_service: whose operation it is, the session''s own by default. '
    'Raises ON041 when there is nothing to decide.';

create function purge_operations(p_limit integer default 1000, p_now timestamptz default null) returns integer
language plpgsql security definer set search_path from current
as $$
begin
    return remove_expired('operation', 'operation_expiry_idx', 'expires_at', p_limit, p_now,
        p_only => 'state = ''finished''');
end $$;
comment on function purge_operations(integer, timestamptz) is
    'Removes up to p_limit finished operations whose response has expired, the oldest first, of all services, and '
    'returns how many. Others are never removed. For operators: p_now can purge early.';

create view operation_readable as
select service, scope, key, name,
       case when state = 'running' and lease_until <= clock_timestamp() then 'abandoned' else state::text end as state,
       case when state in ('unknown_effect', 'failed') then 'a person'
            when state = 'running' and lease_until <= clock_timestamp() then 'a worker' end as needs,
       recovery_point, array_position(phases, recovery_point::text) || ' of ' || cardinality(phases) as phase,
       call, attempt, owned_by, started_at, updated_at,
       case when state = 'running' then greatest(lease_until - clock_timestamp(), interval '0') end as lease_left,
       finished_at - started_at as took, last_error
from operation;
comment on view operation_readable is
    'operation for reading in psql: where each one stands, and who or what it waits for.';
comment on column operation_readable.service is 'The service that runs it.';
comment on column operation_readable.scope is 'Scope of the request.';
comment on column operation_readable.key is 'Key of the request.';
comment on column operation_readable.name is 'Which operation it is.';
comment on column operation_readable.state is
    'The word of operation_state, or abandoned: running, but its lease is over.';
comment on column operation_readable.needs is
    'Who has to act: a person or a worker; null when the operation runs or is finished.';
comment on column operation_readable.recovery_point is 'The phase that runs or comes next.';
comment on column operation_readable.phase is 'Its place among all phases.';
comment on column operation_readable.call is 'The call that may have been made.';
comment on column operation_readable.attempt is 'How often that phase was begun.';
comment on column operation_readable.owned_by is 'Who runs it, or ran it last.';
comment on column operation_readable.started_at is 'When it began.';
comment on column operation_readable.updated_at is 'When it was last changed.';
comment on column operation_readable.lease_left is 'How long no other owner may take it.';
comment on column operation_readable.took is 'From beginning to response.';
comment on column operation_readable.last_error is 'Why the last attempt ended.';

perform end_migration();
end $file$;
