-- 0006 outbox: messages that are delivered if and only if the transaction that staged them committed.
--
-- Apply: into the schema that holds 0005.
-- Locks: creates new objects only.
-- Reverse: 0006_outbox.down.sql

do $file$ begin
perform begin_migration('0006_outbox');

-- The rules of a message, each in one place. Domains check what comes in from elsewhere; publish() asks
-- message_is_valid(), because a domain of a column is prepared again in every transaction, and seven of them took a
-- third of its time.
create function is_topic(p_topic text) returns boolean
language sql immutable parallel safe
return octet_length(p_topic) <= 249 and p_topic collate "C" ~ '^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$';
comment on function is_topic(text) is
    'Whether these are words of ASCII letters, digits, _ and -, joined by dots, up to 249 bytes: what every broker can '
    'take as a name.';
create function is_message_key(p_key text) returns boolean
language sql immutable parallel safe
return octet_length(p_key) >= 1 and octet_length(p_key) <= 255 and p_key collate "C" !~ '[\x01-\x1f\x7f]';
comment on function is_message_key(text) is 'Whether this has 1 to 255 bytes and no control characters.';
create function is_trace(p_traceparent text) returns boolean
language sql immutable parallel safe
return p_traceparent collate "C" ~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$';
comment on function is_trace(text) is
    'Whether this has the form of W3C Trace Context, lower case, for example 00-<32 hex>-<16 hex>-01.';
create function is_media_type(p_type text) returns boolean
language sql immutable parallel safe
-- The usual one first: an expression that matches takes longer than all else that is checked of a message.
return p_type = 'application/json' or octet_length(p_type) <= 255 and p_type collate "C" ~ '^[!-~]([ -~]*[!-~])?$';
comment on function is_media_type(text) is
    'Whether this is printable ASCII without spaces at the ends, 1 to 255 bytes, for example application/json.';
create function is_header_list(p_headers json) returns boolean
language sql immutable strict parallel safe
return octet_length(p_headers::text) <= 20480
   and json_typeof(p_headers) = 'array'
   and json_array_length(p_headers) <= 64
   and not exists (select from json_array_elements(p_headers) as h
                   where json_typeof(h) <> 'array' or json_array_length(h) <> 2
                      or json_typeof(h -> 0) <> 'string' or json_typeof(h -> 1) <> 'string');
comment on function is_header_list(json) is
    'Whether this is a list of headers: [["name","value"], ...], up to 64 of them and 20 KiB of text.';

create function message_is_valid(
    p_topic text, p_key text, p_traceparent text, p_content_type text, p_headers json, p_json json, p_bytes bytea
) returns boolean
language sql immutable parallel safe
return is_topic(p_topic)
   and (p_key is null or is_message_key(p_key))
   and (p_traceparent is null or is_trace(p_traceparent))
   and (p_content_type is null or is_media_type(p_content_type))
   and (p_headers is null or is_header_list(p_headers))
   and case when p_json is null then octet_length(p_bytes) <= 1048576
            else p_bytes is null and octet_length(p_json::text) <= 1048576 end;
comment on function message_is_valid(text, text, text, text, json, json, bytea) is
    'Whether a message keeps every rule and has exactly one payload, of up to 1 MiB. Not true, or null: '
    'refuse_message() says why. The domains have the same rules.';

create function is_random(p_id uuid) returns boolean
language sql immutable parallel safe
return get_byte(uuid_send(p_id), 6) >> 4 = 4;
comment on function is_random(uuid) is 'Whether this is a UUID of version 4, so made at random, and from no name.';

create domain message_topic as text collate "C" constraint message_topic_valid check (is_topic(value));
comment on domain message_topic is 'What a message is about: words joined by dots, see is_topic().';
comment on constraint message_topic_valid on domain message_topic is 'Words joined by dots, up to 249 bytes.';
create domain message_key as text collate "C" constraint message_key_valid check (is_message_key(value));
comment on domain message_key is
    '1 to 255 bytes without control characters. Messages of one key are delivered in order.';
comment on constraint message_key_valid on domain message_key is '1 to 255 bytes without control characters.';
create domain message_trace as text collate "C" constraint message_trace_valid check (is_trace(value));
comment on domain message_trace is 'A traceparent as in W3C Trace Context, for example 00-<32 hex>-<16 hex>-01.';
comment on constraint message_trace_valid on domain message_trace is 'The form of W3C Trace Context, lower case.';
create domain message_uuid as uuid
    constraint message_uuid_valid check (value <> '00000000-0000-0000-0000-000000000000');
comment on domain message_uuid is
    'The identity of a message: any UUID but the nil one, which a field holds that was never filled in: two messages '
    'that carry it would count as one.';
