-- 0007 subscription, reversed. All positions are lost: what was delivered could be delivered again.
--
-- Locks: ACCESS EXCLUSIVE on its tables, for an instant; readers must not be running.

do $file$ begin
perform begin_removal('0007_subscription');

drop function wake_up(text);
drop function fall_asleep(interval);
drop function outbox_writers();
drop function wake_channel();
drop function acknowledge(text, integer, batch, bigint, integer, bigint[], text[], text[], boolean);
drop function next_batch(text, integer, integer, bigint);
drop function incarnation(subscription);
drop function usable_subscription(text, text);
drop function pause_subscription(text, boolean, text);
drop function unsubscribe(text, text);
drop function subscribe(text, text[], text, integer, integer, interval, interval, boolean, interval, text);
drop function outbox_is_foreign();
drop function snapshot_up_to(xid8, boolean);
drop function service_named(text);
create or replace function newest_place() returns bigint
language plpgsql stable
as $$
begin
    return greatest(0, (select max(id) from outbox)); -- 0007 adds the positions of readers
end $$;
drop function newest_checkpoints();
drop type delivery;
drop function delivery_size(json, bytea, json);
drop function sealed(batch);
drop table batch_seal;
drop type batch;
drop table checkpoint;
drop table subscription;
end $file$;
