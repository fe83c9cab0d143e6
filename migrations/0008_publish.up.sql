-- 0008 publish: staging messages, and waking the readers that sleep.
--
-- Apply: into the schema that holds 0007.
-- Locks: creates new objects only.
-- Reverse: 0008_publish.down.sql

do $file$ begin
perform begin_migration('0008_publish');

-- Wake-up without a notification in each transaction, which would serialise all commits of the cluster. Sequences,
-- because they are read and written outside transactions: every session sees the newest value at once.
create sequence outbox_asleep_seq as bigint minvalue 0 start 0 cache 1;
comment on sequence outbox_asleep_seq is 'Counts readers that went to sleep. Above outbox_woken_seq: a reader sleeps.';
create sequence outbox_woken_seq as bigint minvalue 0 start 0 cache 1;
comment on sequence outbox_woken_seq is 'The last sleep that a notification ended.';
create sequence outbox_asleep_until_seq as bigint minvalue 0 start 0 cache 1;
comment on sequence outbox_asleep_until_seq is
    'Until when sleepers may sleep, in milliseconds since 1970: a reader that died is not woken forever.';
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
return (pg_sequence_last_value('outbox_asleep_seq') <= pg_sequence_last_value('outbox_woken_seq')) is not true;
comment on function reader_sleeps() is 'Whether a reader may sleep that was not notified yet.';

create function wake_proof(p_sleep_number bigint) returns text
language plpgsql
as $$
begin
    return left(encode(sha256(convert_to((select last_value
        from outbox_wake_secret_seq) || ':' || p_sleep_number, 'UTF8')), 'hex'), 20);
end $$;
comment on function wake_proof(bigint) is
    'What notify_readers() adds to the number, and no session can make up: a reader that knows it has got a '
    'notification, which every reader that LISTENs has got with it.';

create function notify_readers() returns void
language plpgsql security definer set search_path from current
as $$
declare
    v_asleep bigint;
begin
    -- A full notification queue makes the COMMIT of the session that notifies fail, and waking is never worth that.
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

create function place_setting() returns text
language sql immutable
return 'once.place_' || 'outbox'::regclass::oid;
comment on function place_setting() is 'In which setting a session keeps the newest place in the log that it knows.';

create function place_kept() returns bigint
language sql stable
return nullif(current_setting(place_setting(), true), '')::bigint;
comment on function place_kept() is 'The newest place in the log that this session has kept; null: none.';

-- A session of the library forgets its settings between two calls, so these two are called now and then by every
-- transaction that publishes: they name the schema of everything instead of setting a search_path.
execute replace($functions$

create function {schema}.place_drawn_here() returns bigint
language plpgsql
as $$
begin
    return pg_catalog.currval('{schema}.outbox_id_seq'::pg_catalog.regclass);
exception when object_not_in_prerequisite_state then
    return null;
end $$;
comment on function {schema}.place_drawn_here() is
    'The last place in the log that this session has drawn; null: none.';

-- A reader that is past a place never looks at it again: a message there would be lost without a word. So that the
-- tables are looked at once for each session, a setting of it says what it knows; where settings were reset, the place
-- that it drew last.
create function {schema}.check_places() returns void
language plpgsql
as $$
begin
    -- First what is known: another transaction may draw a place, and commit, in between.
    if coalesce({schema}.place_kept(), {schema}.place_drawn_here(), {schema}.newest_place())
       operator(pg_catalog.>) pg_catalog.pg_sequence_last_value('{schema}.outbox_id_seq'::pg_catalog.regclass) then
        raise exception
            'outbox_id_seq is at %, but places up to % are taken: rows were copied without their sequence',
            pg_catalog.pg_sequence_last_value('{schema}.outbox_id_seq'::pg_catalog.regclass),
            coalesce({schema}.place_kept(), {schema}.place_drawn_here(), {schema}.newest_place())
            using errcode = 'ON067', hint =
                'let the owner of the schema call rebase(); until then a message could be skipped';
    end if;
end $$;
comment on function {schema}.check_places() is
    'Called before a place in the log is drawn: raises ON067 when outbox_id_seq is behind what was given out.';

$functions$, '{schema}', quote_ident(current_schema()));

create function prepare_to_draw() returns void
language plpgsql set search_path from current
as $$
begin
    -- First the id of this transaction, then the place: so each transaction that has drawn a place and has not ended is
    -- running in whatever snapshot is taken after that. The lower bound of a reader's scan rests on it; see
    -- checkpoint.bound.
    perform pg_current_xact_id();
    perform check_places();
    perform set_config(place_setting(), pg_sequence_last_value('outbox_id_seq')::text, false);
end $$;
comment on function prepare_to_draw() is
    'For those who draw many places: gives this transaction its id, calls check_places(), and keeps the newest place.';

create function new_identity(
    p_given uuid, p_topic text, p_key text, p_content_type text, p_headers json, p_json json, p_bytes bytea,
    p_due_at timestamptz default null
) returns uuid
language plpgsql set search_path from current set enable_seqscan = off
as $$
declare
    v_service constant text := service_of_session();
begin
    if take_identity(v_service, p_given, message_digest(p_topic, p_key, media_type_of(p_content_type, p_json),
        p_headers, p_json, p_bytes), p_due_at) then
        return bound_message_id(v_service, p_given);
    end if;
    return null;
end $$;
comment on function new_identity(uuid, text, text, text, json, json, bytea, timestamptz) is
    'Under which id a message travels to which this service gives p_given; null when it was staged before. ON050: that '
    'was another message.';

