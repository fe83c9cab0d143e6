-- 0001 schema_version, reversed: nothing of the library is left but the empty schema.
--
-- Locks: ACCESS EXCLUSIVE on schema_version, for an instant. Fails while a later file is still in.

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

delete from schema_version where version = 1;
drop function installed_version();
drop function serves_from();
drop table schema_version;
