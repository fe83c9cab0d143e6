-- 0003 idempotency_record: the claim of a request and its stored response.
-- More than 400 lines: the claim by a row, the lock that excludes, and what a repeat is told are read together. The
-- record that is written once is in 0017.
--
-- Apply: into the schema that holds 0002.
-- Locks: creates new objects only.
-- Reverse: 0003_idempotency_record.down.sql

do $file$ begin
perform begin_migration('0003_idempotency_record');

-- One domain per concept, for signatures, views and the tables that are written less often. The columns of
-- idempotency_record have the plain types: each check there would cost every request as much as a third of its INSERT,
-- so the functions that write it check once, by require_request().
create domain key_text as text collate "C"
    constraint key_text_valid check (octet_length(value) <= 255 and value ~ '^[!-~]([ -~]*[!-~])?$');
comment on domain key_text is 'Printable ASCII, 1 to 255 bytes, no space at either end; compared byte by byte.';
comment on constraint key_text_valid on domain key_text is 'Printable ASCII, 1 to 255 bytes, no space at either end.';
create domain sha256_digest as bytea
    constraint sha256_digest_valid check (octet_length(value) = 32);
comment on domain sha256_digest is 'The 32 bytes of a SHA-256.';
comment on constraint sha256_digest_valid on domain sha256_digest is 'SHA-256 has 32 bytes.';
create domain http_status as integer
    constraint http_status_valid check (value between 100 and 599);
comment on domain http_status is 'An HTTP status code, 100 to 599.';
comment on constraint http_status_valid on domain http_status is 'HTTP status codes are 100 to 599.';

create table idempotency_record (
    service               text        collate "C" not null,
    scope                 text        collate "C" not null,
    key                   text        collate "C" not null,
    claimed_by            text        not null default coalesce(nullif(current_setting('application_name'), ''),
        session_user),
    claimed_at            timestamptz not null,
    expires_at            timestamptz not null,
    fingerprint           bytea,
    -- From here on complete() writes: what stands before is not written to the WAL again by its update.
    completed_at          timestamptz,
    response_status       integer,
    response_headers      json,
    response_content_type text,
    response_json         json,
    response_bytes        bytea,
    -- The guard: of all requests with one key only one can insert, whatever the isolation level.
    -- The key comes first, because it differs most: a step through the index then compares one column instead of
    -- three, which made a request cheaper by 30 000 instructions.
    -- COLLATE "C" keeps the order of the index out of reach of a changed operating system locale.
    constraint idempotency_record_pkey primary key (key, scope, service)
)
with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
comment on table idempotency_record is
    'One row per request that took effect: (service, scope, key) names it, the response is what every repeat gets. '
    'A row becomes visible when the transaction that did the business write commits.';
comment on column idempotency_record.service is 'The service that claimed it; see current_service().';
comment on column idempotency_record.scope is
    'What the key is unique within, for example ''POST /orders alice''. Printable ASCII, 1 to 255 bytes.';
comment on column idempotency_record.key is
    'The idempotency key that came with the request. Printable ASCII, 1 to 255 bytes, case-sensitive.';
comment on column idempotency_record.claimed_by is
    'application_name of the session that claimed it, or its role where none is set.';
comment on column idempotency_record.claimed_at is
    'When it was claimed (clock of the database): for a record of finish_request(), when its transaction began.';
comment on column idempotency_record.completed_at is
    'When the response was stored: the record is completed, and the response stands. Null: it is only started, which '
    'is seen only when a caller of claim() committed without complete(), and answered as in_progress until it '
    'expires.';
comment on column idempotency_record.expires_at is
    'From then on the key may be claimed again, and purge() removes the row.';
comment on column idempotency_record.fingerprint is
    'SHA-256 of what was asked. The same key with another fingerprint is refused as key_reused.';
comment on column idempotency_record.response_status is
    'HTTP-like status of the response; null when only the key was kept.';
comment on column idempotency_record.response_headers is 'Headers of the response, as [["name","value"], ...].';
comment on column idempotency_record.response_content_type is 'Media type of the body.';
comment on column idempotency_record.response_json is
    'Body, when it is JSON: the exact text, byte for byte (json, not jsonb).';
comment on column idempotency_record.response_bytes is 'Body, when it is anything else. Exactly one of the two is set.';
comment on constraint idempotency_record_pkey on idempotency_record is
    'The guard against a second effect. Never drop it, never make it deferrable.';

create index idempotency_record_expiry_idx on idempotency_record (expires_at);
comment on index idempotency_record_expiry_idx is 'Lets purge() find what has expired without reading the rest.';

