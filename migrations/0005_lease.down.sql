-- 0005 lease, reversed. All leases are lost, and with them the fences: a former holder would not be refused any more
-- after the schema is applied again.
--
-- Locks: ACCESS EXCLUSIVE on lease and lease_floor, for an instant; services must not be running.

do $file$ begin
perform begin_removal('0005_lease');

drop view lease_readable;
drop function purge_leases(interval, integer, timestamptz);
drop function assert_fence(text, bigint, timestamptz);
drop function lease_held(text, bigint, timestamptz);
drop function release_lease(text, bigint, timestamptz);
drop function renew_lease(text, bigint, interval, timestamptz);
drop function acquire_lease(text, interval, text, timestamptz);
drop function newest_floor();
drop function fence_after(bigint);
drop function require_timeline(text);
drop function current_timeline();
drop type lease_answer;
drop type lease_outcome;
drop table lease_floor;
drop table lease;
end $file$;
