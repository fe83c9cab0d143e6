-- 0004 enforce_version, reversed. Fails while a table still has the trigger: then call relax_version() for each of
--     select tgrelid::regclass from pg_trigger where tgname in ('once_enforce_version', 'once_enforce_version_here');
--
-- Locks: none on tables.

do $file$ begin
perform begin_removal('0004_enforce_version');

drop function relax_version(regclass);
drop function enforce_version(regclass, name);
drop function version_triggers(regclass);
drop function give_first_version();
drop function refuse_stale_version();
end $file$;