create type claim_outcome as enum ('started', 'replayed', 'in_progress', 'key_reused', 'absent', 'refused');
comment on type claim_outcome is
    'started: do the work, then complete. replayed: here is the stored response. in_progress: another request is at '
    'it. key_reused: same key, other fingerprint. absent: no record (lookup only). refused: no such token for this '
    'principal and purpose, or it has expired (redeem_token only).';

create type claim_answer as (
    outcome      claim_outcome,
    claimed_at   timestamptz,
    completed_at timestamptz,
    expires_at   timestamptz,
    status       integer,
    headers      text,
    content_type text,
    body         bytea
);
comment on type claim_answer is 'What a claim came to, with the stored response where there is one.';
comment on column claim_answer.outcome is 'What it came to.';
comment on column claim_answer.claimed_at is 'When the record was claimed; null when started: it is now.';
comment on column claim_answer.completed_at is 'When its response was stored.';
comment on column claim_answer.expires_at is
    'When the key becomes free again; null when started: the retention from now.';
comment on column claim_answer.status is 'Status of the stored response; only when replayed.';
comment on column claim_answer.headers is 'Headers of the stored response, exact JSON text; only when replayed.';
comment on column claim_answer.content_type is 'Media type of the stored body; only when replayed.';
comment on column claim_answer.body is 'The stored body, byte for byte; only when replayed.';

create function answer_of(p_record idempotency_record, p_fingerprint bytea) returns claim_answer
language sql stable
return case
    -- The response goes only to a request that is the same.
    when p_record.fingerprint is distinct from p_fingerprint then
        row('key_reused', null, null, null, null, null, null, null)::claim_answer
    when p_record.completed_at is null then
        row('in_progress', p_record.claimed_at, null, p_record.expires_at,
            null, null, null, null)::claim_answer
    else
        row('replayed', p_record.claimed_at, p_record.completed_at, p_record.expires_at,
            p_record.response_status, p_record.response_headers::text, p_record.response_content_type,
            coalesce(p_record.response_bytes,
                     convert_to(p_record.response_json::text, 'UTF8')))::claim_answer
end;
comment on function answer_of(idempotency_record, bytea) is
    'What a repeat with this fingerprint is told about an unexpired record. Used by claim() and lookup().';

