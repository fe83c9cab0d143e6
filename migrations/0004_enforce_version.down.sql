-- 0004 enforce_version, reversed. Fails while a table still has the trigger: then call relax_version() for each of
--     select tgrelid::regclass from pg_trigger where tgname = 'once_enforce_version';
--
-- Locks: none on tables.

do $file$ begin
perform begin_removal('0004_enforce_version');

drop function relax_version(regclass);
drop function enforce_version(regclass, name);
drop function refuse_stale_version();
end $file$;
