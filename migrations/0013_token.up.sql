-- 0013 token: one-time tokens, which turn into idempotency records when they are redeemed.
--
-- Apply: into the schema that holds 0012.
-- Locks: creates new objects only.
-- Reverse: 0013_token.down.sql

do $file$ begin
perform begin_migration('0013_token');

-- Without spaces, so that 'token PURPOSE PRINCIPAL' can be read in one way only; together they fit into a scope.
create domain token_purpose as text collate "C"
    constraint token_purpose_valid check (octet_length(value) <= 64 and value ~ '^[!-~]+$');
comment on domain token_purpose is 'Printable ASCII without spaces, 1 to 64 bytes.';
comment on constraint token_purpose_valid on domain token_purpose is 'Printable ASCII without spaces, 1 to 64 bytes.';
create domain token_principal as text collate "C"
    constraint token_principal_valid check (octet_length(value) <= 180 and value ~ '^[!-~]([ -~]*[!-~])?$');
comment on domain token_principal is 'Printable ASCII, 1 to 180 bytes, no space at either end.';
comment on constraint token_principal_valid on domain token_principal is
    'Printable ASCII, 1 to 180 bytes, no space at either end.';

create table token (
    service    text            collate "C" not null,
    token_hash sha256_digest   not null,
    purpose    token_purpose   not null,
    principal  token_principal not null,
    issued_by  text            not null,
    issued_at  timestamptz     not null,
    expires_at timestamptz     not null,
    constraint token_pkey primary key (token_hash, service),
    constraint token_times check (issued_at < expires_at and isfinite(expires_at))
)
with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
comment on table token is
    'One row per one-time token that was issued and not yet redeemed. Only the SHA-256 of a token stands here. When it '
    'is redeemed, the row goes and an idempotency record with the scope ''token PURPOSE PRINCIPAL'' stands instead.';
comment on column token.service is 'The service that issued it; see current_service().';
comment on column token.token_hash is 'SHA-256 of the token. The token itself is nowhere in the database.';
comment on column token.purpose is 'What it is good for, for example ''reset-password''.';
comment on column token.principal is 'Whom it was given to.';
comment on column token.issued_by is 'application_name of the session that issued it, or its role where none is set.';
comment on column token.issued_at is 'When it was issued (clock of the database).';
comment on column token.expires_at is 'From then on it is refused, and purge_tokens() removes the row.';
comment on constraint token_pkey on token is 'One row per token: the lock on it decides who redeems.';
comment on constraint token_times on token is
    'A token is good for some time: one without an end could be used long after it was mailed.';

create index token_expiry_idx on token (expires_at);
comment on index token_expiry_idx is 'Lets purge_tokens() find what has expired without reading the rest.';

create function issue_tokens(
    p_principal text,
    p_purpose   text,
    p_lifetime  interval,
    p_hashes    bytea[],
    p_now       timestamptz default null
) returns integer
language plpgsql security definer set search_path from current
as $$
declare
    v_service constant text := service_of_session();
    v_now     constant timestamptz := coalesce(time_given(p_now), clock_timestamp());
    v_issued  integer;
begin
    if (p_lifetime between interval '1 second' and interval '366 days' and cardinality(p_hashes) between 1 and 10000
        and p_principal is not null and p_purpose is not null) is not true then
        raise exception
            'lifetime must be between 1 second and 366 days, principal and purpose not null, and there must be '
                        '1 to 10000 tokens' using errcode = '22023';
    end if;
    -- Here, and below in place of the primary key, because errors of constraints print rows or keys, and so the hashes.
    if exists (select from unnest(p_hashes) as hash where (octet_length(hash) = 32) is not true) then
        raise exception 'each hash must be the 32 bytes of a SHA-256' using errcode = '22023';
    end if;
    insert into token (service, token_hash, purpose, principal, issued_by, issued_at, expires_at)
    select v_service, hash, p_purpose, p_principal,
           coalesce(nullif(current_setting('application_name'), ''), session_user), v_now, v_now + p_lifetime
    from unnest(p_hashes) as hash
    on conflict (service, token_hash) do nothing;
    get diagnostics v_issued = row_count;
    if v_issued <> cardinality(p_hashes) then
        raise exception '% of % tokens have been issued before, or are given twice', cardinality(p_hashes) - v_issued,
            cardinality(p_hashes)
            using errcode = '23505', hint = 'make each token of at least 128 bits that are random';
    end if;
    return v_issued;
