-- 0008 publish: staging messages, and waking the readers that sleep.
--
-- Apply: into the schema that holds 0007.
-- Locks: creates new objects only.
-- Reverse: 0008_publish.down.sql

do $file$ begin
perform begin_migration('0008_publish');

-- Wake-up without a notification in each transaction, which would serialise all commits of the cluster. Sequences,
-- because they are read and written outside of transactions: everybody sees the newest value at once.
create sequence outbox_asleep_seq as bigint minvalue 0 start 0 cache 1;
comment on sequence outbox_asleep_seq is 'Counts readers that went to sleep. Above outbox_woken_seq: somebody sleeps.';
create sequence outbox_woken_seq as bigint minvalue 0 start 0 cache 1;
comment on sequence outbox_woken_seq is 'The last sleep that a notification ended.';
create sequence outbox_asleep_until_seq as bigint minvalue 0 start 0 cache 1;
comment on sequence outbox_asleep_until_seq is
    'Until when sleepers may sleep, in milliseconds since 1970: a reader that died is not woken for ever.';
do $$ begin
    perform setval('outbox_asleep_seq', 0), setval('outbox_woken_seq', 0), setval('outbox_asleep_until_seq', 0);
end $$;

-- Without it, any reader could say that all others were notified, and they would sleep on.
create sequence outbox_wake_secret_seq as bigint minvalue 0 start 0 cache 1;
comment on sequence outbox_wake_secret_seq is
    'Not a counter: the secret that proves a notification was sent by notify_readers(). No role may read it.';
do $$ begin
    perform setval('outbox_wake_secret_seq', ('x0' || right(replace(gen_random_uuid()::text, '-', ''),
        15))::bit(64)::bigint);
end $$;

-- Called for each message, so it is one expression: a query for the same takes much longer.
create function reader_sleeps() returns boolean
language sql
return coalesce(pg_sequence_last_value('outbox_asleep_seq'), 0) > coalesce(pg_sequence_last_value('outbox_woken_seq'),
    0);
comment on function reader_sleeps() is 'Whether a reader may sleep that nobody has notified yet.';

create function wake_proof(p_sleep_number bigint) returns text
language plpgsql
as $$
begin
    return left(encode(sha256(convert_to((select last_value
        from outbox_wake_secret_seq) || ':' || p_sleep_number, 'UTF8')), 'hex'), 20);
end $$;
comment on function wake_proof(bigint) is
    'What notify_readers() adds to the number, and nobody else can make: whoever knows it has got a notification, '
    'which every reader that LISTENs has got with it.';

create function notify_readers() returns void
language plpgsql security definer set search_path from current
as $$
declare
    v_asleep bigint;
begin
    -- A full notification queue makes the COMMIT of whoever notifies fail, and waking is never worth that.
    if (select last_value from outbox_asleep_until_seq) > extract(epoch from clock_timestamp()) * 1000
       and pg_notification_queue_usage() < 0.5
       -- PREPARE TRANSACTION is refused after a NOTIFY, and only the session knows that it will come.
       and current_setting('once.wake_readers', true) is distinct from 'off' then
        -- Whose sleep this ends: all that began before now. What a notification that was sent earlier, and is read
        -- late, says about later sleeps would be wrong.
        v_asleep := (select last_value from outbox_asleep_seq);
        perform pg_notify('once_outbox_' || 'outbox'::regclass::oid, v_asleep || ':' || wake_proof(v_asleep));
    end if;
end $$;
comment on function notify_readers() is
    'Wakes readers that sleep, when this transaction commits; the payload is what they pass to wake_up(). publish() '
    'calls it when the sequences say that one sleeps. A session that is going to PREPARE TRANSACTION says set local '
    'once.wake_readers = off: PostgreSQL refuses to prepare what has notified. Readers then find its messages when '
    'their sleep ends.';

create function place_drawn_here() returns bigint
language plpgsql
as $$
begin
    return currval('outbox_id_seq');
exception when object_not_in_prerequisite_state then
    return null;
end $$;
comment on function place_drawn_here() is 'The last place in the log that this session has drawn; null: none.';

-- A reader that is past a place never looks at it again: a message there would be lost without a word. So that the
-- tables are looked at once for each session, a setting of it says what it knows; where settings were reset, the place
-- that it drew last.
create function prepare_to_draw() returns void
language plpgsql
as $$
declare
    -- First the id of this transaction, then the place: so each transaction that has drawn a place and has not ended is
    -- running in whatever snapshot is taken after that. The lower bound of a reader's scan rests on it; see
    -- checkpoint.bound.
    v_xid   constant xid8   := pg_current_xact_id();
    v_name  constant text   := 'once.place_' || 'outbox'::regclass::oid;
    v_known constant bigint := coalesce(nullif(current_setting(v_name, true), '')::bigint, place_drawn_here(),
        newest_place());
    -- After what is known: another transaction may draw a place, and commit, in between.
    v_last  constant bigint := pg_sequence_last_value('outbox_id_seq');
begin
    if v_last < v_known then
        raise exception
            'outbox_id_seq is at %, but places up to % are taken: rows were copied without their sequence', v_last,
                v_known
            using errcode = 'ON067', hint =
                'let the owner of the schema call rebase(); until then a message could be skipped';
    end if;
    perform set_config(v_name, v_last::text, false);
