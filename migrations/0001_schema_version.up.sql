-- 0001 schema_version: which migration files are in.
--
-- Apply: in one transaction, into the first schema of the search_path, for example
--     psql -1 -v ON_ERROR_STOP=1 -c 'set search_path = once' -f 0001_schema_version.up.sql
-- Locks: creates new objects only; nothing that is in use is locked.
-- Reverse: 0001_schema_version.down.sql

do $$ begin
    if current_schema() is null then
        raise exception 'no schema to work in: create it and put it first in search_path'
            using hint = 'create schema once; set search_path = once;';
    end if;
    perform set_config('once.migration', pg_current_xact_id()::text, true);
    -- pg_temp goes last, or a temporary table could stand in for one of ours inside a SECURITY DEFINER function.
    perform set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);
    perform set_config('lock_timeout', '2s', true);
end $$;
do $$ begin
    if current_setting('once.migration', true) is distinct from pg_current_xact_id()::text then
        raise exception 'a migration file must be applied in one transaction'
            using hint = 'psql -1 -v ON_ERROR_STOP=1 -f FILE';
    end if;
end $$;

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
    -- A file that is applied out of order, or taken out while a later one is in, fails here.
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
comment on constraint schema_version_pkey on schema_version is 'One row per file.';
comment on constraint schema_version_positive on schema_version is 'Files are numbered from 1.';
comment on constraint schema_version_serves_earlier on schema_version is
    'A file serves the libraries that know it, and may serve earlier ones.';
comment on constraint schema_version_in_order on schema_version is
    'Files go in upwards and come out downwards without a gap.';

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
    'The oldest version that a library may know to work on this schema: every file behind that one serves it. A library '
    'asks when the schema is newer than it knows.';

revoke all on function installed_version(), serves_from() from public;

insert into schema_version (version, name) values (1, 'schema_version');