end $$;
comment on function issue_tokens(text, text, interval, bytea[], timestamptz) is
    'Issues tokens that the caller has made of at least 128 random bits each, given by their SHA-256 (1 to 10000), so '
    'that the database and its logs never see them. p_lifetime: 1 second to 366 days. Returns how many. p_now is for '
    'tests.';

create function issue_token(
    p_principal text,
    p_purpose   text,
    p_lifetime  interval,
    p_now       timestamptz default null
) returns text
language plpgsql security definer set search_path from current
as $$
declare
    -- A random UUID has 122 bits of the server's strong random source; the hash of two is 244 of them in 32 bytes.
    v_token constant text := rtrim(translate(
        encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'base64'), '+/', '-_'), '=');
begin
    perform issue_tokens(p_principal, p_purpose, p_lifetime, array[sha256(convert_to(v_token, 'UTF8'))], p_now);
    return v_token;
end $$;
comment on function issue_token(text, text, interval, timestamptz) is
    'Issues one token and returns it: 43 characters of base64url. For clients that cannot make random bits of their '
    'own, and for people; issue_tokens() keeps the token out of the database altogether. p_now is for tests.';

create function redeem_token(
    p_hash        bytea,
    p_principal   text,
    p_purpose     text,
    p_fingerprint bytea       default null,
    p_retention   interval    default interval '24 hours',
    p_wait        interval    default interval '2 seconds',
    p_now         timestamptz default null
) returns claim_answer
-- This SET ends with the function and takes set_config() below with it: the caller's lock_timeout is left as it was.
language plpgsql security definer set search_path from current set lock_timeout = '2s' set enable_seqscan = off
as $$
declare
    v_service        constant text := service_of_session();
    v_scope          constant text := 'token ' || p_purpose || ' ' || p_principal;
    v_key            constant text := encode(p_hash, 'hex');
    v_timeout        text;
    v_expires        timestamptz;
    v_answer         claim_answer;
begin
    if (p_wait between interval '0' and interval '1 hour' and p_retention between interval '1 second'
        and interval '366 days') is not true then
        raise exception 'retention must be between 1 second and 366 days, wait between 0 and 1 hour' using errcode =
            '22023';
    end if;
    v_timeout := set_config('lock_timeout', greatest(1, extract(epoch from p_wait) * 1000)::bigint::text, true);
    -- Waits here for a transaction that is redeeming the same token. What does not fit in principal or purpose is not
    -- found, as what does not exist. The time is looked at afterwards: a condition in this statement would be one from
    -- before the wait, and an expired token would pass when the other transaction rolls back.
    select expires_at into v_expires from token
    where service = v_service and token_hash = p_hash and purpose = p_purpose and principal = p_principal
    for update;

    if v_expires > coalesce(time_given(p_now), clock_timestamp()) then
        v_answer := claim(v_scope, v_key, p_fingerprint, p_retention, p_wait, p_now);
        if v_answer.outcome = 'started' then
            delete from token where service = v_service and token_hash = p_hash;
        end if;
    else
        -- Redeemed before, by the same principal for the same purpose: that has its record.
        v_answer := lookup(v_scope, v_key, p_fingerprint, p_now);
        if v_answer.outcome = 'absent' then
            v_answer.outcome := 'refused';
        end if;
    end if;
    return v_answer;
