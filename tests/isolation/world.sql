-- Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
-- What the sessions of specs/ do, and the judges that look at what they left. A judge returns VIOLATION lines, and
-- empties the tables for the next permutation.
set client_min_messages = warning;
create schema isolation;
do $$ begin
    execute format('alter database %I set search_path = isolation, once, public', current_database());
    execute format('alter database %I set deadlock_timeout = ''20 ms''', current_database());
    -- A permutation can want a step of a session that waits: then the wait ends, like those of the library.
    execute format('alter database %I set lock_timeout = ''60 ms''', current_database());
    execute format('alter database %I set client_min_messages = error', current_database());
    execute format('alter database %I set jit = off', current_database());
end $$;
set search_path = isolation, once, public;

create table effect (key text not null, session text not null);

-- What a session heard stays in a setting of its transaction.
create function answer() returns text language sql as $$ select current_setting('isolation.answer', true) $$;
create function hear(p_answer text) returns text language sql as $$
    select set_config('isolation.answer', p_answer, true)
$$;

create function work(p_session text, p_key text default 'k') returns text language plpgsql as $$
begin
    if answer() = 'started' then
        insert into effect values (p_key, p_session);
    end if;
    return answer();
end $$;

-- Requests, either way.
create function begins(p_key text default 'k', p_now timestamptz default null) returns text language sql as $$
    select hear(coalesce((once.begin_request('s', p_key, p_wait => '200 ms', p_now => p_now)).outcome::text, 'started'))
$$;
create function finishes(p_session text, p_key text default 'k') returns text language plpgsql as $$
begin
    if answer() = 'started' then
        perform once.finish_request('s', p_key, null, 200, null, 'application/json', to_json(p_session), null,
                                    p_wait => '200 ms');
    end if;
    return answer();
end $$;
create function claims(p_key text default 'k') returns text language sql as $$
    select hear((once.claim('s', p_key, p_wait => '200 ms')).outcome::text)
$$;
create function completes(p_session text, p_key text default 'k', p_scope text default 's') returns text
language plpgsql as $$
begin
    if answer() = 'started' then
        perform once.complete(p_scope, p_key, 200, null, 'application/json', to_json(p_session), null);
    end if;
    return answer();
end $$;