-- Called in nearly every transaction that writes, so it names the schema of everything instead of setting a
-- search_path.
execute replace($functions$

create function {schema}.new_message(
    p_topic text, p_key text, p_json json, p_bytes bytea, p_content_type text, p_headers json, p_traceparent text,
    p_message_id uuid, p_fresh boolean, p_due_at timestamp with time zone default null
) returns uuid
language plpgsql
as $$
begin
    if ({schema}.message_is_valid(p_topic, p_key, p_traceparent, p_content_type, p_headers, p_json, p_bytes)
        and (p_fresh is not true or p_message_id is null or {schema}.is_random(p_message_id))) is not true then
        perform {schema}.refuse_message(p_topic, p_key, p_traceparent, p_content_type, p_headers, p_json, p_bytes);
    end if;
    if p_message_id is null then
        return pg_catalog.gen_random_uuid();
    elsif p_fresh then
        return p_message_id;
    end if;
    return {schema}.new_identity(p_message_id::{schema}.message_uuid, p_topic, p_key, p_content_type, p_headers, p_json,
                                 p_bytes, p_due_at);
end $$;
comment on function {schema}.new_message(
    text, text, json, bytea, text, json, text, uuid, boolean, timestamp with time zone) is
    'What publish() and schedule() begin with: refuses a message that breaks a rule, and says under which id it '
    'travels. Null: it was staged before, under the id that the application gave. ON050: that was another message.';

create function {schema}.publish(
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
language plpgsql security definer
as $$
declare
    v_given pg_catalog.uuid;
    v_bound pg_catalog.uuid;
begin
    -- First what most messages are, in few words: each operator and function that an expression names is looked up
    -- again in each transaction, also where it is not reached. What has more to it, or is wrong, goes to new_message().
    if (pg_catalog.octet_length(p_topic) operator(pg_catalog.<=) 249
        and p_topic operator(pg_catalog.~) '^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$'
        and (p_key is null or pg_catalog.octet_length(p_key) operator(pg_catalog.<=) 255
                              and p_key operator(pg_catalog.~) '^[^\x01-\x1f\x7f]+$')
        and pg_catalog.octet_length(p_json::pg_catalog.text) operator(pg_catalog.<=) 1048576
        and p_bytes is null and p_content_type is null and p_headers is null and p_traceparent is null
        and (p_message_id is null or p_fresh)) is not true then
        v_bound := {schema}.new_message(p_topic, p_key, p_json, p_bytes, p_content_type, p_headers, p_traceparent,
                                        p_message_id, p_fresh);
        if v_bound is null then
            return p_message_id;
        elsif p_message_id is null then
            p_message_id := v_bound;
        elsif p_fresh is not true then
            v_given := p_message_id;
        end if;
    elsif p_message_id is null then
        p_message_id := pg_catalog.gen_random_uuid();
    elsif {schema}.is_random(p_message_id) is not true then
        perform {schema}.refuse_message(p_topic, p_key, p_traceparent, p_content_type, p_headers, p_json, p_bytes);
    end if;
    if (pg_catalog.pg_sequence_last_value('{schema}.outbox_id_seq'::pg_catalog.regclass)
        operator(pg_catalog.>=) {schema}.place_kept()) is not true then
        perform {schema}.check_places();
    end if;
    insert into {schema}.outbox (txid, id, service, message_id, given_id, bucket, topic, key, traceparent, content_type,
        headers, payload_json, payload_bytes)
    values (pg_catalog.pg_current_xact_id(),
            -- First the id of this transaction, then the place: see prepare_to_draw().
            case when pg_catalog.pg_current_xact_id() is not null
                 then pg_catalog.nextval('{schema}.outbox_id_seq'::pg_catalog.regclass) end,
            {schema}.service_of_session(), coalesce(v_bound, p_message_id), v_given,
            {schema}.bucket_of(p_key, coalesce(v_bound, p_message_id)), p_topic, p_key, p_traceparent,
            {schema}.media_type_of(p_content_type, p_json), p_headers, p_json, p_bytes);
    -- After the insert: a reader that goes to sleep now finds our lock on the table, and polls until we are through.
    if pg_catalog.set_config({schema}.place_setting(),
           pg_catalog.currval('{schema}.outbox_id_seq'::pg_catalog.regclass)::pg_catalog.text, false) is null
       or {schema}.reader_sleeps() then
        perform {schema}.notify_readers();
    end if;
    return p_message_id;
end $$;
comment on function {schema}.publish(text, text, json, bytea, text, json, text, uuid, boolean) is
    'Stages a message in this transaction and returns its id. Exactly one of p_json and p_bytes is the payload; '
    'p_json without a p_content_type is application/json. With a p_message_id that it chose, an application may stage '
    'the same message again, for 60 days: nothing is staged then; with other content it is error ON050. Such an id '
    'counts within the service; receivers get message_id_of() it. p_fresh: the id, of version 4, was just made for '
    'this message, so it need not be looked up.';

$functions$, '{schema}', quote_ident(current_schema()));

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
           case when message_is_valid(m.topic, m.key, m.traceparent, m.content_type, m.headers, m.json, m.bytes)
                     and (m.given is not null or is_random(m.id)) then bucket_of(m.key, m.id)
                else refuse_message(m.topic, m.key, m.traceparent, m.content_type, m.headers, m.json, m.bytes,
                                    m.place) end,
           m.topic, m.key, m.traceparent, m.content_type, m.headers, m.json, m.bytes
    from (
        select u.topic, u.key, u.json, u.bytes, u.headers, u.traceparent, u.place,
               media_type_of(u.content_type, u.json) as content_type,
               case when p_fresh is not true then u.given::message_uuid end as given,
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