-- The functions from here to complete_with_row() are called in every transaction of every service. So they have
-- no `set search_path`, which PostgreSQL would carry out and take back at each call, each time forgetting which names
-- it has looked up. (To set a flag of the planner costs next to nothing, and keeps a plan made when there were
-- few rows from reading all of many.) Instead they name the schema of every table, function, type and operator, so that
-- nothing that a caller puts on its search_path can stand in for one.
-- A function without `set search_path` that leaves out one of these names is a hole: its caller gets the owner's
-- rights. {schema} is the name of this schema: replace() below puts it in.
-- Each expression of plpgsql is prepared once per transaction, and a function inside a function costs as much as the
-- whole of its caller. So there are few expressions on the way of a new key, the service is one of them, and what
-- seldom happens stands in separate functions.
execute replace($functions$

-- With the rights of its caller: what it sets is for the caller's transaction.
create function {schema}.set_up_transaction(p_durable boolean, p_idle text, p_role name) returns text
language plpgsql
as $$
declare
    v_idle constant pg_catalog.text := pg_catalog.current_setting('idle_in_transaction_session_timeout');
    v_left pg_catalog.text;
begin
    if current_user operator(pg_catalog.<>) p_role then
        v_left := 'role';
        perform pg_catalog.set_config('role', p_role::pg_catalog.text, true);
    end if;
    if p_durable and pg_catalog.current_setting('synchronous_commit') operator(pg_catalog.=) any
                     (array['off', 'local', 'remote_write']::pg_catalog.text[]) then
        perform pg_catalog.set_config('synchronous_commit', 'on', true);
    end if;
    perform pg_catalog.set_config('idle_in_transaction_session_timeout',
        (case when v_idle operator(pg_catalog.=) '0' then p_idle::bigint
              else least((extract(epoch from v_idle::interval) operator(pg_catalog.*) 1000)::bigint, p_idle::bigint)
         end)::pg_catalog.text, true);
    return v_left;
end $$;
comment on function {schema}.set_up_transaction(boolean, text, name) is
    'What a transaction of the library is set to where its session is not as it usually is: synchronous_commit is '
    'raised to on, if p_durable; the idle timeout is lowered to p_idle milliseconds; the role is p_role, for this '
    'transaction. Returns ''role'' where it was another one.';

-- Each hash is the seed of the next, so that ("ab", "c") and ("a", "bc") differ. SQL, so that PostgreSQL puts it into
-- the expressions that call it.
create function {schema}.request_lock(p_scope text, p_key text, p_service text) returns bigint
language sql immutable parallel safe
return pg_catalog.hashtextextended(p_key, pg_catalog.hashtextextended(p_scope, pg_catalog.hashtextextended(p_service,
    '{schema}.idempotency_record'::pg_catalog.regclass::bigint)));
comment on function {schema}.request_lock(text, text, text) is
    'The number of the advisory lock that excludes two transactions that work on one request. The lock only spares '
    'work; what keeps a second effect out is idempotency_record_pkey.';

create function {schema}.require_request(
    p_scope        text,
    p_key          text,
    p_fingerprint  bytea,
    p_retention    interval,
    p_status       integer default null,
    p_headers      json    default null,
    p_content_type text    default null,
    p_json         json    default null,
    p_bytes        bytea   default null
) returns void
language plpgsql stable set search_path from current
as $$
begin
    if (octet_length(p_scope) between 1 and 255 and p_scope collate "C" ~ '^[!-~]([ -~]*[!-~])?$'
        and octet_length(p_key) between 1 and 255 and p_key collate "C" ~ '^[!-~]([ -~]*[!-~])?$') is not true then
        raise exception 'scope and key must be printable ASCII, 1 to 255 bytes, with no space at either end'
            using errcode = '22023';
    elsif (p_retention between interval '1 second' and interval '366 days') is not true then
        raise exception 'retention must be between 1 second and 366 days' using errcode = '22023';
    elsif octet_length(p_fingerprint) <> 32 then
        raise exception 'a fingerprint must be the 32 bytes of a SHA-256' using errcode = '22023';
    elsif p_status not between 100 and 599 then
        raise exception 'status must be an HTTP status code, 100 to 599' using errcode = '22023';
    elsif (case when p_status is null then num_nonnulls(p_headers, p_content_type, p_json, p_bytes) <> 0
                else num_nonnulls(p_json, p_bytes) <> 1 end) then
        raise exception 'a response is a status with exactly one body, or nothing at all' using errcode = '22023';
    end if;
end $$;
comment on function {schema}.require_request(text, text, bytea, interval, integer, json, text, json, bytea) is
    'The rules for a row of idempotency_record. 22023 says which one is broken, and prints no value.';

-- Whether a role acts for a service, as service_of_session() finds it for the session's own.
create function {schema}.acts_for(p_role name, p_service text) returns boolean
-- What calls it has turned scans of tables off, and what scans one all the same then looks dear enough to be compiled,
-- for a second.
language plpgsql stable set search_path from current set jit = off
as $$
declare
    v_mapped constant text := (select service from service_role where role = p_role);
begin
    return case
        when v_mapped is not null then v_mapped = p_service
        when exists (select from service_role as r
                     cross join lateral (select to_regrole(quote_ident(r.role)) as oid) as g
                     where r.service = p_service and pg_has_role(p_role, g.oid, 'MEMBER')
                       and has_function_privilege(g.oid, '{schema}.service_by_membership()'::regprocedure, 'EXECUTE'))
            then true
        else p_role = p_service end;
end $$;
comment on function {schema}.acts_for(name, text) is 'Whether sessions of this login role act for this service.';

create function {schema}.request_holder(p_scope text, p_key text, p_service text)
returns table (process integer, role name, application text, since timestamptz, foreign_role boolean)
language sql stable set search_path from current set jit = off set enable_seqscan = on
begin atomic
    select l.pid, a.usename, a.application_name, a.xact_start, not acts_for(a.usename, p_service)
    from pg_locks as l left join pg_stat_activity as a on a.pid = l.pid
    cross join (select request_lock(p_scope, p_key, p_service)) as r (number)
    where l.locktype = 'advisory' and l.granted and l.objsubid = 1
      and l.database = (select oid from pg_database where datname = current_database())
      and l.classid = ((r.number >> 32) & 4294967295)::oid and l.objid = (r.number & 4294967295)::oid;
end;
comment on function {schema}.request_holder(text, text, text) is
    'Who works on a request at this moment, that is, holds its request_lock(): process (null for a prepared '
    'transaction), role, application, since when its transaction runs, and whether that role acts for another '
    'service, which then has no business with this lock.';

create function {schema}.stored_answer(
    p_scope       text,
    p_key         text,
    p_fingerprint bytea,
    p_now         timestamptz,
    p_service     text
) returns {schema}.claim_answer
language plpgsql set search_path from current set enable_seqscan = off
as $$
declare
    v_record idempotency_record;
begin
    select * into v_record from idempotency_record
    where (service, scope, key) = (p_service, p_scope, p_key)
      and expires_at > coalesce(time_given(p_now), clock_timestamp());
    if not found then
        return row('absent', null, null, null, null, null, null, null)::claim_answer;
    end if;
    return answer_of(v_record, p_fingerprint);
end $$;
comment on function {schema}.stored_answer(text, text, bytea, timestamptz, text) is
    'What a repeat is told now, or absent. VOLATILE: each call sees what has been committed before it.';

create function {schema}.await_request(
    p_scope       text,
    p_key         text,
    p_fingerprint bytea,
    p_wait        interval,
    p_now         timestamptz,
    p_service     text
) returns {schema}.claim_answer
-- This SET ends with the function and takes set_config() below with it: the caller's lock_timeout is left as it was.
language plpgsql set search_path from current set lock_timeout = '2s'
as $$
declare
    v_lock  constant bigint := request_lock(p_scope, p_key, p_service);
    v_until constant timestamptz := clock_timestamp() + p_wait;
    -- A snapshot of the whole transaction shows nothing new after a wait; there the INSERT decides.
    v_reads constant boolean := current_setting('transaction_isolation') = 'read committed';
    v_none  constant claim_answer := row('absent', null, null, null, null, null, null, null);
    v_found claim_answer := v_none;
begin
    if (p_wait between interval '0' and interval '1 hour' and v_lock is not null) is not true then
        raise exception 'wait must be between 0 and 1 hour, scope and key not null' using errcode = '22023';
    end if;
    -- A repeat does not queue: neither behind one that works on something else after its replay, nor behind the next.
    if v_reads then
        v_found := stored_answer(p_scope, p_key, p_fingerprint, p_now, p_service);
    end if;

    if v_found.outcome = 'absent' and p_wait > interval '0' and v_reads then
        -- All that wait here are woken by one COMMIT, and hold nothing afterwards: the savepoint is rolled back.
        begin
            perform set_config('lock_timeout', greatest(1, extract(epoch from p_wait) * 1000)::bigint::text, true);
            perform pg_advisory_xact_lock_shared(v_lock);
            raise exception 'released' using errcode = 'ON000';
        exception when lock_not_available or sqlstate 'ON000' then null;
        end;
        v_found := stored_answer(p_scope, p_key, p_fingerprint, p_now, p_service);
    end if;

    if v_found.outcome = 'absent' then
        -- The other one rolled back: one of those that waited is next.
        begin
            perform set_config('lock_timeout',
                greatest(1, extract(epoch from v_until - clock_timestamp()) * 1000)::bigint::text, true);
            perform pg_advisory_xact_lock(v_lock);
            if v_reads then
                v_found := stored_answer(p_scope, p_key, p_fingerprint, p_now, p_service);
            end if;
            if v_found.outcome = 'absent' then
                return row('started', null, null, null, null, null, null, null)::claim_answer;
            end if;
            raise exception 'released' using errcode = 'ON000';
        exception when lock_not_available or sqlstate 'ON000' then null;
        end;
    end if;

    if v_found.outcome = 'absent'
       and not exists (select from request_holder(p_scope, p_key, p_service) as h where h.foreign_role) then
        raise exception 'another transaction works on this request' using errcode = '55P03';
    end if;
    return v_found;
end $$;
comment on function {schema}.await_request(text, text, bytea, interval, timestamptz, text) is
    'What claim() and begin_request() do when they do not get request_lock() at once: the stored answer as soon as '
    'there is one; started, with the lock; 55P03 when p_wait runs out; absent, without the lock, when a role that '
    'acts for another service holds it: then the INSERT alone decides.';

create function {schema}.wait_at_most(p_wait interval) returns boolean
language plpgsql
as $$
begin
    if (p_wait operator(pg_catalog.>=) interval '0' and p_wait operator(pg_catalog.<=) interval '1 hour') is not true
    then
        raise exception 'wait must be between 0 and 1 hour' using errcode = '22023';
    end if;
    -- A lock_timeout of 0 would mean to wait forever, so the shortest wait is a millisecond.
    perform pg_catalog.set_config('lock_timeout',
        greatest(1, extract(epoch from p_wait) operator(pg_catalog.*) 1000)::bigint::pg_catalog.text, true);
    return true;
end $$;
comment on function {schema}.wait_at_most(interval) is
    'For a function that sets lock_timeout to 2 s and is to wait for something else: until that function ends. True.';

-- More than 80 lines: the lock, the INSERT, and what is done where there is a row already, in one loop.
create function {schema}.claim(
    p_scope       text,
    p_key         text,
    p_fingerprint bytea       default null,
    p_retention   interval    default interval '24 hours',
    p_wait        interval    default interval '2 seconds',
    p_now         timestamptz default null
) returns {schema}.claim_answer
-- This SET ends with the function and takes set_config() below with it: the caller's lock_timeout is left as it was.
language plpgsql security definer set lock_timeout = '2s' set enable_seqscan = off
as $$
declare
    v_service pg_catalog.text := {schema}.service_of_session();
    -- One letter for each lock of the transaction.
    v_locks   pg_catalog.text := coalesce(pg_catalog.current_setting('once.claims', true), '');
    v_now     timestamp with time zone;
    v_answer  {schema}.claim_answer;
    v_record  {schema}.idempotency_record;
    v_round   integer := 1;
begin
    if (pg_catalog.octet_length(p_scope) operator(pg_catalog.<=) 255
        and p_scope collate "C" operator(pg_catalog.~) '^[!-~]([ -~]*[!-~])?$'
        and pg_catalog.octet_length(p_key) operator(pg_catalog.<=) 255
        and p_key collate "C" operator(pg_catalog.~) '^[!-~]([ -~]*[!-~])?$'
        and coalesce(pg_catalog.octet_length(p_fingerprint), 32) operator(pg_catalog.=) 32
        and p_retention operator(pg_catalog.>=) interval '1 second'
        and p_retention operator(pg_catalog.<=) interval '366 days'
        and (p_wait operator(pg_catalog.=) interval '2 seconds' or {schema}.wait_at_most(p_wait))) is not true then
        perform {schema}.require_request(p_scope, p_key, p_fingerprint, p_retention);
        perform {schema}.wait_at_most(p_wait);
    end if;

    -- The server's table of locks is shared. So a transaction that claims thousands of keys relies on the constraint
    -- alone after the first of them.
    if pg_catalog.octet_length(v_locks) operator(pg_catalog.<) 64 then
        v_locks := pg_catalog.set_config('once.claims', v_locks operator(pg_catalog.||) 'c', true);
        if not pg_catalog.pg_try_advisory_xact_lock({schema}.request_lock(p_scope, p_key, v_service)) then
            v_answer := {schema}.await_request(p_scope, p_key, p_fingerprint, p_wait, p_now, v_service);
            if v_answer.outcome operator(pg_catalog.<>) 'started' and v_answer.outcome operator(pg_catalog.<>) 'absent'
            then
                return v_answer;
            end if;
        end if;
    end if;

    loop
        v_now := coalesce({schema}.time_given(p_now), pg_catalog.clock_timestamp());
        -- Waits here for a transaction that has inserted the same key without the lock; then one of us inserts.
        insert into {schema}.idempotency_record (service, scope, key, claimed_at, expires_at, fingerprint)
        values (v_service, p_scope, p_key, v_now, v_now operator(pg_catalog.+) p_retention, p_fingerprint)
        on conflict (service, scope, key) do nothing;
        if found then
            return row('started', null, null, null, null, null, null, null)::{schema}.claim_answer;
        end if;

        -- A separate statement: under READ COMMITTED only a new snapshot is sure to show the winner, and under
        -- SERIALIZABLE only a plain SELECT takes part in the detection of conflicts.
        select * into v_record from {schema}.idempotency_record
        where (service, scope, key) operator(pg_catalog.=) (v_service, p_scope, p_key);
        v_now := coalesce({schema}.time_given(p_now), pg_catalog.clock_timestamp());
        if v_record.expires_at operator(pg_catalog.>) v_now then
            return {schema}.answer_of(v_record, p_fingerprint);
        end if;

        -- No row now means: purged, or taken over, since it was read. Then all begins again.
        update {schema}.idempotency_record
        set claimed_by = default, claimed_at = v_now, completed_at = null,
            expires_at = v_now operator(pg_catalog.+) p_retention,
            fingerprint = p_fingerprint, response_status = null, response_headers = null,
            response_content_type = null, response_json = null, response_bytes = null
        where (service, scope, key) operator(pg_catalog.=) (v_service, p_scope, p_key)
          -- IS TRUE, because without statistics the index on this column seems to be as good as that on the key.
          and (expires_at operator(pg_catalog.<=) v_now) is true;
        if found then
            return row('started', null, null, null, null, null, null, null)::{schema}.claim_answer;
        end if;

        if v_round operator(pg_catalog.=) 10 then
            return row('in_progress', null, null, null, null, null, null, null)::{schema}.claim_answer;
        end if;
        v_round := v_round operator(pg_catalog.+) 1;
    end loop;
end $$;
comment on function {schema}.claim(text, text, bytea, interval, interval, timestamptz) is
    'Claims (scope, key) for this transaction, by the unique constraint. started: it is yours until the transaction '
    'ends; call complete() before you commit. While another transaction holds the key it waits up to p_wait, then '
    'raises 55P03 (lock_not_available); try_claim() answers in_progress instead. p_fingerprint: SHA-256 of the '
    'request. p_retention: 1 second to 366 days. p_now is for tests.';

create function {schema}.watch_claim(p_scope text, p_key text) returns void
language plpgsql set search_path from current set enable_seqscan = off
as $$
begin
    update idempotency_record set scope = p_scope where (service, scope, key) = (service_of_session(), p_scope, p_key);
end $$;
comment on function {schema}.watch_claim(text, text) is
    'Fires idempotency_record_completed: from now on COMMIT is refused until the claim is completed.';

create function {schema}.try_claim(
    p_scope       text,
    p_key         text,
    p_fingerprint bytea       default null,
    p_retention   interval    default interval '24 hours',
    p_wait        interval    default interval '2 seconds',
    p_now         timestamptz default null
) returns {schema}.claim_answer
language plpgsql security definer
as $$
declare
    v_answer {schema}.claim_answer;
begin
    v_answer := {schema}.claim(p_scope, p_key, p_fingerprint, p_retention, p_wait, p_now);
    if v_answer.outcome operator(pg_catalog.=) 'started' then
        perform {schema}.watch_claim(p_scope, p_key);
    end if;
    return v_answer;
exception when lock_not_available then
    return row('in_progress', null, null, null, null, null, null, null)::{schema}.claim_answer;
end $$;
comment on function {schema}.try_claim(text, text, bytea, interval, interval, timestamptz) is
    'claim() inside a savepoint, for a transaction that is to go on: a wait that ran out is answered in_progress '
    'instead of raising. A COMMIT without complete() is refused with ON005. Costs a second transaction id, which is '
    'why claim() does without.';

create function {schema}.claim_or_abort(
    p_scope       text,
    p_key         text,
    p_fingerprint bytea       default null,
    p_retention   interval    default interval '24 hours',
    p_wait        interval    default interval '2 seconds',
    p_now         timestamptz default null
) returns void
language plpgsql security definer
as $$
begin
    if ({schema}.claim(p_scope, p_key, p_fingerprint, p_retention, p_wait,
        p_now)).outcome operator(pg_catalog.<>) 'started' then
        raise exception 'another request has claimed this key'
            using errcode = 'ON001', hint = 'roll back, then ask lookup() for the stored response';
    end if;
end $$;
comment on function {schema}.claim_or_abort(text, text, bytea, interval, interval, timestamptz) is
    'claim() that raises ON001 unless the answer is started, so that nothing behind it in the same pipeline runs.';

create function {schema}.lookup(
    p_scope       text,
    p_key         text,
    p_fingerprint bytea       default null,
    p_now         timestamptz default null
) returns {schema}.claim_answer
language plpgsql stable security definer set enable_seqscan = off
as $$
declare
    v_service constant pg_catalog.text := {schema}.service_of_session();
    v_record  {schema}.idempotency_record;
begin
    select * into v_record from {schema}.idempotency_record
    where (service, scope, key) operator(pg_catalog.=) (v_service, p_scope, p_key)
      and expires_at operator(pg_catalog.>) coalesce({schema}.time_given(p_now), pg_catalog.clock_timestamp());
    if not found then
        return row('absent', null, null, null, null, null, null, null)::{schema}.claim_answer;
    end if;
    return {schema}.answer_of(v_record, p_fingerprint);
end $$;
comment on function {schema}.lookup(text, text, bytea, timestamptz) is
    'What a repeat of (scope, key) would be told, without claiming anything: replayed, in_progress, key_reused, or '
    'absent when there is no unexpired record that has committed.';

create function {schema}.complete(
    p_scope        text,
    p_key          text,
    p_status       integer,
    p_headers      json,
    p_content_type text,
    p_json         json,
    p_bytes        bytea,
    p_now          timestamptz default null
) returns void
language plpgsql security definer set enable_seqscan = off
as $$
begin
    if (case when p_status is null
             then pg_catalog.num_nonnulls(p_headers, p_content_type, p_json, p_bytes) operator(pg_catalog.<>) 0
             else pg_catalog.num_nonnulls(p_json, p_bytes) operator(pg_catalog.<>) 1 end) then
        raise exception 'a response is a status with exactly one body, or nothing at all' using errcode = '22023';
    end if;
    update {schema}.idempotency_record
    set completed_at = coalesce({schema}.time_given(p_now), pg_catalog.clock_timestamp()), response_status = p_status,
        response_headers = p_headers, response_content_type = p_content_type,
        response_json = p_json, response_bytes = p_bytes
    where (service, scope, key) operator(pg_catalog.=) ({schema}.service_of_session(),
              p_scope, p_key)
      and completed_at is null;
    if not found then
        raise exception 'there is no started record of this key to complete'
            using errcode = 'ON002', hint = 'claim the key first, in the same transaction';
    end if;
end $$;
comment on function {schema}.complete(text, text, integer, json, text, json, bytea, timestamptz) is
    'Stores the response of a claimed request: a status with exactly one of p_json and p_bytes, or all null to keep '
    'the key only. Raises ON002 when this service has no started record of that key. p_now is for tests.';

-- Not a call of complete(): a function inside a function prepares its expressions a second time.
create function {schema}.complete_with_row(
    p_scope  text,
    p_key    text,
    p_status integer,
    p_row    json
) returns text
language plpgsql security definer set enable_seqscan = off
as $$
begin
    if p_row is null or p_status is null then
        if p_row is null then
            raise exception 'the last statement returned no row to answer with'
                using errcode = 'ON003', hint = 'end it with RETURNING, and let it hit exactly one row';
        end if;
        raise exception 'a response is a status with a body' using errcode = '22023';
    end if;
    update {schema}.idempotency_record
    set completed_at = pg_catalog.clock_timestamp(), response_status = p_status,
        response_content_type = 'application/json', response_json = p_row
    where (service, scope, key) operator(pg_catalog.=) ({schema}.service_of_session(),
              p_scope, p_key)
      and completed_at is null;
    if not found then
        raise exception 'there is no started record of this key to complete'
            using errcode = 'ON002', hint = 'claim the key first, in the same transaction';
    end if;
    return p_row;
end $$;
comment on function {schema}.complete_with_row(text, text, integer, json) is
    'complete() with a row of the business write as the response; raises ON003 when there is none. Returns the exact '
    'text that was stored.';

$functions$, '{schema}', quote_ident(current_schema()));

