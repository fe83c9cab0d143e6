-- next: a migration that might come after the newest one, for tests only.
--
-- Apply: in one transaction, into the schema that holds the newest one.
-- Locks: ACCESS EXCLUSIVE on idempotency_record, then on outbox, in the order in which requests take them; for an instant, after
--     it has waited for transactions that use them, half a second at most: less than requests wait (2 s), and less than
--     deadlock_timeout (1 s), so that it is never a request that gives way. Then apply it again.
-- Serves: libraries that know the file before this one. It adds, and takes nothing away.
-- Reverse: next.down.sql

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

alter table idempotency_record add column note text;
comment on column idempotency_record.note is 'What somebody wants to remember.';

alter table outbox add column note text;
comment on column outbox.note is 'What somebody wants to remember.';

create function note_of(p_scope text, p_key text) returns text
language sql stable security definer set search_path from current
return (select r.note from idempotency_record as r
        where r.service = current_service() and r.scope = p_scope and r.key = p_key);
comment on function note_of(text, text) is 'The note on a record.';
revoke all on function note_of(text, text) from public;

insert into schema_version (version, name, serves_from) select max(version) + 1, 'next', max(version) from schema_version;
