-- 0001 schema_version: which migration files are in.
--
-- Apply: into the first schema of the search_path, for example
--     psql -v ON_ERROR_STOP=1 -c 'set search_path = once' -f 0001_schema_version.up.sql
--     Each file is one statement, so that it is applied as a whole or not at all, whatever tool sends it.
-- Locks: creates new objects only; nothing that is in use is locked. Of two that apply files to one schema the second
-- waits.
-- Reverse: 0001_schema_version.down.sql

do $file$ begin
if current_schema() is null then
    raise exception 'no schema to work in: create it and put it first in search_path'
        using hint = 'create schema once; set search_path = once;';
end if;
-- Lower-case names mean the same quoted and unquoted; the roles of 0020 add up to 14 bytes of the 63 that PostgreSQL
-- keeps; and in public any role may be allowed to make objects, which functions with their owner's rights would then
-- find.
if current_schema() !~ '^[a-z_][a-z0-9_]{0,48}$' or current_schema() = 'public' then
    raise exception
        'schema "%" cannot hold once: its name must be lower-case letters, digits and underscores, not beginning with '
        'a digit, at most 49 bytes, and not public',
        current_schema() using errcode = 'invalid_schema_name', hint = 'create schema once; set search_path = once;';
end if;
perform pg_advisory_xact_lock('pg_namespace'::regclass::oid::integer, current_schema()::regnamespace::oid::integer);
-- Asked of the table, because names that were looked up before the wait may be remembered.
if exists (select from pg_class where relname = 'schema_version' and relnamespace = current_schema()::regnamespace) then
    raise exception '0001_schema_version is applied already' using errcode = 'duplicate_object';
end if;
perform set_config('quote_all_identifiers', 'off', true); -- or the functions below would keep it in their search_path
-- pg_temp goes last, or a temporary table could take the place of a table of this schema in a SECURITY DEFINER
-- function.
perform set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);
perform set_config('lock_timeout', '2s', true);

create table schema_version (
    version     integer     not null,
    name        text        not null,
    applied_at  timestamptz not null default clock_timestamp(),
    applied_by  text        not null default session_user,
    serves_from integer,
    previous    integer     generated always as (nullif(version - 1, 0)) stored,
    constraint schema_version_pkey primary key (version),
    constraint schema_version_positive check (version > 0),
    constraint schema_version_serves_earlier check (serves_from between 1 and version),
    -- begin_migration() and begin_removal() say so first; this also holds for rows that are written by hand.
    constraint schema_version_in_order foreign key (previous) references schema_version (version)
);
comment on table schema_version is
    'Which migration files of the once library are applied to this schema, one row per file.';
comment on column schema_version.version is 'Number of the file: 3 for 0003_idempotency_record.up.sql.';
comment on column schema_version.name is 'Name of the file after its number.';
comment on column schema_version.applied_at is 'When it was applied (clock of the database).';
comment on column schema_version.applied_by is 'The role that applied it.';
comment on column schema_version.serves_from is
    'The oldest version that a library may know to go on with this file in; null: this one, so libraries go first.';
comment on column schema_version.previous is
    'The file that has to be in before this one; its foreign key keeps the files in order.';
comment on constraint schema_version_pkey on schema_version is
    'Each file is in once, also when rows are written by hand; begin_migration() refuses a second time first.';
comment on constraint schema_version_positive on schema_version is
    'Files are numbered from 1, so 0 can mean that none is applied.';
comment on constraint schema_version_serves_earlier on schema_version is
    'A file cannot ask for libraries that know later files than itself: they do not exist when it is applied.';
comment on constraint schema_version_in_order on schema_version is
    'Files go in upwards and come out downwards without a gap, also when rows are written by hand.';

create function installed_version() returns integer
language sql stable security definer set search_path from current
return (select max(version) from schema_version);
comment on function installed_version() is
    'Number of the newest migration file that is applied. The library reads it once per process.';

create function serves_from() returns integer
language sql stable security definer set search_path from current
return (select min(known.version) from schema_version as known
        where not exists (select from schema_version as newer
                          where newer.version > known.version
                            and coalesce(newer.serves_from, newer.version) > known.version));
comment on function serves_from() is
    'The oldest version that a library may know to work on this schema: every file behind that one serves it. A '
    'library asks when the schema is newer than it knows.';

-- What each file begins and ends with. They keep their settings for the rest of the transaction, so they have no
-- `set search_path`; and no rights of their owner, so nothing on a caller's path gains any.
create function prepare_migration(p_lock_timeout text) returns void
language plpgsql
as $$
begin
    if (select pronamespace from pg_proc where oid = 'prepare_migration'::regproc) <> current_schema()::regnamespace
        then
        raise exception 'the schema of once is not the first in the search_path, which is %',
            current_setting('search_path')
            using errcode = 'invalid_schema_name',
                  hint = format('set search_path = %s', (select pronamespace::regnamespace from pg_proc
                      where oid = 'prepare_migration'::regproc));
    end if;
    perform pg_advisory_xact_lock('pg_namespace'::regclass::oid::integer, current_schema()::regnamespace::oid::integer);
    perform set_config('quote_all_identifiers', 'off', true);
    perform set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);
    perform set_config('lock_timeout', p_lock_timeout, true);
