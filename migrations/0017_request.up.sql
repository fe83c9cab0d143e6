-- 0017 request: a request whose record is written once, at its end.
--
-- Apply: into the schema that holds 0016.
-- Locks: creates new objects only.
-- Reverse: 0017_request.down.sql

do $file$ begin
perform begin_migration('0017_request');

-- Called in every transaction of every service, so the rules are those of the functions in 0003: no
-- `set search_path`, the schema of every name, and few expressions.
execute replace($functions$

create function {schema}.require_times(p_wait interval, p_now timestamptz) returns void
language plpgsql stable set search_path from current
as $$
begin
    perform time_given(p_now);
    if (p_wait between interval '0' and interval '1 hour') is not true then
        raise exception 'wait must be between 0 and 1 hour' using errcode = '22023';
    end if;
end $$;
comment on function {schema}.require_times(interval, timestamptz) is
    'Refuses a wait that is none, and a time that this session may not give.';

create function {schema}.hold_expired(p_scope text, p_key text, p_wait interval, p_service text) returns void
language plpgsql set search_path from current set lock_timeout = '2s' set enable_seqscan = off
as $$
begin
    perform set_config('lock_timeout', greatest(1, extract(epoch from p_wait) * 1000)::bigint::text, true);
    perform from idempotency_record where (service, scope, key) = (p_service, p_scope, p_key) for update;
end $$;
comment on function {schema}.hold_expired(text, text, interval, text) is
    'What begin_request() does where the key has an expired record: finish_request() will take it over, so purge() has '
    'to leave it alone. Waits up to p_wait for a purge that has it, then raises 55P03.';

create function {schema}.begin_request(
    p_scope       text,
    p_key         text,
    p_fingerprint bytea       default null,
    p_wait        interval    default interval '2 seconds',
    p_now         timestamptz default null
) returns {schema}.claim_answer
language plpgsql security definer set enable_seqscan = off
as $$
declare
    v_service constant pg_catalog.text := {schema}.service_of_session();
    v_found   record; -- with one column, the whole row: that costs less than all of its columns
    v_answer  {schema}.claim_answer;
    v_mark    pg_catalog.text;
begin
    if (p_wait operator(pg_catalog.>=) interval '0' and p_wait operator(pg_catalog.<=) interval '1 hour'
        and p_now is null) is not true then
        perform {schema}.require_times(p_wait, p_now);
    end if;
    if pg_catalog.pg_try_advisory_xact_lock({schema}.request_lock(p_scope, p_key, v_service)) then
        -- A separate statement, and this function is VOLATILE: its snapshot is from after the lock, so it shows what
        -- the last holder has committed.
        select r into v_found from {schema}.idempotency_record as r
        where (service, scope, key) operator(pg_catalog.=) (v_service, p_scope, p_key);
        if found then
            if (v_found.r).expires_at operator(pg_catalog.>)
               coalesce({schema}.time_given(p_now), pg_catalog.clock_timestamp()) then
                return {schema}.answer_of(v_found.r, p_fingerprint);
            end if;
            perform {schema}.hold_expired(p_scope, p_key, p_wait, v_service);
        end if;
        v_mark := pg_catalog.set_config('once.begun', p_key, true);
        return v_answer; -- null
    end if;

    v_answer := {schema}.await_request(p_scope, p_key, p_fingerprint, p_wait, p_now, v_service);
    if v_answer.outcome operator(pg_catalog.=) 'absent' then
        -- A stranger holds the lock. So this request is claimed by its row, as others are in a transaction of the
        -- caller; finish_request() completes it.
        perform pg_catalog.set_config('once.claims', pg_catalog.repeat('c', 64), true);
        v_answer := {schema}.claim(p_scope, p_key, p_fingerprint, interval '24 hours', interval '0', p_now);
        if v_answer.outcome operator(pg_catalog.=) 'started' then
            perform pg_catalog.set_config('once.inserted',
                {schema}.request_lock(p_scope, p_key, v_service)::pg_catalog.text, true);
        end if;
    end if;
    if v_answer.outcome operator(pg_catalog.=) 'started' then
        perform {schema}.hold_expired(p_scope, p_key, p_wait, v_service);
        perform pg_catalog.set_config('once.begun', p_key, true);
        return null;
    end if;
    return v_answer;
end $$;
comment on function {schema}.begin_request(text, text, bytea, interval, timestamptz) is
    'The first half of a request whose record is written once, at its end, for callers that cannot forget that end: '
    'finish_request(), in the same transaction, which should be READ COMMITTED. Null: there is no answer yet, do the '
    'work; an advisory lock keeps others from the key until the transaction ends, and nothing is written until then. '
    'Else the answer, as of claim(); p_wait as there, also its error 55P03. p_now is for tests.';

create function {schema}.begin_request_or_abort(
    p_scope       text,
    p_key         text,
    p_fingerprint bytea       default null,
    p_wait        interval    default interval '2 seconds',
    p_now         timestamptz default null
) returns void
language plpgsql security definer set enable_seqscan = off
as $$
declare
    v_expires timestamp with time zone;
    v_mark    pg_catalog.text;
begin
    if (p_wait operator(pg_catalog.>=) interval '0' and p_wait operator(pg_catalog.<=) interval '1 hour'
        and p_now is null) is not true then
        perform {schema}.require_times(p_wait, p_now);
    end if;
    -- Written out, because a call of begin_request() would double what this costs.
    if pg_catalog.pg_try_advisory_xact_lock({schema}.request_lock(p_scope, p_key, {schema}.service_of_session())) then
        select expires_at into v_expires from {schema}.idempotency_record
        where (service, scope, key) operator(pg_catalog.=) ({schema}.service_of_session(), p_scope, p_key);
        if v_expires is null then
            v_mark := pg_catalog.set_config('once.begun', p_key, true);
            return;
        elsif v_expires operator(pg_catalog.<=)
              coalesce({schema}.time_given(p_now), pg_catalog.clock_timestamp()) then
            perform {schema}.hold_expired(p_scope, p_key, p_wait, {schema}.service_of_session());
            v_mark := pg_catalog.set_config('once.begun', p_key, true);
            return;
        end if;
    elsif {schema}.begin_request(p_scope, p_key, p_fingerprint, p_wait, p_now) is null then
        return;
    end if;
    raise exception 'another request has claimed this key'
        using errcode = 'ON001', hint = 'roll back, then ask lookup() for the stored response';
end $$;
comment on function {schema}.begin_request_or_abort(text, text, bytea, interval, timestamptz) is
    'begin_request() that raises ON001 unless there is no answer yet, so that nothing behind it in the same pipeline '
    'runs.';

create function {schema}.store_record(
    p_scope        text,
    p_key          text,
    p_fingerprint  bytea,
    p_retention    interval,
    p_status       integer,
    p_headers      json,
    p_content_type text,
    p_json         json,
    p_bytes        bytea,
    p_now          timestamptz,
    p_service      text
) returns void
language plpgsql set search_path from current set enable_seqscan = off
as $$
declare
    v_lock constant text := request_lock(p_scope, p_key, p_service)::text;
    v_xmin xid;
begin
    insert into idempotency_record (service, scope, key, claimed_at, expires_at, fingerprint, completed_at,
        response_status, response_headers, response_content_type, response_json, response_bytes)
    values (p_service, p_scope, p_key, least(transaction_timestamp(), p_now), p_now + p_retention, p_fingerprint, p_now,
            p_status, p_headers, p_content_type, p_json, p_bytes)
    on conflict (service, scope, key) do nothing;
    if found then
        return;
    end if;
    update idempotency_record
    set claimed_by = default, claimed_at = least(transaction_timestamp(), p_now), completed_at = p_now,
        expires_at = p_now + p_retention, fingerprint = p_fingerprint, response_status = p_status,
        response_headers = p_headers, response_content_type = p_content_type, response_json = p_json,
        response_bytes = p_bytes
    where (service, scope, key) = (p_service, p_scope, p_key)
      and (expires_at <= p_now or completed_at is null and current_setting('once.inserted', true) = v_lock) is true;
    if found then
        return;
    end if;
    select xmin into v_xmin from idempotency_record where (service, scope, key) = (p_service, p_scope, p_key);
    -- Only a transaction's own writes are seen before they are committed.
    if pg_xact_status((pg_current_xact_id()::text::bigint - age(v_xmin))::text::xid8) = 'in progress' then
        raise exception 'this transaction has claimed the key of its request a second time'
            using errcode = 'ON006', hint = 'leave the key of the request to execute(), or claim another one';
    end if;
    raise exception 'another transaction has stored the response of this request first'
        using errcode = '40001', hint = 'roll back, then begin again: the stored response is the answer';
end $$;
comment on function
    {schema}.store_record(text, text, bytea, interval, integer, json, text, json, bytea, timestamptz, text) is
    'What finish_request() does where a time is given, or the key has a row: an expired one is taken over, and so is '
    'the one that '
    'begin_request() inserted; else 40001, or ON006 when this transaction has claimed the key itself. The key is in '
    'no message.';

create function {schema}.require_begun(p_scope text, p_key text) returns void
language plpgsql set search_path from current set jit = off
as $$
begin
    -- RESET ALL in the transaction takes the mark away, but not the lock.
    if current_setting('once.begun', true) is distinct from p_key
       and not exists (select from request_holder(p_scope, p_key, service_of_session())
                       where process = pg_backend_pid()) then
        raise exception 'this transaction has not begun this request'
            using errcode = 'ON002',
                  hint = 'call begin_request() first, in the same transaction, one request at a time';
    end if;
end $$;
comment on function {schema}.require_begun(text, text) is
    'Raises ON002 unless begin_request() was called in this transaction, and no COMMIT or ROLLBACK came in between.';

create function {schema}.finish_request(
    p_scope        text,
    p_key          text,
    p_fingerprint  bytea,
    p_status       integer,
    p_headers      json,
    p_content_type text,
    p_json         json,
    p_bytes        bytea,
    p_retention    interval    default interval '24 hours',
    p_wait         interval    default interval '2 seconds',
    p_now          timestamptz default null
) returns void
language plpgsql security definer set lock_timeout = '2s'
as $$
declare
    v_now constant timestamp with time zone := pg_catalog.clock_timestamp();
begin
    -- A response without a status is looked at by require_request(), too.
    if (pg_catalog.octet_length(p_scope) operator(pg_catalog.<=) 255
        and p_scope collate "C" operator(pg_catalog.~) '^[!-~]([ -~]*[!-~])?$'
        and pg_catalog.octet_length(p_key) operator(pg_catalog.<=) 255
        and p_key collate "C" operator(pg_catalog.~) '^[!-~]([ -~]*[!-~])?$'
        and coalesce(pg_catalog.octet_length(p_fingerprint), 32) operator(pg_catalog.=) 32
        and p_retention operator(pg_catalog.>=) interval '1 second'
        and p_retention operator(pg_catalog.<=) interval '366 days'
        and (p_wait operator(pg_catalog.=) interval '2 seconds' or {schema}.wait_at_most(p_wait))
        and p_now is null and pg_catalog.current_setting('once.begun', true) operator(pg_catalog.=) p_key
        and p_status operator(pg_catalog.>=) 100 and p_status operator(pg_catalog.<=) 599
        and (p_json is null) operator(pg_catalog.<>) (p_bytes is null)) is not true then
        perform {schema}.require_request(p_scope, p_key, p_fingerprint, p_retention, p_status, p_headers,
                                         p_content_type, p_json, p_bytes);
        perform {schema}.wait_at_most(p_wait);
        perform {schema}.require_begun(p_scope, p_key);
        if p_now is not null then
            perform {schema}.store_record(p_scope, p_key, p_fingerprint, p_retention, p_status, p_headers,
                p_content_type, p_json, p_bytes, {schema}.time_given(p_now), {schema}.service_of_session());
            return;
        end if;
    end if;
    -- The guard. It waits, for as long as p_wait, only where the lock did not exclude: for a claim by a row in a
    -- transaction that has used up its locks, or for a row made by hand. (purge() leaves a key alone that is locked.)
    insert into {schema}.idempotency_record (service, scope, key, claimed_at, expires_at, fingerprint, completed_at,
        response_status, response_headers, response_content_type, response_json, response_bytes)
    values ({schema}.service_of_session(), p_scope, p_key, pg_catalog.transaction_timestamp(),
            v_now operator(pg_catalog.+) p_retention, p_fingerprint, v_now, p_status, p_headers, p_content_type,
            p_json, p_bytes)
    on conflict (service, scope, key) do nothing;
    if not found then
        perform {schema}.store_record(p_scope, p_key, p_fingerprint, p_retention, p_status, p_headers, p_content_type,
            p_json, p_bytes, pg_catalog.clock_timestamp(), {schema}.service_of_session());
    end if;
end $$;
comment on function
    {schema}.finish_request(text, text, bytea, integer, json, text, json, bytea, interval, interval, timestamptz) is
    'The second half of begin_request(), in front of COMMIT: writes the whole record, by the unique constraint. '
    'p_fingerprint as there. p_status with exactly one of p_json and p_bytes, or all null to keep the key only. '
    'p_retention: 1 second to 366 days from now. 40001: another transaction was first after all, roll back and begin '
    'again. ON006: the key was claimed a second time in this transaction. 55P03: a row of this key was locked for '
    'p_wait; nothing took effect. p_now is for tests.';

-- Not a call of finish_request(): a function inside a function prepares its expressions a second time.
create function {schema}.finish_request_with_row(
    p_scope       text,
    p_key         text,
    p_fingerprint bytea,
    p_status      integer,
    p_row         json,
    p_retention   interval default interval '24 hours',
    p_wait        interval default interval '2 seconds'
) returns text
language plpgsql security definer set lock_timeout = '2s'
as $$
declare
    v_now constant timestamp with time zone := pg_catalog.clock_timestamp();
begin
    if (p_row is not null and pg_catalog.octet_length(p_scope) operator(pg_catalog.<=) 255
        and p_scope collate "C" operator(pg_catalog.~) '^[!-~]([ -~]*[!-~])?$'
        and pg_catalog.octet_length(p_key) operator(pg_catalog.<=) 255
        and p_key collate "C" operator(pg_catalog.~) '^[!-~]([ -~]*[!-~])?$'
        and coalesce(pg_catalog.octet_length(p_fingerprint), 32) operator(pg_catalog.=) 32
        and p_retention operator(pg_catalog.>=) interval '1 second'
        and p_retention operator(pg_catalog.<=) interval '366 days'
        and (p_wait operator(pg_catalog.=) interval '2 seconds' or {schema}.wait_at_most(p_wait))
        and pg_catalog.current_setting('once.begun', true) operator(pg_catalog.=) p_key
        and p_status operator(pg_catalog.>=) 100 and p_status operator(pg_catalog.<=) 599) is not true then
        if p_row is null then
            raise exception 'the last statement returned no row to answer with'
                using errcode = 'ON003', hint = 'end it with RETURNING, and let it hit exactly one row';
        end if;
        perform {schema}.require_request(p_scope, p_key, p_fingerprint, p_retention, coalesce(p_status, 0), null, null,
                                         p_row);
        perform {schema}.wait_at_most(p_wait);
        perform {schema}.require_begun(p_scope, p_key);
    end if;
    insert into {schema}.idempotency_record (service, scope, key, claimed_at, expires_at, fingerprint, completed_at,
        response_status, response_content_type, response_json)
    values ({schema}.service_of_session(), p_scope, p_key, pg_catalog.transaction_timestamp(),
            v_now operator(pg_catalog.+) p_retention, p_fingerprint, v_now, p_status, 'application/json', p_row)
    on conflict (service, scope, key) do nothing;
    if not found then
        perform {schema}.store_record(p_scope, p_key, p_fingerprint, p_retention, p_status, null, 'application/json',
            p_row, null, pg_catalog.clock_timestamp(), {schema}.service_of_session());
    end if;
    return p_row;
end $$;
comment on function {schema}.finish_request_with_row(text, text, bytea, integer, json, interval, interval) is
    'finish_request() with a row of the business write as the response; raises ON003 when there is none. Returns the '
    'exact text that was stored.';

$functions$, '{schema}', quote_ident(current_schema()));

perform end_migration();
end $file$;