-- A caller that claims with try_claim() ends its transaction itself, and can forget complete(): the effect
-- would stand, and each repeat be told that the first request is still running. execute() and operations do not pass
-- here: their claims do not set the mark, and nothing is queued for them.
create function refuse_uncompleted_claim() returns trigger
language plpgsql security definer set search_path from current
as $$
begin
    if exists (select from idempotency_record where (service, scope, key) = (new.service, new.scope, new.key)
                  and claimed_at = new.claimed_at and completed_at is null) then
        raise exception 'a key of scope "%" was claimed in this transaction and not completed', new.scope
            using errcode = 'ON005', hint = 'call complete() before COMMIT, with or without a response; or roll back';
    end if;
    return null;
end $$;
comment on function refuse_uncompleted_claim() is
    'Body of the trigger idempotency_record_completed: raises ON005 at COMMIT. Not to be called.';

-- try_claim() says that it wants to be watched by an update of a column that nothing else updates: PostgreSQL reads the
-- WHEN of a trigger again for each statement, which every INSERT would feel.
create constraint trigger idempotency_record_completed after update of scope on idempotency_record
deferrable initially deferred for each row execute function refuse_uncompleted_claim();
comment on trigger idempotency_record_completed on idempotency_record is
    'Refuses a COMMIT that would leave what try_claim() claimed without complete().';