end $$;
comment on function redeem_token(bytea, text, text, bytea, interval, interval, timestamptz) is
    'Redeems a token, given by its SHA-256, and claims the record that stands for it from now on: scope ''token '
    'PURPOSE PRINCIPAL'', key the SHA-256 in hex. started: do the work, then call complete() with these, before you '
    'commit. A rollback leaves the token as it was. Redeemed before: as claim() answers. refused: unknown, of another '
    'principal or purpose, expired, all alike; nothing was written. p_wait as in claim(), also its error 55P03. p_now '
    'is for tests.';

create function try_redeem_token(
    p_hash        bytea,
    p_principal   text,
    p_purpose     text,
    p_fingerprint bytea       default null,
    p_retention   interval    default interval '24 hours',
    p_wait        interval    default interval '2 seconds',
    p_now         timestamptz default null
) returns claim_answer
language plpgsql security definer set search_path from current
as $$
declare
    v_answer claim_answer;
begin
    v_answer := redeem_token(p_hash, p_principal, p_purpose, p_fingerprint, p_retention, p_wait, p_now);
    if v_answer.outcome = 'started' then
        perform watch_claim('token ' || p_purpose || ' ' || p_principal, encode(p_hash, 'hex'));
    end if;
    return v_answer;
exception when lock_not_available then
    return row('in_progress', null, null, null, null, null, null, null)::claim_answer;
end $$;
comment on function try_redeem_token(bytea, text, text, bytea, interval, interval, timestamptz) is
    'redeem_token() inside a savepoint, for a transaction that is to go on: a wait that ran out is answered '
    'in_progress.';

create function redeem_token_or_abort(
    p_hash        bytea,
    p_principal   text,
    p_purpose     text,
    p_fingerprint bytea       default null,
    p_retention   interval    default interval '24 hours',
    p_wait        interval    default interval '2 seconds',
    p_now         timestamptz default null
) returns void
language plpgsql security definer set search_path from current
as $$
declare
    v_outcome constant text :=
        (redeem_token(p_hash, p_principal, p_purpose, p_fingerprint, p_retention, p_wait, p_now)).outcome;
begin
    if v_outcome = 'refused' then
        raise exception 'the token is not valid' using errcode = 'ON020';
    elsif v_outcome <> 'started' then
        raise exception 'redeeming this token was answered %', v_outcome
            using errcode = 'ON001', hint = 'roll back, then ask lookup() for the stored response';
    end if;
end $$;
comment on function redeem_token_or_abort(bytea, text, text, bytea, interval, interval, timestamptz) is
    'redeem_token() that raises ON020 when the token is refused and ON001 for every other answer but started, so that '
    'nothing behind it in the same pipeline runs.';

create function purge_tokens(p_limit integer default 1000, p_now timestamptz default null) returns integer
language plpgsql security definer set search_path from current
as $$
begin
    return remove_expired('token', 'token_expiry_idx', 'expires_at', p_limit, p_now);
end $$;
comment on function purge_tokens(integer, timestamptz) is
    'Removes up to p_limit expired tokens, the oldest first, of all services, and returns how many. Call it again '
    'until it returns less than p_limit. It skips what is being redeemed. For operators: p_now can purge early.';

create view token_readable as
select service, purpose, principal, issued_by, issued_at, expires_at,
       expires_at <= clock_timestamp() as expired,
       left(encode(token_hash, 'hex'), 16) as token_hash
from token;
comment on view token_readable is 'token for reading in psql: who was given what until when, with a shortened hash.';
comment on column token_readable.service is 'The service that issued it.';
comment on column token_readable.purpose is 'What it is good for.';
comment on column token_readable.principal is 'Whom it was given to.';
comment on column token_readable.issued_by is 'application_name or role of the session that issued it.';
comment on column token_readable.issued_at is 'When it was issued.';
comment on column token_readable.expires_at is 'When it becomes worthless.';
comment on column token_readable.expired is 'Whether it already is.';
comment on column token_readable.token_hash is
    'The first 16 hex digits of its SHA-256: what the key of its idempotency record will begin with.';

perform end_migration();
end $file$;
