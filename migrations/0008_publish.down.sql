-- 0008 publish, reversed. No data are lost; readers that sleep are not woken any more, and poll.
--
-- Locks: none on tables.

do $file$ begin
perform begin_removal('0008_publish');

drop function publish_many(text[], text[], json[], bytea[], text[], json[], text[], uuid[], boolean);
drop function publish(text, text, json, bytea, text, json, text, uuid, boolean);
drop function new_message(text, text, json, bytea, text, json, text, uuid, boolean, timestamptz);
drop function new_identity(uuid, text, text, text, json, json, bytea, timestamptz);
drop function prepare_to_draw();
drop function check_places();
drop function place_drawn_here();
drop function place_kept();
drop function place_setting();
drop function notify_readers();
drop function wake_proof(bigint);
drop function reader_sleeps();
drop sequence outbox_wake_secret_seq;
drop sequence outbox_asleep_until_seq;
drop sequence outbox_woken_seq;
drop sequence outbox_asleep_seq;
end $file$;
