-- 0001 schema_version, reversed: nothing of the library is left but the empty schema.
--
-- Locks: ACCESS EXCLUSIVE on schema_version, for an instant. Fails while a later file is still in.

do $file$ begin
perform begin_removal('0001_schema_version');

drop function begin_removal(text, text);
drop function end_migration();
drop function begin_migration(text, integer, text);
drop function prepare_migration(text);
drop function installed_version();
drop function serves_from();
drop table schema_version;
end $file$;
