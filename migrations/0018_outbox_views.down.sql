-- 0018 outbox_views, reversed. No data are lost.
--
-- Locks: none on tables.

do $file$ begin
perform begin_removal('0018_outbox_views');

drop view ring_usage;
drop function slot_edges(integer);
drop view oldest_transaction;
drop view subscription_throughput;
drop view blocked_key;
drop view parked_summary;
drop view subscription_lag;
drop function waiting_for(text, text, integer);
end $file$;
