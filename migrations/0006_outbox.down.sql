-- 0006 outbox, reversed. All staged messages are lost, delivered or not.
--
-- Locks: ACCESS EXCLUSIVE on the outbox, for an instant; services must not be running.

do $file$ begin
perform begin_removal('0006_outbox');

drop function require_lengths(text, integer, text[], integer[]);
drop function refuse_message(text, text, text, text, json, json, bytea, bigint);
drop function delivery_size(json, bytea, json);
drop function media_type_of(text, json);
drop function bucket_of(text, uuid);
drop function message_id_of(uuid);
drop function bound_message_id(text, uuid);
drop function message_id_from_name(text, text);
drop function name_uuid(uuid, text);
drop function take_identity(text, uuid, bytea, timestamptz);
drop function message_digest(text, text, text, json, json, bytea);
drop table outbox_identity;
drop table outbox;
drop sequence outbox_id_seq;
drop domain header_list;
drop domain message_bytes;
drop domain media_type;
drop domain message_uuid;
drop domain message_json;
drop domain message_trace;
drop domain message_key;
drop domain message_topic;
drop function is_random(uuid);
drop function message_is_valid(text, text, text, text, json, json, bytea);
drop function is_header_list(json);
drop function is_media_type(text);
drop function is_trace(text);
drop function is_message_key(text);
drop function is_topic(text);
end $file$;
