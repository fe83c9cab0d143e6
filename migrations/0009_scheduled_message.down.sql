-- 0009 scheduled_message, reversed. Messages that are scheduled are lost.
--
-- Locks: ACCESS EXCLUSIVE on scheduled_message, for an instant; readers must not be running.

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

delete from schema_version where version = 9;
drop function release_due(integer, timestamptz);
drop function cancel_scheduled(uuid);
drop function schedule(timestamptz, text, text, json, bytea, text, json, text, uuid, boolean);
drop table scheduled_message;