-- While an old snapshot is held, by a backup for example, an index keeps the entries of rows that are gone, and
-- each look for the first row in its order reads them all. So a session that had to read many remembers where it ended.
create function look_from(p_what text, p_of text) returns timestamptz
language plpgsql stable
as $$
declare
    v_kept constant jsonb := nullif(current_setting('once.look_' || p_what, true), '')::jsonb;
begin
    if v_kept ->> 'of' = current_schema() || ' ' || p_of
       and clock_timestamp() between (v_kept ->> 'at')::timestamptz and (v_kept ->> 'again')::timestamptz then
        return (v_kept ->> 'first')::timestamptz;
    end if;
    return '-infinity';
end $$;
comment on function look_from(text, text) is
    'From where to look for the first row in the order of an index of times: where the last look of this session '
    'ended, or -infinity, from the start.';

create function keep_look(p_what text, p_of text, p_from timestamptz, p_first timestamptz, p_read bigint) returns void
language plpgsql
as $$
declare
    v_name constant text := 'once.look_' || p_what;
    v_kept constant text := nullif(current_setting(v_name, true), '');
    v_now  constant timestamptz := clock_timestamp();
begin
    if p_from > '-infinity' then
        perform set_config(v_name, jsonb_set(v_kept::jsonb, '{first}', to_jsonb(p_first))::text, false);
    elsif p_read > 1000 then
        -- What turns up before that place, in a transaction that was still open, is found when we look from the start
        -- again. To read an entry takes about half a microsecond, so that takes a twentieth of the time.
        perform set_config(v_name, jsonb_build_object('of', current_schema() || ' ' || p_of, 'first', p_first,
                                                      'at', v_now,
                                                      'again', v_now + p_read * interval '10 microseconds')::text,
                                                          false);
    elsif v_kept is not null then
        perform set_config(v_name, '', false);
    end if;