comment on constraint message_uuid_valid on domain message_uuid is 'Not the nil UUID.';
create domain media_type as text collate "C" constraint media_type_valid check (is_media_type(value));
comment on domain media_type is 'For example application/json. Printable ASCII, 1 to 255 bytes.';
comment on constraint media_type_valid on domain media_type is
    'Printable ASCII without spaces at the ends, 1 to 255 bytes.';
create domain message_json as json
    constraint message_json_size check (octet_length(value::text) <= 1048576);
comment on domain message_json is 'A JSON text of up to 1 MiB, kept byte for byte.';
comment on constraint message_json_size on domain message_json is 'Up to 1 MiB.';
create domain message_bytes as bytea
    constraint message_bytes_size check (octet_length(value) <= 1048576);
comment on domain message_bytes is 'Up to 1 MiB of anything.';
comment on constraint message_bytes_size on domain message_bytes is 'Up to 1 MiB.';
create domain header_list as json
    constraint header_list_valid check (is_header_list(value));
comment on domain header_list is 'Headers: [["name","value"], ...], up to 64 of them and 20 KiB of text.';
comment on constraint header_list_valid on domain header_list is 'A list of pairs of strings.';

-- CACHE 1 is essential: with a cache, a session would hand out numbers that it drew before it had a transaction id, and
-- readers rely on the opposite (see outbox.id).
-- From 0, as if 0 had been drawn: last_value is then the newest place that was given out, from the first message on.
create sequence outbox_id_seq as bigint minvalue 0 start 0 cache 1;
comment on sequence outbox_id_seq is 'Places in the log. Its cache must stay 1: readers rely on it.';
do $$ begin
    perform setval('outbox_id_seq', 0);
end $$;

create table outbox (
    -- Plain types: publish(), publish_many() and release_due() are all that writes here, and the rules were checked.
    -- These two in this order: writers take the id of their transaction before they draw a place (prepare_to_draw()),
    -- and where one forgets it, defaults are evaluated from left to right.
    txid          xid8          not null default pg_current_xact_id(),
    id            bigint        not null default nextval('outbox_id_seq'),
    published_at  timestamptz   not null default clock_timestamp(),
    message_id    uuid          not null default gen_random_uuid(),
    given_id      uuid,
    service       text          collate "C" not null,
    bucket        smallint      not null,
    topic         text          collate "C" not null,
    key           text          collate "C",
    traceparent   text          collate "C",
    content_type  text          collate "C",
    headers       json,
    payload_json  json,
    payload_bytes bytea
) partition by list (((id >> 20) & 7));
comment on table outbox is
    'The log of staged messages. A row is there if and only if the transaction that staged it committed; it is never '
    'updated. Subscriptions read it in the order of id. Slots of the ring that every subscription has passed are '
    'emptied by trim_outbox().';
comment on column outbox.txid is 'The transaction that staged it; decides in which batch of a reader it belongs.';
comment on column outbox.id is
    'Place in the log, nothing more: after a failover that lost commits, numbers come again. Drawn after txid.';
comment on column outbox.published_at is
    'When it was staged (clock of the database), before its transaction committed.';
comment on column outbox.message_id is
    'Identity of the message, unique over all services. It never changes; receivers detect repeats by it. Made by the '
    'library, or by message_id_of() from the service and given_id.';
comment on column outbox.given_id is 'The id that the application gave; null: it gave none.';
comment on column outbox.service is 'The service that staged it; see current_service().';
comment on column outbox.bucket is
    '0 to 1023, from the key, or from the message id where there is no key. A sliced subscription divides by it.';
comment on column outbox.topic is 'What it is about, for example orders.placed.';
comment on column outbox.key is
    'Messages of one key are delivered in the order in which their transactions wrote. Null: in any order.';
comment on column outbox.traceparent is 'W3C Trace Context of the request that caused it.';
comment on column outbox.content_type is 'Media type of the payload.';
comment on column outbox.headers is 'Headers, as [["name","value"], ...].';
comment on column outbox.payload_json is 'Payload, when it is JSON: the exact text.';
comment on column outbox.payload_bytes is 'Payload, when it is anything else. Exactly one of the two is set.';

-- Insert-only: a table is emptied by TRUNCATE, so vacuum has nothing to collect. ANALYZE stays on.
-- It has no primary key, since its partitions are chosen by an expression. A publication FOR ALL TABLES would refuse
-- the DELETE of trim_outbox() and the UPDATE of rebase() without a replica identity. It costs nothing without such a
-- publication.
alter table outbox replica identity full;
for slot in 0 .. 7 loop
    execute format('create table outbox_%s partition of outbox for values in (%s) '
                   'with (autovacuum_vacuum_insert_threshold = -1)', slot, slot);
    execute format('alter table outbox_%s replica identity full', slot);
    execute format('comment on table outbox_%s is %L', slot,
                   format('Slot %s of the ring: the messages whose id has %s in its bits 20 to 22.', slot, slot));
