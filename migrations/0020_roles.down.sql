-- 0020 roles, reversed. The roles go where nothing else uses them: they belong to the whole cluster.
--
-- Locks: ACCESS SHARE only.

do $file$ begin
perform begin_removal('0020_roles');

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
end;
drop function group_rights(regnamespace);
end $file$;