end $$;
comment on function keep_look(text, text, timestamptz, timestamptz, bigint) is
    'Remembers for look_from() what a look found: that nothing is left before p_first. p_from: where it began; '
    'p_read: how many entries of the index it read. Kept in a setting of the session, once.look_<what>, and only '
    'after more than 1000.';

create function remove_expired(
    p_table  regclass,
    p_index  regclass,
    p_column name,
    p_limit  integer,
    p_now    timestamptz,
    p_only   text default 'true'
) returns integer
language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
as $$
declare
    v_now  constant timestamptz := coalesce(time_given(p_now), clock_timestamp());
    v_from constant timestamptz := look_from('purge', p_table::text);
    v_read constant bigint := pg_stat_get_xact_tuples_returned(p_index);
    v_first   timestamptz;
    v_removed integer := 0;
begin
    if p_limit is null or p_limit not between 1 and 100000 then
        raise exception 'limit must be between 1 and 100000' using errcode = '22023';
    end if;
    execute format('select %2$I from %1$s where %2$I >= $1 and %3$s order by %2$I limit 1', p_table, p_column, p_only)
        into v_first using v_from;
    perform keep_look('purge', p_table::text, v_from, least(v_first, v_now),
                      pg_stat_get_xact_tuples_returned(p_index) - v_read);
    if v_first <= v_now then
        -- SKIP LOCKED: a row that another transaction works on at this moment, for example claims again, is left to it.
        execute format('delete from %1$s where ctid = any (array('
                       'select ctid from %1$s where %2$I between $1 and $2 and %3$s order by %2$I limit $3 '
                       'for update skip locked))',
                       p_table, p_column, p_only)
            using v_first, v_now, p_limit;
        get diagnostics v_removed = row_count;
    end if;
    return v_removed;
