-- 0013 request_window, reversed. A question that was asked a moment ago can take effect again under another key.
--
-- Locks: ACCESS EXCLUSIVE on request_window, for an instant; services must not be running.

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

delete from schema_version where version = 13;
drop function purge_windows(integer, timestamptz);
drop function open_window(text, text, bytea, interval, interval, timestamptz);
drop table request_window;
