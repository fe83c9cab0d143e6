-- Calls of every function of the schema that a role may call, made from the catalog: a new function is in the tests before
-- anybody thinks of it. To be run as a superuser.
create schema probe;
grant usage on schema probe to public;

-- What must never be read in an error or a log. Functions, so that no statement has it in its text.
create function probe.secret() returns text immutable language sql as $$ select 'sec' || 'ret-' || 'f00d' $$;
create function probe.digest() returns bytea immutable language sql as $$ select sha256(convert_to(probe.secret(), 'UTF8')) $$;
create function probe.as_json() returns json immutable language sql as $$ select json_build_object('card', probe.secret()) $$;
create function probe.as_bytes() returns bytea immutable language sql as $$ select convert_to(probe.secret(), 'UTF8') $$;
create function probe.as_headers() returns json immutable language sql as $$ select json_build_array(json_build_array('x-card', probe.secret())) $$;

-- What a service gets from an earlier call of its own, and the calls here cannot keep.
create function probe.fence(p_function text) returns bigint stable security definer language sql as $$
    select case when p_function ~ 'operation' then (select fence from once.operation where service = session_user)
                else (select fence from once.lease where service = session_user and name = 's') end
$$;
create function probe.place() returns bigint stable security definer language sql as $$ select max(id) from once.outbox where service = session_user $$;
create function probe.parked() returns bigint stable security definer language sql as $$
    select min(id) from once.parked_message where service = session_user
$$;
create function probe.parked_message() returns uuid stable security definer language sql as $$
    select message_id from once.parked_message where service = session_user order by id limit 1
$$;

-- An expression for an argument: what a careful caller gives.
create function probe.value_of(p_function text, p_name text, p_type text) returns text language sql as $$
    select case
        when p_function = 'subscribe' and p_name = 'p_name' then quote_literal('new')
        when p_function = 'subscribe' and p_name = 'p_from' then quote_literal('now')
        when p_function = 'acquire_lease' and p_name = 'p_name' then quote_literal('new')
        when p_function = 'pause_subscription' and p_name = 'p_name' then quote_literal('s')
        when p_function = 'park' and p_name in ('p_ids', 'p_as', 'p_errors') then
            case p_name when 'p_ids' then 'array[probe.place()]' when 'p_as' then '''{retry}''' else '''{why}''' end
        when p_function = 'settle_parked' and p_name in ('p_ids', 'p_message_ids', 'p_results') then
            case p_name when 'p_ids' then 'array[probe.parked()]' when 'p_message_ids' then 'array[probe.parked_message()]'
                        else '''{accepted}''' end
        when p_name = 'p_batch' then '(select batch from once.next_batch(''s'') as b where b.id is null)'
        when p_name in ('p_scope', 'p_key', 'p_consumer', 'p_principal', 'p_purpose', 'p_name', 'p_subscription', 'p_topic', 'p_phase',
                        'p_from', 'p_holder', 'p_error', 'p_recovery_point', 'p_source') then quote_literal('s')
        when p_name = 'p_service' then 'session_user'
        when p_name = 'p_to' then quote_literal('t')
        when p_name = 'p_fence' then format('probe.fence(%L)', p_function)
        when p_name in ('p_fingerprint', 'p_hash') then 'probe.digest()'
        when p_name in ('p_hashes', 'p_fingerprints') then 'array[probe.digest()]'
        when p_name = 'p_headers' then case when p_type = 'json[]' then 'array[probe.as_headers(), null]' else 'probe.as_headers()' end
        when p_name = 'p_json' then case when p_type = 'json[]' then 'array[probe.as_json(), probe.as_json()]' else 'probe.as_json()' end
        when p_name = 'p_bytes' then 'null'
        when p_type = 'json' then 'probe.as_json()'
        when p_name = 'p_wait' then '''10 milliseconds'''
        when p_name = 'p_status' then '200'
        when p_name = 'p_content_type' then '''application/json'''
        when p_name = 'p_call' then 'null'
        when p_name in ('p_topics', 'p_names', 'p_phases') then '''{s,t}'''
        when p_name = 'p_slice' then '0'
        when p_name in ('p_limit', 'p_sleep_number') then '1'
        when p_type = 'interval' then '''1 minute'''
        when p_type like 'timestamp%[]' then 'array[now()]'
        when p_type like 'timestamp%' then 'now()'
        when p_type = 'uuid' then '''0192f0c1-90aa-4000-9000-0123456789ab'''
        when p_type = 'uuid[]' then '''{0192f0c1-90aa-4000-9000-0123456789ab}'''
        when p_type = 'boolean' then 'true'
        when p_type in ('integer', 'bigint', 'smallint') then '1'
        when p_type like '%[]' then '''{}'''
        else 'null' end
$$;

