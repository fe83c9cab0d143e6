-- 0014 inbox, reversed. The memory of messages is lost: those that are redelivered take effect again.
--
-- Locks: ACCESS EXCLUSIVE on inbox, for an instant; consumers must not be running.

do $file$ begin
perform begin_removal('0014_inbox');

drop view inbox_alarm;
drop function purge_inbox(integer, timestamptz);
drop function receive(text, uuid, bytea, timestamptz, interval, interval, timestamptz);
drop function new_ones(text, uuid[], interval, interval);
drop function receive_many(text, uuid[], bytea[], timestamptz[], interval, interval, timestamptz);
drop table inbox;
drop type receipt;
end $file$;
