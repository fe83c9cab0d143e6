-- 0004 enforce_version: a trigger for the tables of the services, so that no UPDATE can forget the version column.
--
-- Apply: into the schema that holds 0003.
-- Locks: creates new objects only. (Calling enforce_version() later locks the table that it is called for, its
--        partitions and its children: SHARE ROW EXCLUSIVE for an instant, which waits for writers; it fails after
--        lock_timeout.)
-- Reverse: 0004_enforce_version.down.sql

do $file$ begin
perform begin_migration('0004_enforce_version');

-- A foreign key with ON DELETE SET NULL (or SET DEFAULT, or ON UPDATE CASCADE) writes its rows in an internal trigger,
-- which knows nothing of versions. Three things show that it is at work: this runs inside another trigger, a column of
-- such a foreign key changes (or nothing at all, where the default is there already), and the version does not. Then 1
-- is added here, so that a session that read the row before finds it stale, as it must be.
create function refuse_stale_version() returns trigger
language plpgsql set search_path from current
as $$
declare
    v_old constant jsonb := to_jsonb(old);
    v_new constant jsonb := to_jsonb(new);
begin
    if pg_trigger_depth() > 1 and v_new -> tg_argv[0] = v_old -> tg_argv[0] and exists (
        select from pg_constraint as c
        where c.conrelid = tg_relid and c.contype = 'f' and (c.confdeltype in ('n', 'd')
            or c.confupdtype in ('c', 'n', 'd'))
          and (select bool_or(a.attnum = any (c.conkey)) is not false from pg_attribute as a
               where a.attrelid = tg_relid and a.attnum > 0 and a.attgenerated = ''
                 and v_new -> a.attname is distinct from v_old -> a.attname)) then
        return jsonb_populate_record(new, jsonb_build_object(tg_argv[0], (v_old ->> tg_argv[0])::bigint + 1));
    end if;
    raise exception 'update of %.% does not add 1 to column %', tg_table_schema, tg_table_name, tg_argv[0]
        using errcode = 'ON004',
              hint = format('update ... set %1$I = %1$I + 1, ... where ... and %1$I = <the version that was read>; '
                            'no row means that another transaction changed it', tg_argv[0]),
              schema = tg_table_schema, table = tg_table_name, column = tg_argv[0];
end $$;
comment on function refuse_stale_version() is
    'Body of the trigger once_enforce_version: raises ON004, and adds 1 where the action of a foreign key changes a '
    'row. Not to be called; enforce_version() attaches it.';

create function give_first_version() returns trigger
language plpgsql set search_path from current
as $$
begin
    return jsonb_populate_record(new, jsonb_build_object(tg_argv[0],
                                                         (extract(epoch from clock_timestamp()) * 1000000)::bigint));
end $$;
comment on function give_first_version() is
    'Body of the trigger once_first_version: a new row begins with a version that its key never had, the clock in '
    'microseconds. Not to be called; enforce_version() attaches it.';

-- A trigger of a partitioned table stands on each partition, and goes when the partition is detached; one of a parent
-- of an inheritance does not stand on the children. So each table of the tree that is there gets its own triggers.
create function version_triggers(p_table regclass) returns table (member regclass, suffix text)
language sql stable set search_path from current
as $$
    with recursive tree (member) as (
        select p_table
        union
        select i.inhrelid::regclass from tree as t join pg_inherits as i on i.inhparent = t.member
    )
    select t.member, case when c.relispartition or exists (select from pg_trigger as r
                               where r.tgrelid = t.member and r.tgname = 'once_enforce_version_here')
                          then '_here' else '' end
    from tree as t join pg_class as c on c.oid = t.member
$$;
comment on function version_triggers(regclass) is
    'The tables whose rows an UPDATE of p_table can reach, each with what the names of its triggers end with: a '
    'partition has its own triggers beside those that the partitioned table hands down, and keeps its own when it is '
    'detached.';

-- SECURITY INVOKER: only a role that may alter the table may do this.
create function enforce_version(p_table regclass, p_column name default 'version') returns void
language plpgsql set search_path from current
as $$
declare
    v_type   regtype;
    v_each   record;
    v_repeat boolean;
begin
    select atttypid into v_type from pg_catalog.pg_attribute
    where attrelid = p_table and attname = p_column and attnum > 0 and not attisdropped;
    if v_type is null then
        raise exception 'table % has no column %', p_table, quote_ident(p_column)
            using errcode = 'undefined_column',
                  hint = format('alter table %s add column %I bigint not null default 1', p_table, p_column);
    end if;
    if v_type <> 'bigint'::regtype then
        raise exception 'column % of table % is of type %, not bigint', quote_ident(p_column), p_table, v_type
            using errcode = 'datatype_mismatch',
                  hint = format('alter table %s alter column %I type bigint', p_table, p_column);
    end if;
    -- A key that is always made by the database never comes again, so its versions may begin anywhere.
    v_repeat := not exists (
        select from pg_index as i join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
        where i.indrelid = p_table and i.indisprimary and a.attidentity = 'a');
    for v_each in select * from version_triggers(p_table) loop
        -- OR REPLACE makes a second call harmless, and lets the column be changed. (A + 1 that overflows is error
        -- 22003.)
        execute format('create or replace trigger %5$I before update on %1$s '
                       'for each row when (new.%2$I is distinct from old.%2$I + 1) execute function '
                       '%3$I.refuse_stale_version(%4$L)',
                       v_each.member, p_column, current_schema(), p_column, 'once_enforce_version' || v_each.suffix);
        execute format('comment on trigger %I on %s is %L', 'once_enforce_version' || v_each.suffix, v_each.member,
                       format('Every update must add 1 to %I, or it is refused with ON004.', p_column));
        if v_repeat then
            execute format('create or replace trigger %4$I before insert on %1$s '
                           'for each row execute function %2$I.give_first_version(%3$L)',
                           v_each.member, current_schema(), p_column, 'once_first_version' || v_each.suffix);
            execute format('comment on trigger %I on %s is %L', 'once_first_version' || v_each.suffix, v_each.member,
                           format('A new row begins with a %I that its key never had.', p_column));
        end if;
    end loop;
end $$;
comment on function enforce_version(regclass, name) is
    'Refuses every UPDATE of this table that does not add 1 to p_column (a bigint), with error ON004, also one '
    'by hand; actions of foreign keys pass, and 1 is added for them. Unless the primary key is GENERATED ALWAYS AS '
    'IDENTITY, each insert gets a first version that the key never had. Covers the partitions and children of the '
    'table that are there: call it again when there are new ones. Call it as the owner of the table; a second call '
    'changes nothing.';

create function relax_version(p_table regclass) returns void
language plpgsql set search_path from current
as $$
declare
    v_each record;
begin
    for v_each in
        select r.tgname as name, t.member from version_triggers(p_table) as t
            join pg_trigger as r on r.tgrelid = t.member
        where r.tgname in ('once_enforce_version' || t.suffix, 'once_first_version' || t.suffix)
    loop
        execute format('drop trigger %I on %s', v_each.name, v_each.member);
    end loop;
end $$;
comment on function relax_version(regclass) is
    'Takes back enforce_version() for this table, its partitions and children. Call it as the owner of the table.';

-- A trigger needs no EXECUTE when it fires, only the role that attaches it does. An owner of tables who is not the
-- owner of this schema needs:  grant usage on schema once to OWNER;
--                        grant execute on function once.enforce_version(regclass, name),
--                            once.relax_version(regclass), once.version_triggers(regclass),
--                            once.refuse_stale_version(), once.give_first_version() to OWNER;

perform end_migration();
end $file$;
