-- 0010 outbox_upkeep, reversed. No data are lost.
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

delete from schema_version where version = 10;
drop function rebase();
drop function trim_outbox(interval, integer, timestamptz);
drop function empty_slot(integer, pg_snapshot);
drop function slot_is_passed(integer, timestamptz);
drop function resume_expired(text, text);
drop function expire_subscriptions(timestamptz);
drop function is_wanted(subscription, text, timestamptz);
drop function is_passed(checkpoint, xid8, bigint);
drop function newest_checkpoints();
