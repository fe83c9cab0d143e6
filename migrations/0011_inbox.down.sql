-- 0011 inbox, reversed. The memory of messages is lost: those that are redelivered take effect again.
--
-- Locks: ACCESS EXCLUSIVE on inbox, for an instant; consumers must not be running.

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

delete from schema_version where version = 11;
drop view inbox_alarm;
drop function purge_inbox(integer, timestamptz);
drop function receive(text, uuid, bytea, timestamptz, interval, interval, timestamptz);
drop function new_ones(text, uuid[], interval, interval);
drop function receive_many(text, uuid[], bytea[], timestamptz[], interval, interval, timestamptz);
drop table inbox;
drop domain message_id;