end loop;

create index outbox_id_idx on outbox (id);
comment on index outbox_id_idx is 'Readers follow the log by it.';
create index outbox_txid_idx on outbox (txid, id);
comment on index outbox_txid_idx is 'Finds what a transaction staged that committed after later ones had been read.';

create table outbox_identity (
    service      text        collate "C" not null,
    message_id   uuid        not null,
    digest       bytea       not null,
    published_at timestamptz not null default clock_timestamp(),
    constraint outbox_identity_pkey primary key (service, message_id),
    constraint outbox_identity_digest_valid check (octet_length(digest) = 32)
);
comment on table outbox_identity is
    'Message ids that applications gave themselves: staging the same message again stages nothing. trim_outbox() '
    'removes what is older than 60 days: twice as long as an inbox remembers, so that an id which is free again here '
    'is forgotten there.';
comment on column outbox_identity.service is 'The service that staged it.';
comment on column outbox_identity.message_id is 'The id that the application gave: given_id of the message.';
comment on column outbox_identity.digest is
    'SHA-256 of topic, key, headers and payload: the same id must mean the same message.';
comment on column outbox_identity.published_at is
    'When it was staged first; of a scheduled message, when it is due. Its age counts from then.';
comment on constraint outbox_identity_pkey on outbox_identity is 'The guard: one message per id.';
comment on constraint outbox_identity_digest_valid on outbox_identity is 'SHA-256 has 32 bytes.';
create index outbox_identity_age_idx on outbox_identity (published_at);
comment on index outbox_identity_age_idx is 'Lets trim_outbox() find what is old.';

create function message_digest(
    p_topic text, p_key text, p_content_type text, p_headers json, p_json json, p_bytes bytea
) returns bytea
language sql immutable parallel safe
return sha256(
    convert_to(concat(octet_length(p_topic), ':', p_topic,
                      coalesce(octet_length(p_key), -1), ':', p_key,
                      coalesce(octet_length(p_content_type), -1), ':', p_content_type,
                      coalesce(octet_length(p_headers::text), -1), ':', p_headers::text,
                      case when p_json is null then 'bytes:' else 'json:' end), 'UTF8')
    || coalesce(p_bytes, convert_to(p_json::text, 'UTF8')));
comment on function message_digest(text, text, text, json, json, bytea) is
    'SHA-256 of what makes two messages the same; each part has its length in front.';

create function take_identity(p_service text, p_message_id uuid, p_digest bytea,
    p_due_at timestamptz default null) returns boolean
language plpgsql
as $$
declare
    v_digest bytea;
begin
    loop
        insert into outbox_identity (service, message_id, digest, published_at)
        values (p_service, p_message_id, p_digest, greatest(clock_timestamp(), p_due_at))
        on conflict (service, message_id) do nothing;
        if found then
            return true;
        end if;
        select digest into v_digest from outbox_identity where service = p_service and message_id = p_message_id;
        exit when found; -- else trim_outbox() was faster
    end loop;
    if v_digest <> p_digest then
        raise exception 'message id % was published before with other content', p_message_id
            using errcode = 'ON050', hint = 'an id names one message forever; give another message another id';
    end if;
    return false;
end $$;
comment on function take_identity(text, uuid, bytea, timestamptz) is
    'Whether this id is new; false when the same message was staged before, ON050 when it was another one. Waits for a '
    'transaction that stages the same id.';

-- Version 8 and not 5: SHA-256 is in the core of PostgreSQL and in this library, SHA-1 in neither.
create function name_uuid(p_namespace uuid, p_name text) returns uuid
language plpgsql immutable strict parallel safe
as $$
declare
    v_hash constant bytea := substr(sha256(uuid_send(p_namespace) || convert_to(p_name, 'UTF8')), 1, 16);
begin
    return encode(set_byte(set_byte(v_hash, 6, get_byte(v_hash, 6) & 15 | 128), 8, get_byte(v_hash, 8) & 63 | 128),
        'hex')::uuid;
end $$;
comment on function name_uuid(uuid, text) is
    'The UUID of version 8 of a name within a namespace: SHA-256 of both, as in RFC 9562, appendix B.2.';

