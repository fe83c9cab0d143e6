-- 0011 next_batch, reversed. No data are lost: positions stay where they are.
--
-- Locks: none on a table; readers must not be running.

do $file$ begin
perform begin_removal('0011_next_batch');

drop function wake_up(text);
drop function fall_asleep(interval);
drop function outbox_writers();
drop function wake_channel();
drop function unsubscribe(text, text);
drop function acknowledge(text, integer, batch, bigint, integer, bigint[], park_verdict[], text[], boolean);
drop function next_batch(text, integer, integer, bigint, bigint);
drop type delivery;
drop function refuse_acknowledgement(
    text, integer, batch, bigint, integer, bigint[], park_verdict[], text[], bigint, bigint);
drop function refuse_batch(text, integer, integer, bigint);
drop function seal_of(batch, bytea);
drop type batch;
end $file$;
