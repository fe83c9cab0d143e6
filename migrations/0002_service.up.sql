-- 0002 service: who a row belongs to.
--
-- Apply: in one transaction, into the schema that holds 0001.
-- Locks: creates new objects only.
-- Reverse: 0002_service.down.sql

do $$ begin
    perform set_config('once.migration', pg_current_xact_id()::text, true);
    perform set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);
    perform set_config('lock_timeout', '2s', true);
end $$;
do $$ begin
    if current_setting('once.migration', true) is distinct from pg_current_xact_id()::text then
        raise exception 'a migration file must be applied in one transaction'
            using hint = 'psql -1 -v ON_ERROR_STOP=1 -f FILE';
    end if;
end $$;

create table service_role (
    role     text        collate "C" not null,
    service  text        collate "C" not null,
    added_at timestamptz not null default clock_timestamp(),
    added_by text        not null default session_user,
    constraint service_role_pkey primary key (role),
    constraint service_role_service_valid check (octet_length(service) between 1 and 63)
);

comment on table service_role is
    'Which login role acts for which service. A role without a row here is a service of its own name.';
comment on column service_role.role is 'Login role (session_user) that the service connects with.';
comment on column service_role.service is
    'The service it acts for. Roles of one service share its records; no service sees those of another.';
comment on column service_role.added_at is 'When the mapping was made.';
comment on column service_role.added_by is 'Who made it.';
comment on constraint service_role_pkey on service_role is 'A role acts for one service.';
comment on constraint service_role_service_valid on service_role is 'A service name has 1 to 63 bytes.';

-- plpgsql, because its plan is kept for the session; an SQL function like this is planned at each call.
-- No `set search_path`: it is called with any, so it names the schema of everything.
do $migration$ begin execute replace($function$
create function once.service_of_session() returns text
language plpgsql stable
as $$
begin
    return coalesce((select r.service from once.service_role as r where r.role operator(pg_catalog.=) session_user),
                    session_user);
end $$;
$function$, 'once.', quote_ident(current_schema()) || '.'); end $migration$;

comment on function service_of_session() is
    'What current_service() answers, for the functions of this schema: they have its rights already.';

create function current_service() returns text
language plpgsql stable security definer set search_path from current
as $$
begin
    return service_of_session();
end $$;

comment on function current_service() is
    'The service that this session acts for: from service_role by the login role, else the name of the role itself. '
    'It is never an argument, so no service can name another.';

revoke all on function service_of_session(), current_service() from public;

insert into schema_version (version, name) values (2, 'service');