create function message_id_from_name(p_source text, p_name text) returns uuid
language plpgsql immutable parallel safe security definer set search_path from current
as $$
begin
    if (octet_length(p_source) between 1 and 255 and octet_length(p_name) between 1 and 4096) is not true then
        raise exception 'source must have 1 to 255 bytes, name 1 to 4096'
            using errcode = '22023', hint = 'a message without an id is for a person to look at; never make one up';
    end if;
    return name_uuid(name_uuid('007b1b20-ccbb-416c-b52b-e844fd500d44', p_source), p_name);
end $$;
comment on function message_id_from_name(text, text) is
    'A message id for receive() and publish() from a text that identifies the message at its source, for example '
    '(''stripe'', ''evt_1PqJ''). The same source and name give the same id, here and in message_id::from_name() of '
    'the C++ library.';

-- A UUID has 36 characters, so that no two pairs make the same name.
create function bound_message_id(p_service text, p_given uuid) returns uuid
language plpgsql immutable strict parallel safe
as $$
begin
    return name_uuid('11470674-fa83-417d-9549-3f0d78c7dc4c', p_given::text || p_service);
end $$;
comment on function bound_message_id(text, uuid) is
    'The identity of the message to which this service gave this id: two services that give the same one send two '
    'messages.';

create function message_id_of(p_given_id uuid) returns uuid
language plpgsql stable security definer set search_path from current
as $$
begin
    return bound_message_id(service_of_session(), p_given_id);
end $$;
comment on function message_id_of(uuid) is
    'Under which id a message travels to which this service gave p_given_id: what receivers see, and '
    'outbox.message_id.';

-- In one place, because a scheduled message of a key must land in the slice of the published ones.
create function bucket_of(p_key text, p_message_id uuid) returns smallint
language sql immutable parallel safe
return (hashtextextended(coalesce(p_key, p_message_id::text) collate "C", 0) & 1023)::smallint;
comment on function bucket_of(text, uuid) is
    'The bucket of a message, 0 to 1023: that of its key, or of its id where it has no key.';

create function media_type_of(p_given text, p_json json) returns text
language sql immutable parallel safe
return coalesce(p_given, case when p_json is not null then 'application/json' end);
comment on function media_type_of(text, json) is
    'The media type of a payload: what was given, and application/json where that is nothing and the payload is JSON.';

-- octet_length() of bytea, and pg_column_size(), look at the header of a value only. Of compressed JSON only all of it
-- says how long it is.
create function delivery_size(p_json json, p_bytes bytea, p_headers json) returns bigint
language sql stable
return coalesce(octet_length(p_bytes),
                case when pg_column_compression(p_json) is null then pg_column_size(p_json)
                    else octet_length(p_json::text) end, 0)
       + coalesce(pg_column_size(p_headers), 0);
comment on function delivery_size(json, bytea, json) is
    'How many bytes of payload and headers a message brings to a reader, nearly.';

create function refuse_message(
    p_topic text, p_key text, p_traceparent text, p_content_type text, p_headers json, p_json json, p_bytes bytea,
    p_place bigint default null
) returns smallint
language plpgsql immutable set search_path from current
as $$
begin
    if p_topic is null or num_nonnulls(p_json, p_bytes) <> 1 then
        raise exception '%', coalesce('message ' || p_place || ': ', '') ||
            case when p_topic is null then 'the topic is null'
                 when p_json is null then 'it has no payload: give p_json or p_bytes'
                 else 'it has two payloads: give p_json or p_bytes' end
            using errcode = '22023';
    end if;
    -- The error of a domain names the rule, and no value.
    perform p_topic::message_topic, p_key::message_key, p_traceparent::message_trace, p_content_type::media_type,
            p_headers::header_list, p_json::message_json, p_bytes::message_bytes;
    raise exception '%p_fresh says that its id was just made, but that is not of version 4',
        coalesce('message ' || p_place || ': ', '') using errcode = '22023';
end $$;
comment on function refuse_message(text, text, text, text, json, json, bytea, bigint) is
    'Says what is wrong with a message (p_place in arrays), with an error that shows nothing of it: what a constraint '
    'of the table says would print the whole row, with its payload, into the log.';

create function require_lengths(p_first text, p_length integer, p_others text[], p_lengths integer[]) returns void
language plpgsql immutable set search_path from current
as $$
begin
    if p_length is null then
        raise exception '% is null', p_first using errcode = '22023', hint = 'an empty array means none';
    end if;
    for i in 1 .. cardinality(p_others) loop
        if p_lengths[i] <> p_length then
            raise exception '% has % elements, % has %: they must be as many, or the array null', p_others[i],
                p_lengths[i], p_first, p_length
                using errcode = '22023';
        end if;
    end loop;
end $$;
comment on function require_lengths(text, integer, text[], integer[]) is
    'Of functions that take arrays side by side: raises 22023 naming the first one that is not null and not as long '
    'as p_first.';

perform end_migration();
end $file$;