end $$;
comment on function prepare_migration(text) is
    'For begin_migration() and begin_removal(): waits for others who change this schema, and sets what a file relies '
    'on.';

create function begin_migration(p_file text, p_serves_from integer default null, p_lock_timeout text default '2s')
returns void
language plpgsql
as $$
declare
    v_version constant integer := split_part(p_file, '_', 1)::integer;
    v_newest  integer;
begin
    perform prepare_migration(p_lock_timeout);
    v_newest := (select coalesce(max(version), 0) from schema_version);
    if v_version <= v_newest then
        raise exception '% is applied already', p_file using errcode = 'duplicate_object';
    elsif v_version > v_newest + 1 then
        raise exception '% comes too early: the newest file that is applied has the number %', p_file, v_newest
            using errcode = 'object_not_in_prerequisite_state', hint = format('apply the file with the number %s',
                v_newest + 1);
    end if;
    insert into schema_version (version, name, serves_from)
    values (v_version, substr(p_file, strpos(p_file, '_') + 1), p_serves_from);
    perform set_config('once.objects_before', array(
        select format('%s %s', tableoid, oid) from pg_class where relnamespace = current_schema()::regnamespace
        union all
        select format('%s %s', tableoid, oid) from pg_proc
            where pronamespace = current_schema()::regnamespace)::text, true);
end $$;
comment on function begin_migration(text, integer, text) is
    'Each migration file begins with it: checks that the file is the next one, records it, sets search_path and '
    'lock_timeout for the rest of the transaction.';

create function end_migration() returns void
language plpgsql
as $$
declare
    v_before constant text[] := current_setting('once.objects_before')::text[];
    v_groups constant text[] := array[current_schema() || '_producer', current_schema() || '_consumer',
                                      current_schema() || '_inspector', current_schema() || '_administrator'];
    v_open   record;
begin
    for v_open in
        select distinct o.what, case a.grantee when 0 then 'public'
            else quote_ident(pg_get_userbyid(a.grantee)) end as grantee
        from (
            select format('%s %s', tableoid, oid) as id, relowner as owner, relacl as acl,
                   format('%s %s', case relkind when 'S' then 'sequence' else 'table' end, oid::regclass) as what
            from pg_class where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p', 'v', 'm', 'S')
            union all
            select format('%s %s', tableoid, oid), proowner, coalesce(proacl, acldefault('f', proowner)),
                   format('routine %s', oid::regprocedure)
            from pg_proc where pronamespace = current_schema()::regnamespace
        ) as o
        cross join lateral aclexplode(o.acl) as a
        where o.id <> all (v_before) and a.grantee <> o.owner
          and pg_get_userbyid(a.grantee) <> all (v_groups)
    loop
        execute format('revoke all on %s from %s', v_open.what, v_open.grantee);
    end loop;
end $$;
comment on function end_migration() is
    'Each migration file ends with it: takes back what PostgreSQL or ALTER DEFAULT PRIVILEGES gave to others on what '
    'the file has made. What the group roles may do is granted by the last file.';

create function begin_removal(p_file text, p_lock_timeout text default '2s') returns void
language plpgsql
as $$
declare
    v_version constant integer := split_part(p_file, '_', 1)::integer;
    v_newest  integer;
begin
    perform prepare_migration(p_lock_timeout);
    v_newest := (select coalesce(max(version), 0) from schema_version);
    if v_version <> v_newest then
        raise exception '% cannot be taken back: the newest file that is applied has the number %', p_file, v_newest
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    delete from schema_version where version = v_version;
end $$;
comment on function begin_removal(text, text) is
    'Each down file begins with it: checks that its file is the newest one, and removes it from schema_version.';

-- Only the owner of the schema makes objects here: functions with its rights could find those of another role instead
-- of the intended ones.
if pg_has_role((select nspowner from pg_namespace where oid = current_schema()::regnamespace), 'usage') then
    declare
        v_maker text;
    begin
        for v_maker in
            select case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end
            from pg_namespace as n cross join lateral aclexplode(n.nspacl) as a
            where n.oid = current_schema()::regnamespace and a.privilege_type = 'CREATE' and a.grantee <> n.nspowner
        loop
            execute format('revoke create on schema %I from %s', current_schema(), v_maker);
        end loop;
    end;
end if;

perform begin_migration('0001_schema_version');
perform set_config('once.objects_before', '{}', true); -- this file made even that function
perform end_migration();
end $file$;
