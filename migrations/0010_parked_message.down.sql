-- 0010 parked_message, reversed. Messages that are parked are lost.
--
-- Locks: ACCESS EXCLUSIVE on parked_message, for an instant; readers must not be running.

do $file$ begin
perform begin_removal('0010_parked_message');

drop function discard(text, uuid, text);
drop function redrive(text, uuid, timestamptz, text);
drop function settle_parked(text, integer, bigint[], uuid[], delivery_result[], text[], interval[], timestamptz);
drop function promote_keys(subscription, text[], timestamptz);
drop function parked_due(text, integer, timestamptz);
drop function take_parked(text, integer, integer, integer, bigint, timestamptz);
drop function first_parked(text, text, integer, timestamptz);
drop function untried_behind(subscription, integer, text, bigint, integer);
drop function park(text, integer, bigint[], park_verdict[], text[], timestamptz);
drop function backoff(subscription, integer);
drop function key_is_blocked(text, text, text, boolean);
drop function lock_subscription(text, text);
drop table parked_message;
drop type delivery_result;
drop type park_verdict;
drop type parked_state;
end $file$;
