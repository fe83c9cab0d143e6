-- 0007 subscription, reversed. All positions are lost: what was delivered could be delivered again.
--
-- Locks: ACCESS EXCLUSIVE on its tables, for an instant; readers must not be running.

do $file$ begin
perform begin_removal('0007_subscription');

drop function usable_subscription(text, text);
drop function resume_expired(text, text);
drop function pause_subscription(text, boolean, text);
drop function subscribe(text, text[], text, integer, integer, interval, interval, boolean, interval, text);
drop function outbox_is_foreign();
drop function snapshot_up_to(xid8, boolean);
drop function service_named(text);
drop function newest_place();
drop function newest_checkpoints();
drop table trim_horizon;
drop table checkpoint;
drop table subscription;
drop type subscription_state;
end $file$;
