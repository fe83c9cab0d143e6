-- 0012 outbox_upkeep, reversed. No data are lost.
--
-- Locks: none on tables.

do $file$ begin
perform begin_removal('0012_outbox_upkeep');

drop function rebase();
drop function trim_outbox(interval, integer, timestamptz);
drop function empty_slot(integer, pg_snapshot, boolean);
drop function slot_is_passed(integer, timestamptz, pg_snapshot);
drop function slot_has_unseen(integer, pg_snapshot);
drop function expire_subscriptions(timestamptz);
drop function is_wanted(subscription, text, timestamptz);
drop function is_passed(checkpoint, xid8, bigint);
drop function promised_to_none();
end $file$;