-- A call with the arguments that a function must have, those that say what the message is, and those that are given by name.
create function probe.call_of(p_function oid, p_given jsonb default '{}') returns text language sql as $$
    select format('select * from once.%I(%s)', f.proname, coalesce(string_agg(
               format('%I => (%s)::%s', a.name, coalesce(p_given ->> a.name, probe.value_of(f.proname, a.name, a.type)), a.type), ', ' order by a.place)
               filter (where a.place <= f.pronargs - f.pronargdefaults or p_given ? a.name
                          or (a.name = 'p_json' and not p_given ?| array['p_bytes']) or a.name in ('p_fingerprint', 'p_headers')), ''))
    from pg_proc as f
    left join lateral (select t.name, format_type(t.id, null) as type, t.place
                       from unnest(f.proargtypes::oid[], f.proargnames[1:f.pronargs]) with ordinality as t (id, name, place)) as a on true
    where f.oid = p_function
    group by f.oid, f.proname
$$;

-- What one of these group roles may call.
create function probe.functions_of(variadic p_roles text[]) returns setof pg_proc language sql as $$
    select f.* from pg_proc as f
    where f.pronamespace = 'once'::regnamespace
      and exists (select from unnest(p_roles) as r where has_function_privilege('once_' || r, f.oid, 'execute'))
    order by f.proname, f.oid
$$;

-- Expressions for an argument: what nobody should give.
create function probe.bad_values(p_name text, p_type text, p_victim text) returns setof text language sql as $$
    select 'null'
    union all select unnest(case
        when p_type in ('integer', 'bigint', 'smallint') then array['0', '-1', '2', '7', '100000']
            || case p_type when 'integer' then array['2147483647', '(-2147483648)'] when 'bigint' then
                   array['9223372036854775807', '9223372036854775806', '(-9223372036854775808)', '2147483648'] else array['32767'] end
        when p_type = 'text' then array['''''', ''' ''', quote_literal(p_victim), 'repeat(''x'', 300)', 'repeat(''x'', 1000000)', 'E''a\nb''',
                                        'E''\u202e''', '''"; drop table once.outbox; --''']
            -- Names are in errors, on purpose.
            || case when p_name in ('p_content_type', 'p_traceparent', 'p_error') then array['probe.secret()'] else '{}' end
        when p_type = 'bytea' then array['''''', 'substr(probe.digest(), 1, 31)', 'probe.as_bytes()', 'convert_to(repeat(probe.secret(), 100000), ''UTF8'')']
        when p_type = 'json' then array['''null''', '''[]''', 'probe.as_json()', 'to_json(repeat(probe.secret(), 100000))', '''[["a"]]''',
                                        'json_build_array(probe.secret())', '(repeat(''['', 5000) || repeat('']'', 5000))']
        when p_type = 'interval' then array['''-1 second''', '''0''', '''-178000000 years''', '''178000000 years''', '''100000 days''', '''1 month''']
        when p_type like 'timestamp%[]' then array['''{}''', '''{infinity}''', '''{NULL}''', '''{{now,now},{now,now}}''']
        when p_type like 'timestamp%' then array['''infinity''', '''-infinity''', '''4713-01-01 BC''', '''294276-12-31''', 'now() + interval ''1 year''']
        when p_type = 'uuid' then array['''00000000-0000-0000-0000-000000000000''', 'gen_random_uuid()']
        when p_type = 'uuid[]' then array['''{}''', '''{NULL}''', '''{00000000-0000-0000-0000-000000000000}''', 'array[array[gen_random_uuid()], array[gen_random_uuid()]]']
        when p_type = 'boolean' then array['false']
        when p_type = 'bigint[]' then array['''{}''', '''{NULL}''', '''{-1,9223372036854775807}''', '''{{1,2},{3,4}}''']
        when p_type = 'bytea[]' then array['''{}''', 'array[null::bytea]', 'array[probe.digest(), probe.digest()]', 'array[probe.as_bytes()]',
                                           'array[array[probe.digest()], array[probe.as_bytes()]]']
        when p_type = 'json[]' then array['''{}''', 'array[null::json]', 'array[probe.as_json()]', 'array[probe.as_json(), probe.as_json(), null]']
        when p_type like '%[]' then array['''{}''', '''{NULL}''', '''{""}''', '''{{a,b},{c,d}}''', 'array_fill(''x''::text, array[1000])']
            || case when p_name in ('p_content_types', 'p_traceparents', 'p_errors', 'p_parked_errors') then array['array[probe.secret()]'] else '{}' end
        when p_type like '%checkpoint' then array['row(session_user, ''s'', 0, 9223372036854775806, now(), '''', 0, 9223372036854775806, 0, 0, null, 0, null, ''1:1:'', null)']
        -- A position that its server never gave.
        when p_name = 'p_batch' and p_type <> 'text' then array(
            select format('(select jsonb_populate_record(b.batch, %L) from once.next_batch(''s'') as b where b.id is null)', field)
            from unnest(array['{"number": 9223372036854775806}', '{"number": -1}', '{"number": null}', '{"last_id": 9223372036854775806}',
                              '{"to_id": 9223372036854775806}', '{"newest": 0}', '{"slice": 1}', '{"timeline": 99}', '{"seal": null}',
                              '{"seal": "00000000-0000-4000-8000-000000000000"}', '{"to_snap": "1:9:"}']) as field)
        when p_type = 'pg_snapshot' then array['''1:1:''']
        else '{}'::text[] end)
$$;
