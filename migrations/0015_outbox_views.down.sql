-- 0015 outbox_views, reversed. No data are lost.
--
-- Locks: none on tables.

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

delete from schema_version where version = 15;
drop view ring_usage;
drop function slot_edges(integer);
drop view oldest_transaction;
drop view subscription_throughput;
drop view blocked_key;
drop view parked_summary;
drop view subscription_lag;
drop function waiting_for(text, text, integer);