end $$;
comment on function remove_expired(regclass, regclass, name, integer, timestamptz, text) is
    'What purge() and the purge functions of tokens, inbox, operations and windows do: removes up to p_limit rows '
    'whose time has passed, the oldest first, in the order of p_index, which is on that column. p_only: a condition '
    'of that index.';

create function purge(p_limit integer default 1000, p_now timestamptz default null) returns integer
language plpgsql security definer set search_path from current
as $$
begin
    return remove_expired('idempotency_record', 'idempotency_record_expiry_idx', 'expires_at', p_limit, p_now);
end $$;
comment on function purge(integer, timestamptz) is
    'Removes up to p_limit expired records, the oldest first, of all services, and returns how many. Call it again '
    'until it returns less than p_limit. It skips what is being claimed. For operators: p_now can purge early.';

create view idempotency_record_readable as
select service, scope, key,
       case when completed_at is null then 'started' else 'completed' end as state,
       claimed_by, claimed_at,
       completed_at - claimed_at as took,
       expires_at, expires_at <= clock_timestamp() as expired,
       left(encode(fingerprint, 'hex'), 16) as fingerprint,
       response_status as status,
       coalesce(response_json::text,
                case when octet_length(response_bytes) = 0 then 'no body'
                     else octet_length(response_bytes) || ' bytes of ' || coalesce(nullif(response_content_type, ''),
                         'no type')
                end) as response
from idempotency_record;
comment on view idempotency_record_readable is
    'idempotency_record for reading in psql: one line per request, who, what, when, and what was answered.';
comment on column idempotency_record_readable.service is 'The service that claimed it.';
comment on column idempotency_record_readable.scope is 'What the key is unique within.';
comment on column idempotency_record_readable.key is 'The idempotency key.';
comment on column idempotency_record_readable.state is
    'completed: the response stands. started: claimed and committed without a response.';
comment on column idempotency_record_readable.claimed_by is 'application_name or role of the session.';
comment on column idempotency_record_readable.claimed_at is 'When it was claimed.';
comment on column idempotency_record_readable.took is 'From claim to stored response.';
comment on column idempotency_record_readable.expires_at is 'When the key becomes free.';
comment on column idempotency_record_readable.expired is 'Whether it already is.';
comment on column idempotency_record_readable.fingerprint is 'The first 16 hex digits of the SHA-256 of the request.';
comment on column idempotency_record_readable.status is 'Status of the response; null when only the key was kept.';
comment on column idempotency_record_readable.response is
    'The JSON text, length and type of other bytes, or that it had no body.';

perform end_migration();
end $file$;
