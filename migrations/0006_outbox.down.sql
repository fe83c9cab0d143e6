-- 0006 outbox, reversed. All staged messages are lost, delivered or not.
--
-- Locks: ACCESS EXCLUSIVE on the outbox, for an instant; services must not be running.

do $$ begin
    perform set_config('once.migration', pg_current_xact_id()::text, true);
    perform set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);
    perform set_config('lock_timeout', '2s', true);
end $$;
do $$ begin
    if current_setting('once.migration', true) is distinct from pg_current_xact_id()::text then
        raise exception 'a migration file must be applied in one transaction'
            using hint = 'psql -1 -v ON_ERROR_STOP=1 -f FILE';
    end if;
end $$;

delete from schema_version where version = 6;
drop function publish_many(text[], text[], json[], bytea[], text[], json[], text[], uuid[], boolean);
drop function publish(text, text, json, bytea, text, json, text, uuid, boolean);
drop function media_type_of(text, json);
drop function bucket_of(text, uuid);
drop function take_identity(text, uuid, bytea);
drop function message_digest(text, text, text, json, json, bytea);
drop function notify_readers();
drop function reader_sleeps();
drop sequence outbox_asleep_until_seq;
drop sequence outbox_woken_seq;
drop sequence outbox_asleep_seq;
drop table outbox_identity;
drop table outbox;
drop sequence outbox_id_seq;
drop domain header_list;
drop function is_header_list(json);
drop domain message_bytes;
drop domain media_type;
drop domain message_uuid;
drop domain message_json;
drop domain message_trace;
drop domain message_key;
drop domain message_topic;
