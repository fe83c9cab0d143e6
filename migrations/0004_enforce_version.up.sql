-- 0004 enforce_version: a trigger for the tables of the services, so that no UPDATE can forget the version column.
--
-- Apply: into the schema that holds 0003.
-- Locks: creates new objects only. (Calling enforce_version() later locks the table that it is called for:
--        SHARE ROW EXCLUSIVE for an instant, which waits for writers; it fails after lock_timeout.)
-- Reverse: 0004_enforce_version.down.sql

do $file$ begin
perform begin_migration('0004_enforce_version');

create function refuse_stale_version() returns trigger
language plpgsql set search_path from current
as $$
begin
    raise exception 'update of %.% does not add 1 to column %', tg_table_schema, tg_table_name, tg_argv[0]
        using errcode = 'ON004',
              hint = format('update ... set %1$I = %1$I + 1, ... where ... and %1$I = <the version that was read>; '
                            'no row means that somebody else changed it', tg_argv[0]),
              schema = tg_table_schema, table = tg_table_name, column = tg_argv[0];
end $$;

comment on function refuse_stale_version() is
    'Body of the trigger once_enforce_version: raises ON004. Not to be called; enforce_version() attaches it.';

-- SECURITY INVOKER: who may alter the table may do this, nobody else.
create function enforce_version(p_table regclass, p_column name default 'version') returns void
language plpgsql set search_path from current
as $$
declare
    v_type regtype;
begin
    select atttypid into v_type from pg_catalog.pg_attribute
    where attrelid = p_table and attname = p_column and attnum > 0 and not attisdropped;
    if v_type is null then
        raise exception 'table % has no column %', p_table, quote_ident(p_column)
            using errcode = 'undefined_column',
                  hint = format('alter table %s add column %I bigint not null default 1', p_table, p_column);
    end if;
    if v_type not in ('bigint'::regtype, 'integer'::regtype) then
        raise exception 'column % of table % is of type %, not bigint', quote_ident(p_column), p_table, v_type
            using errcode = 'datatype_mismatch';
    end if;
    -- OR REPLACE makes a second call harmless, and lets the column be changed. (A + 1 that overflows is error 22003.)
    execute format('create or replace trigger once_enforce_version before update on %s '
                   'for each row when (new.%2$I is distinct from old.%2$I + 1) '
                   'execute function %3$I.refuse_stale_version(%2$L)', p_table, p_column, current_schema());
    execute format('comment on trigger once_enforce_version on %s is %L', p_table,
                   format('Every update must add 1 to %I, or it is refused with ON004.', p_column));
end $$;

comment on function enforce_version(regclass, name) is
    'Refuses every UPDATE of this table that does not add 1 to p_column (bigint or integer), with error ON004, '
    'whoever sends it. Inserts are free. Call it as the owner of the table, once; a second call changes nothing.';

create function relax_version(p_table regclass) returns void
language plpgsql set search_path from current
as $$
begin
    execute format('drop trigger if exists once_enforce_version on %s', p_table);
end $$;

comment on function relax_version(regclass) is
    'Takes back enforce_version() for this table. Call it as the owner of the table.';

-- A trigger needs no EXECUTE when it fires, only whoever attaches it does. An owner of tables who is not the owner
-- of this schema needs:  grant usage on schema once to OWNER;
--                        grant execute on function once.enforce_version(regclass, name),
--                            once.relax_version(regclass), once.refuse_stale_version() to OWNER;
revoke all on function
    refuse_stale_version(),
    enforce_version(regclass, name),
    relax_version(regclass)
from public;

perform end_migration();
end $file$;
