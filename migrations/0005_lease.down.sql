-- 0005 lease, reversed. All leases are lost, and with them the fences: a former holder would not be refused any more
-- after the schema is applied again.
--
-- Locks: ACCESS EXCLUSIVE on lease and lease_floor, for an instant; services must not be running.

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

delete from schema_version where version = 5;
drop view lease_readable;
drop function purge_leases(interval, integer, timestamptz);
drop function assert_fence(text, bigint, timestamptz);
drop function lease_held(text, bigint, timestamptz);
drop function release_lease(text, bigint, timestamptz);
drop function renew_lease(text, bigint, interval, timestamptz);
drop function acquire_lease(text, interval, text, timestamptz);
drop function fence_after(bigint);
drop type lease_answer;
drop table lease_floor;
drop table lease;
