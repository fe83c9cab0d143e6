-- 0017 roles, reversed. The roles go where nothing else uses them: they belong to the whole cluster.
--
-- Locks: ACCESS SHARE only.

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

do $$ begin
    delete from schema_version where version = 17;
    if not found then -- nothing else here would notice
        raise exception '0017_roles is not applied';
    end if;
end $$;
do $migration$
declare
    v_schema constant text := current_schema();
    v_role   text;
begin
    foreach v_role in array array[v_schema || '_producer', v_schema || '_consumer', v_schema || '_inspector',
                                  v_schema || '_administrator'] loop
        continue when not exists (select from pg_roles where rolname = v_role);
        execute format('revoke all on all functions in schema %I from %I', v_schema, v_role);
        execute format('revoke all on all tables in schema %I from %I', v_schema, v_role);
        execute format('revoke all on all sequences in schema %I from %I', v_schema, v_role);
        execute format('revoke all on schema %I from %I', v_schema, v_role);
        begin
            execute format('drop role %I', v_role);
        exception when dependent_objects_still_exist or insufficient_privilege then
            null; -- another database uses it, or it is not ours to drop
        end;
    end loop;
end $migration$;