end $$;
comment on function prepare_to_draw() is
    'Called before a place in the log is drawn: gives this transaction its id, and raises ON067 when outbox_id_seq '
    'is behind what was given out.';

create function publish(
    p_topic        text,
    p_key          text        default null,
    p_json         json        default null,
    p_bytes        bytea       default null,
    p_content_type text        default null,
    p_headers      json        default null,
    p_traceparent  text        default null,
    p_message_id   uuid        default null,
    p_fresh        boolean     default false
) returns uuid
language plpgsql security definer set search_path from current set enable_seqscan = off set jit = off
as $$
declare
    v_service constant text := service_of_session();
    v_given   constant uuid := case when p_fresh is not true then p_message_id end;
    v_id      constant uuid := coalesce(bound_message_id(v_service, v_given), p_message_id, gen_random_uuid());
begin
    if (p_topic is not null and num_nonnulls(p_json, p_bytes) = 1
        and (v_given is not null or substr(v_id::text, 15, 1) = '4')) is not true then
        perform refuse_message(null, p_topic, num_nonnulls(p_json, p_bytes));
    end if;
    p_content_type := media_type_of(p_content_type, p_json);
    if v_given is not null
       and not take_identity(v_service, v_given, message_digest(p_topic, p_key, p_content_type, p_headers, p_json,
           p_bytes)) then
        return v_given;
    end if;
    perform prepare_to_draw();
    insert into outbox (service, message_id, given_id, bucket, topic, key, traceparent, content_type, headers,
        payload_json, payload_bytes)
    values (v_service, v_id, v_given, bucket_of(p_key, v_id),
            p_topic, p_key, p_traceparent, p_content_type, p_headers, p_json, p_bytes);
    -- After the insert: whoever goes to sleep now finds our lock on the table, and polls until we are through.
    if reader_sleeps() then
        perform notify_readers();
    end if;
    return coalesce(v_given, v_id);
end $$;
comment on function publish(text, text, json, bytea, text, json, text, uuid, boolean) is
    'Stages a message in this transaction and returns its id. Exactly one of p_json and p_bytes is the payload; '
    'p_json without a p_content_type is application/json. With a p_message_id of its own an application may stage '
    'the same message again, for 60 days: nothing is staged then; with other content it is error ON050. Such an id '
    'counts within the service; receivers get message_id_of() it. p_fresh: the id, of version 4, was just made for '
    'this message, so nobody need look.';

create function publish_many(
    p_topics        text[],
    p_keys          text[]    default null,
    p_json          json[]    default null,
    p_bytes         bytea[]   default null,
    p_content_types text[]    default null,
    p_headers       json[]    default null,
    p_traceparents  text[]    default null,
    p_message_ids   uuid[]    default null,
    p_fresh         boolean   default false
) returns bigint
language plpgsql security definer set search_path from current set enable_seqscan = off set jit = off
as $$
declare
    v_service constant text := service_of_session();
    v_staged  bigint;
begin
    perform require_lengths('p_topics', cardinality(p_topics),
        array['p_keys', 'p_json', 'p_bytes', 'p_content_types', 'p_headers', 'p_traceparents', 'p_message_ids'],
        array[cardinality(p_keys), cardinality(p_json), cardinality(p_bytes), cardinality(p_content_types),
              cardinality(p_headers), cardinality(p_traceparents), cardinality(p_message_ids)]);
    perform prepare_to_draw();
    insert into outbox (service, message_id, given_id, bucket, topic, key, traceparent, content_type, headers,
        payload_json, payload_bytes)
    select v_service, m.id, m.given,
           case when m.topic is not null and num_nonnulls(m.json, m.bytes) = 1
                     and (m.given is not null or substr(m.id::text, 15, 1) = '4') then bucket_of(m.key, m.id)
                else refuse_message(m.place, m.topic, num_nonnulls(m.json, m.bytes)) end,
           m.topic, m.key, m.traceparent, m.content_type, m.headers, m.json, m.bytes
    from (
        select u.topic, u.key, u.json, u.bytes, u.headers, u.traceparent, u.place,
               media_type_of(u.content_type, u.json) as content_type,
               case when p_fresh is not true then u.given end as given,
               coalesce(case when p_fresh is not true then bound_message_id(v_service, u.given) end, u.given,
                   gen_random_uuid()) as id
        from unnest(p_topics, p_keys, p_json, p_bytes, p_content_types, p_headers, p_traceparents, p_message_ids)
            with ordinality as u (topic, key, json, bytes, content_type, headers, traceparent, given, place)
        offset 0 -- one id for each message, not one for each mention of it
    ) as m
    where m.given is null
       or take_identity(v_service, m.given, message_digest(m.topic, m.key, m.content_type, m.headers, m.json, m.bytes));
    get diagnostics v_staged = row_count;
    if reader_sleeps() then
        perform notify_readers();
    end if;
    return v_staged;
end $$;
comment on function publish_many(text[], text[], json[], bytea[], text[], json[], text[], uuid[], boolean) is
    'publish() for any number of messages in one statement, in the order of the arrays; element i of each array '
    'belongs to message i, and a null array means null for all; arrays of other lengths are error 22023. Returns how '
    'many were staged.';

perform end_migration();
end $file$;
