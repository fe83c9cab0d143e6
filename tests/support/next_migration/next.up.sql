-- next: a migration that might come after the newest one, for tests only.
--
-- Apply: into the schema that holds the newest one.
-- Locks: ACCESS EXCLUSIVE on idempotency_record, then on outbox, in the order in which requests take them; for an
-- instant, after
--     it has waited for transactions that use them, half a second at most: less than requests wait (2 s), and less than
--     deadlock_timeout (1 s), so that it is never a request that gives way. Then apply it again.
-- Serves: libraries that know the file before this one. It adds, and takes nothing away.
-- Reverse: next.down.sql

do $file$ begin
perform begin_migration(lpad((installed_version() + 1)::text, 4, '0') || '_next',
                        p_serves_from => installed_version(), p_lock_timeout => '500ms');

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

perform end_migration();
end $file$;
