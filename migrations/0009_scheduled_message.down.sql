-- 0009 scheduled_message, reversed. Messages that are scheduled are lost.
--
-- Locks: ACCESS EXCLUSIVE on scheduled_message, for an instant; readers must not be running.

do $file$ begin
perform begin_removal('0009_scheduled_message');

drop function release_due(integer, timestamptz);
drop function look_for_due(bigint, timestamptz, timestamptz);
drop function move_due(integer, timestamptz, timestamptz);
drop function cancel_scheduled(uuid);
drop function schedule(timestamptz, text, text, json, bytea, text, json, text, uuid, boolean);
drop table scheduled_message;
end $file$;
