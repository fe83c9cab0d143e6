-- next, reversed.
--
-- Locks: as next.up.sql.

do $$ begin
    perform set_config('once.migration', pg_current_xact_id()::text, true);
    perform set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);
    perform set_config('lock_timeout', '500ms', true);
end $$;
do $$ begin
    if current_setting('once.migration', true) is distinct from pg_current_xact_id()::text then
        raise exception 'a migration file must be applied in one transaction'
            using hint = 'psql -1 -v ON_ERROR_STOP=1 -f FILE';
    end if;
end $$;

delete from schema_version where name = 'next';
drop function note_of(text, text);
alter table idempotency_record drop column note;
alter table outbox drop column note;
