-- 0002 service: who a row belongs to.
--
-- Apply: into the schema that holds 0001.
-- Locks: creates new objects only.
-- Reverse: 0002_service.down.sql

do $file$ begin
perform begin_migration('0002_service');

create table service_role (
    role     text        collate "C" not null,
    service  text        collate "C" not null,
    added_at timestamptz not null default clock_timestamp(),
    added_by text        not null default session_user,
    constraint service_role_pkey primary key (role),
    constraint service_role_service_valid check (octet_length(service) between 1 and 63)
);
comment on table service_role is
    'Which login role acts for which service. A role without a row here is a service with the name of the role.';
comment on column service_role.role is
    'Login role (session_user) that the service connects with, or a group whose members do: see '
    'service_by_membership().';
comment on column service_role.service is
    'The service it acts for. Roles of one service share its records; no service sees those of another.';
comment on column service_role.added_at is 'When the mapping was made.';
comment on column service_role.added_by is 'Who made it.';
comment on constraint service_role_pkey on service_role is
    'A role acts for one service: with two, the records of a request would depend on which row is found first.';
comment on constraint service_role_service_valid on service_role is
    'As long as the name of a role can be, because the name of a role is the default.';

-- plpgsql, because its plan is kept for the session; an SQL function like this is planned at each call.
-- No `set search_path`: it is called with any, so it names the schema of everything.
execute replace($functions$

-- The grant of EXECUTE is what says that the members of a role are one service: to look for it costs every transaction
-- less than to look for rows of groups would.
-- Its callers turn scans of tables off, and what scans one all the same then looks dear enough to be compiled, for a
-- second.
create function {schema}.service_by_membership() returns text
language plpgsql stable set jit = off
as $$
declare
    v_services pg_catalog.text[];
begin
    if (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname operator(pg_catalog.=) session_user) then
        return null; -- a superuser is taken for a member of every role
    end if;
    v_services := array(
        select distinct r.service
        from {schema}.service_role as r
        cross join lateral (select pg_catalog.to_regrole(pg_catalog.quote_ident(r.role)) as role) as g
        where pg_catalog.has_function_privilege(g.role, '{schema}.service_by_membership()'::pg_catalog.regprocedure,
            'EXECUTE')
          and pg_catalog.pg_has_role(session_user, g.role, 'MEMBER')
        order by 1);
    if pg_catalog.cardinality(v_services) operator(pg_catalog.>) 1 then
        raise exception 'role % belongs to groups of several services: %', session_user,
            pg_catalog.array_to_string(v_services, ', ')
            using errcode = 'insufficient_privilege',
                  hint = pg_catalog.format('insert into {schema}.service_role (role, service) values (%L, %L)',
                      session_user, v_services[1]);
    end if;
    return v_services[1];
end $$;
comment on function {schema}.service_by_membership() is
    'The service of the group that this session''s role is a member of, or null. Grant EXECUTE on it to a group that '
    'has a row in service_role: its members then act for the service of that row, where they have no row of their '
    'own.';

$functions$, '{schema}', quote_ident(current_schema()));

-- To look into service_role takes a statement, which costs a function as much as half of its INSERT. So the table is
-- written into a function, which PostgreSQL puts into the expressions that call it.
create function service_role_digest() returns text
language sql stable set search_path from current
return (select md5(coalesce(string_agg(format('%L %L', role, service), ',' order by role), '')) from service_role);
comment on function service_role_digest() is
    'Stands in the comment of mapped_service(), by which once doctor sees whether that holds the rows of the table.';

