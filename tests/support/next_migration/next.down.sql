-- next, reversed.
--
-- Locks: as next.up.sql.

do $file$ begin
perform begin_removal(lpad(installed_version()::text, 4, '0') || '_next', p_lock_timeout => '500ms');

drop function note_of(text, text);
alter table idempotency_record drop column note;
alter table outbox drop column note;
end $file$;