-- Each key has one effect, and the stored response of the session that had it.
create function judge_requests() returns setof text language plpgsql as $$
begin
    return query
        select format('VIOLATION %s: effects of {%s}, response of {%s}', key, effects, responses)
        from (select key, string_agg(e.session, ',') as effects, count(e.session) as number,
                     (select string_agg(r.response_json #>> '{}', ',') from once.idempotency_record as r
                      where r.key = k.key and r.expires_at > clock_timestamp()) as responses
              from (select key from effect union select r.key from once.idempotency_record as r
                    where r.expires_at > clock_timestamp()) as k
              left join effect as e using (key)
              group by key) as found
        where number <> 1 or effects is distinct from responses;
    delete from effect;
    delete from once.idempotency_record;
end $$;

-- A key that has expired, as purge() finds it.
create function expired_record() returns void language sql as $$
    insert into once.idempotency_record (service, scope, key, claimed_at, expires_at, completed_at, response_status,
                                         response_content_type, response_json)
    select once.service_of_session(), 's', 'k', now() - interval '2 hours', now() - interval '1 hour',
           now() - interval '2 hours', 200, 'application/json', '"old"'
$$;

-- Tokens.
create function token_hash() returns bytea language sql immutable as $$ select sha256('the token') $$;
create function redeems() returns text language sql as $$
    select hear((once.redeem_token(token_hash(), 'alice', 'order', p_wait => '200 ms')).outcome::text)
$$;
create function completes_token(p_session text) returns text language sql as $$
    select completes(p_session, encode(token_hash(), 'hex'), 'token order alice')
$$;
create function judge_token() returns setof text language plpgsql as $$
begin
    return query
        select format('VIOLATION %s effects, %s tokens, %s records', e, t, r)
        from (select (select count(*) from effect) as e, (select count(*) from once.token) as t,
                     (select count(*) from once.idempotency_record) as r) as found
        -- The token is there, or what it did; after purge() perhaps neither.
        where e > 1 or e <> r or e + t > 1;
    delete from effect;
    delete from once.token;
    delete from once.idempotency_record;
end $$;

-- Leases: who writes shows the fence that it was given. The first holder's clock is 90 minutes behind, so its lease has
-- run out for others.
create function late(p_session text) returns timestamptz language sql as $$
    select case p_session when 'a' then clock_timestamp() - interval '90 minutes' end
$$;
create function acquires(p_session text) returns text language plpgsql as $$
declare
    v_answer once.lease_answer;
begin
    v_answer := once.acquire_lease('l', '1 hour', p_holder => p_session, p_now => late(p_session));
    perform set_config('isolation.fence',
                       coalesce(case when v_answer.outcome = 'acquired' then v_answer.fence end, 0)::text, false);
    return v_answer.outcome;
end $$;
create function fence() returns bigint language sql as $$ select current_setting('isolation.fence')::bigint $$;
create table written (fence bigint not null);
create table committed (place integer generated always as identity, fence bigint not null);
create function commits() returns trigger language plpgsql as $$ begin
    insert into committed (fence) values (new.fence);
    return null;
end $$;
create constraint trigger at_commit after insert on written deferrable initially deferred
    for each row execute function commits();
create function writes_fenced(p_session text) returns text language plpgsql as $$
begin
    if fence() = 0 then
        return 'nothing';
    end if;
    insert into written values (fence());
    perform once.assert_fence('l', fence(), p_now => late(p_session));
    return 'written';
end $$;
create function releases(p_session text) returns boolean language sql as $$
    select once.release_lease('l', fence(), p_now => late(p_session))
$$;
create function judge_lease() returns setof text language plpgsql as $$
begin
    return query
        select format('VIOLATION fence %s is committed behind %s', w.fence, before.fence)
        from committed as w join committed as before on before.fence > w.fence and before.place < w.place;
    delete from written;
    delete from committed;
    delete from once.lease;
    delete from once.lease_floor;
end $$;

-- Inbox.
create function message(p_number integer) returns uuid language sql immutable as $$
    select ('00000000-0000-4000-8000-00000000000' || p_number)::uuid
$$;
create function receives(p_session text, p_number integer) returns text language plpgsql as $$
declare
    v_receipt once.receipt := once.receive('c', message(p_number), p_wait => '200 ms');
begin
    if v_receipt = 'fresh' then
        insert into effect values (p_number, p_session);
    end if;
    return v_receipt;
end $$;
create function receives_many(p_session text, variadic p_numbers integer[]) returns text language plpgsql as $$
declare
    v_said text;
begin
    with received as (
        select * from once.receive_many('c', (select array_agg(message(n) order by i)
                                              from unnest(p_numbers) with ordinality as x (n, i)), p_wait => '200 ms')
    ), done as (
        insert into effect select right(id::text, 1), p_session from received where outcome = 'fresh'
    )
    select string_agg(outcome::text, ' ' order by place) into v_said from received;
    return v_said;
end $$;
create function judge_inbox() returns setof text language plpgsql as $$
begin
    return query
        select format('VIOLATION message %s: %s effects, %s in the inbox', key, e, i)
        from (select key, (select count(*) from effect where effect.key = k.key) as e,
                     (select count(*) from once.inbox where right(message_id::text, 1) = k.key) as i
              from (select key from effect union select right(message_id::text, 1) from once.inbox) as k (key)) as found
        where e <> 1 or i <> 1;
    delete from effect;
    delete from once.inbox;
end $$;

-- A row that is updated by its version, whose table has enforce_version.
create table account (id integer primary key, version bigint not null default 1, balance integer not null default 0);
do $$ begin perform once.enforce_version('account'::regclass); end $$;
create function adds(p_session text, p_amount integer, p_seen bigint) returns text language plpgsql as $$
begin
    update account set balance = current_setting('isolation.balance')::integer + p_amount, version = version + 1
    where id = 1 and version = p_seen;
    if found then
        insert into effect values (p_amount, p_session);
        return 'updated';
    end if;
    return 'stale';
end $$;
create function sees() returns text language sql as $$
    select set_config('isolation.seen', version::text, false) || set_config('isolation.balance', balance::text, false)
    from account where id = 1
$$;
create function seen() returns bigint language sql as $$ select current_setting('isolation.seen')::bigint $$;
create function judge_account() returns setof text language plpgsql as $$
begin
    return query
        select format('VIOLATION balance %s, although %s were added in %s updates', balance, added, number)
        from account, (select coalesce(sum(key::integer), 0) as added, count(*) as number from effect) as e
        where balance <> added;
    delete from effect;
    delete from account;
end $$;

-- The log: what is read and acknowledged in one transaction, or in two halves.
create table delivered (place integer generated always as identity, number text not null, session text not null);
create function publishes(variadic p_numbers text[]) returns integer language sql as $$
    select count(once.publish('t', 'k', to_json(n)))::integer from unnest(p_numbers) as n
$$;
create function subscribes() returns void language plpgsql as $$
begin
    perform once.subscribe('r');
end $$;
create function reads(p_limit integer) returns text language plpgsql as $$
declare
    v_rows once.delivery[] := array(select d from once.next_batch('r', 0, p_limit) as d);
    v_last once.delivery   := v_rows[cardinality(v_rows)];
begin
    perform set_config('isolation.batch', (v_last.batch)::text, false),
            set_config('isolation.last', case when (v_last.batch).more
                                              then (select max((d).id) from unnest(v_rows) as d)::text else '0' end,
                       false),
            set_config('isolation.read', coalesce((select string_agg((d).payload_json #>> '{}', ' ' order by (d).id)
                                                   from unnest(v_rows) as d where (d).id is not null), ''), false);
    return current_setting('isolation.read');
end $$;
create function acknowledges(p_session text) returns text language plpgsql as $$
begin
    insert into delivered (number, session)
    select n, p_session
    from unnest(string_to_array(current_setting('isolation.read'), ' ')) with ordinality as x (n, place)
    order by place;
    perform once.acknowledge('r', 0, current_setting('isolation.batch')::once.batch,
                             p_last_id => nullif(current_setting('isolation.last'), '0')::bigint);
    return current_setting('isolation.read');
end $$;
-- What is left, in a transaction of its own; the rest of a window may be empty.
create function drains() returns text language plpgsql as $$
begin
    perform reads(1000);
    return acknowledges('judge');
end $$;
-- After two times of drains(), each committed message was delivered once, and those of one transaction in order.
create function judge_log() returns setof text language plpgsql as $$
begin
    if exists (select from once.subscription where name = 'r') then
        return query
            select format('VIOLATION message %s: %s in the outbox, delivered %s times', number, published, times)
            from (select number, (select count(*) from once.outbox where payload_json #>> '{}' = number) as published,
                         (select count(*) from delivered where delivered.number = n.number) as times
                  from (select number from delivered union select payload_json #>> '{}' from once.outbox) as n) as found
            where published <> 1 or times <> 1;
        return query
            select format('VIOLATION message %s was delivered behind %s', first.number, second.number)
            from delivered as first join delivered as second
              on left(first.number, 1) = left(second.number, 1) and first.number < second.number
            where first.place > second.place;
        perform once.unsubscribe('r');
    end if;
    delete from delivered;
    delete from once.outbox;
end $$;

-- Mistakes that are planted, and what takes each back.
create table planted (id integer generated always as identity, undo text not null);
create function plant(p_function regproc, p_part text, p_mistake text) returns void language plpgsql as $$
declare
    v_text constant text := pg_get_functiondef(p_function);
begin
    if strpos(v_text, p_part) = 0 then
        raise exception 'no such part of %: %', p_function, p_part;
    end if;
    insert into planted (undo) values (v_text);
    execute replace(v_text, p_part, p_mistake);
end $$;
-- Takes away the primary key of a table.
create function unguard(p_table regclass) returns void language plpgsql as $$
declare
    v_name text;
begin
    insert into planted (undo)
    select format('alter table %s add constraint %I %s', p_table, conname, pg_get_constraintdef(oid))
    from pg_constraint where conrelid = p_table and contype = 'p';
    select conname into strict v_name from pg_constraint where conrelid = p_table and contype = 'p';
    execute format('alter table %s drop constraint %I', p_table, v_name);
end $$;
create function undo_mistakes() returns void language plpgsql as $$
declare
    v_undo text;
begin
    for v_undo in select undo from planted order by id desc loop
        execute v_undo;
    end loop;
    delete from planted;
end $$;