create function write_mapped_service() returns void
language plpgsql security definer set search_path from current
as $$
declare
    v_cases text;
    v_count bigint;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'change service_role at READ COMMITTED: the function that is made of it must hold all rows'
            using errcode = '25001', hint = 'begin isolation level read committed';
    end if;
    -- One after the other: the next statement sees what others have committed.
    perform pg_advisory_xact_lock(hashtextextended(current_schema() || ' service_role', 0));
    select string_agg(format(' when %L then %L', role, service), '' order by role), count(*) into v_cases, v_count
    from service_role;
    -- Not IMMUTABLE: it would be evaluated when a plan is made, and the plan would not learn that it has changed.
    execute format('create or replace function any_mapped_service() returns boolean language sql stable return %s',
                   case when v_count > 0 then 'true' else 'false' end);
    comment on function any_mapped_service() is
        'Whether service_role has rows: without, no group has one, and no plan asks for membership. Written by '
        'write_mapped_service() together with mapped_service().';
    if v_count <= 200 then
        execute 'create or replace function mapped_service(p_role name) returns text language sql stable return '
                || coalesce('case p_role' || v_cases || ' end', 'null::text');
    else
        -- A list is read from its beginning, so it is no use when it is long.
        execute format('create or replace function mapped_service(p_role name) returns text language plpgsql stable '
                       'as $body$ begin return (select r.service from %1$I.service_role as r '
                       'where r.role operator(pg_catalog.=) p_role::pg_catalog.text); end $body$', current_schema());
    end if;
    execute format('comment on function mapped_service(name) is %L',
        'What service_role says about a role, or null. Written by write_mapped_service() from rows with the digest '
        || service_role_digest() || '; not to be edited.');
end $$;
comment on function write_mapped_service() is
    'Writes the rows of service_role into mapped_service(). A trigger calls it when they change; call it by hand after '
    'rows have come in without triggers (a restore with --disable-triggers, logical replication). For operators.';

perform write_mapped_service();

create function service_role_changed() returns trigger
language plpgsql security definer set search_path from current
as $$
begin
    perform write_mapped_service();
    return null;
end $$;
comment on function service_role_changed() is 'Body of the trigger service_role_written. Not to be called.';
create trigger service_role_written after insert or update or delete or truncate on service_role
for each statement execute function service_role_changed();
comment on trigger service_role_written on service_role is 'Keeps mapped_service() the same as the table.';

create function service_of_session() returns text
language sql stable
return coalesce(mapped_service(session_user),
                case when any_mapped_service()
                          and has_function_privilege(session_user, 'service_by_membership()'::regprocedure, 'EXECUTE')
                     then service_by_membership() end,
                session_user);
comment on function service_of_session() is
    'What current_service() answers, for the functions of this schema: they have its rights already. SQL, so that '
    'PostgreSQL puts it into the expressions that call it.';

create function current_service() returns text
language plpgsql stable security definer set search_path from current
as $$
begin
    return service_of_session();
end $$;
comment on function current_service() is
    'The service that this session acts for: from service_role by the login role, else by a group that it is a '
    'member of (service_by_membership()), else the name of the role itself. It is never an argument, so no service '
    'can name another.';

-- By name, not as regnamespace, which would read the name as SQL text.
create function is_operator() returns boolean
language plpgsql stable set search_path from current
as $$
begin
    return pg_has_role(session_user, (select nspowner from pg_namespace where nspname = current_schema()), 'member')
        or exists (select from pg_roles where rolname = current_schema() || '_administrator'
                   and pg_has_role(session_user, oid, 'member'));
end $$;
comment on function is_operator() is
    'Whether this session is that of the owner of the schema or of an administrator: they may act for any service, '
    'and may say what time it is.';

-- Every p_now goes through this before it is used. STRICT: where nothing is given, as always in production, it is not
-- called.
create function time_given(p_now timestamptz) returns timestamptz
language plpgsql stable strict set search_path from current
as $$
begin
    if not is_operator() then
        raise exception 'role % may not say what time it is', session_user
            using errcode = '42501',
                  hint = 'leave p_now out, so that the clock of the database counts; p_now is for tests and '
                      'operators: only the owner of the schema or an administrator may give it';
    end if;
    if (p_now between '1970-01-01 00:00+00' and '9999-12-31 00:00+00') is not true then
        raise exception 'p_now must be a time of the years 1970 to 9999' using errcode = '22023';
    end if;
    return p_now;
end $$;
comment on function time_given(timestamptz) is
    'What a function takes for now when p_now says so; null for null. 42501: the session is no operator''s. 22023: '
    'not a time of the years 1970 to 9999.';

perform end_migration();
end $file$;
