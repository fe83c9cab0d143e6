-- 0009 scheduled_message: messages that become due later.
--
-- Apply: into the schema that holds 0008.
-- Locks: creates new objects only.
-- Reverse: 0009_scheduled_message.down.sql

do $file$ begin
perform begin_migration('0009_scheduled_message');

create table scheduled_message (
    service       text          collate "C" not null,
    message_id    message_uuid  not null,
    given_id      message_uuid,
    due_at        timestamptz   not null,
    scheduled_at  timestamptz   not null default clock_timestamp(),
    topic         message_topic not null,
    key           message_key,
    traceparent   message_trace,
    content_type  media_type,
    headers       header_list,
    payload_json  message_json,
    payload_bytes message_bytes,
    constraint scheduled_message_pkey primary key (service, message_id),
    constraint scheduled_message_one_payload check (num_nonnulls(payload_json, payload_bytes) = 1),
    constraint scheduled_message_due_valid check (due_at between '1970-01-01 00:00+00' and '9999-12-31 00:00+00')
);
comment on table scheduled_message is
    'Messages that are to be delivered later. release_due() moves them to the outbox when their time has come; readers '
    'call it.';
comment on column scheduled_message.service is 'The service that scheduled it.';
comment on column scheduled_message.message_id is 'Identity of the message.';
comment on column scheduled_message.given_id is 'The id that the application gave, if it gave one.';
comment on column scheduled_message.due_at is 'Not before this time.';
comment on column scheduled_message.scheduled_at is 'When it was scheduled.';
comment on column scheduled_message.topic is 'As in the outbox.';
comment on column scheduled_message.key is
    'As in the outbox. Messages that a service schedules for one key are released in the order of due_at, then '
    'scheduled_at.';
comment on column scheduled_message.traceparent is 'As in the outbox.';
comment on column scheduled_message.content_type is 'As in the outbox.';
comment on column scheduled_message.headers is 'As in the outbox.';
comment on column scheduled_message.payload_json is 'As in the outbox.';
comment on column scheduled_message.payload_bytes is 'As in the outbox.';
comment on constraint scheduled_message_pkey on scheduled_message is 'A message is scheduled once.';
comment on constraint scheduled_message_one_payload on scheduled_message is 'A message has exactly one payload.';
comment on constraint scheduled_message_due_valid on scheduled_message is 'A year from 1970 to 9999; never infinity.';
create index scheduled_message_due_idx on scheduled_message (due_at, scheduled_at);
comment on index scheduled_message_due_idx is 'Finds what is due, in the order of release, and when the next one is.';

create function schedule(
    p_due_at       timestamptz,
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
    v_id    uuid;
    v_given uuid;
begin
    if (p_due_at between '1970-01-01 00:00+00' and '9999-12-31 00:00+00') is not true then
        raise exception 'p_due_at must be a time between the years 1970 and 9999' using errcode = '22023';
    end if;
    v_id := new_message(p_topic, p_key, p_json, p_bytes, p_content_type, p_headers, p_traceparent, p_message_id,
                        p_fresh, p_due_at);
    if v_id is null then
        return p_message_id;
    elsif p_fresh is not true then
        v_given := p_message_id;
    end if;
    insert into scheduled_message (service, message_id, given_id, due_at, topic, key, traceparent, content_type,
        headers, payload_json, payload_bytes)
    values (service_of_session(), v_id, v_given, p_due_at, p_topic, p_key, p_traceparent,
            media_type_of(p_content_type, p_json), p_headers, p_json, p_bytes);
    -- A reader sleeps until the next one is due, and this may be earlier. It looks after it has said that it sleeps.
    if reader_sleeps() then
        perform notify_readers();
    end if;
    return coalesce(v_given, v_id);
end $$;
comment on function schedule(timestamptz, text, text, json, bytea, text, json, text, uuid, boolean) is
    'publish() for a time in the future: the message becomes visible to readers at p_due_at, if this transaction '
    'commits. The same message again changes nothing, its time neither: cancel_scheduled() it first.';

create function cancel_scheduled(p_message_id uuid) returns boolean
language plpgsql security definer set search_path from current set enable_seqscan = off
as $$
declare
    v_service constant text := service_of_session();
begin
    delete from scheduled_message where service = v_service and message_id = bound_message_id(v_service, p_message_id);
    if found then
        -- It was never sent, so it may be scheduled again, for another time.
        delete from outbox_identity where service = v_service and message_id = p_message_id;
        return true;
    end if;
    delete from scheduled_message where service = v_service and message_id = p_message_id and given_id is null;
    return found;
end $$;
comment on function cancel_scheduled(uuid) is
    'Takes a scheduled message back, by the id that schedule() returned, when this transaction commits: as if it had '
    'never been scheduled. False: it is in the outbox already, or never was.';

create function move_due(p_limit integer, p_first timestamptz, p_now timestamptz) returns integer
language plpgsql set search_path from current
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set jit = off
as $$
declare
    v_released integer;
begin
        perform prepare_to_draw();
        -- Several readers share the work, and none waits for another (SKIP LOCKED). What another transaction has
        -- locked, it may be releasing or taking back: what is due after that, of the same service and key, is left for
        -- later. So of each key one transaction releases at a time, from the first one on.
        with mine as materialized (
            select ctid as place, service, key, due_at, scheduled_at from scheduled_message
            where due_at between p_first and p_now
            order by due_at, scheduled_at limit p_limit for update skip locked
        ), held as materialized (
            select m.service, m.key, m.due_at, m.scheduled_at from scheduled_message as m
            where m.due_at >= p_first and m.key is not null
              and (m.due_at, m.scheduled_at) <= ((select max(due_at) from mine), (select max(scheduled_at) from mine
                  where due_at = (select max(due_at) from mine)))
              and not exists (select from mine where mine.place = m.ctid)
        ), due as (
            delete from scheduled_message
            where ctid = any (array(select i.place from mine as i
                                    where not exists (select from held as h where h.service = i.service
                                        and h.key = i.key
                                                      and (h.due_at, h.scheduled_at) <= (i.due_at, i.scheduled_at))))
            returning *
        )
        insert into outbox (service, message_id, given_id, bucket, topic, key, traceparent, content_type, headers,
            payload_json, payload_bytes)
        select service, message_id, given_id, bucket_of(key, message_id),
               topic, key, traceparent, content_type, headers, payload_json, payload_bytes
        from due order by due_at, scheduled_at;
        get diagnostics v_released = row_count;
        if v_released > 0 and reader_sleeps() then
            perform notify_readers();
        end if;
    -- Messages of others are held up until we commit: by a process that stops here, for 10 seconds at most.
    if current_setting('idle_in_transaction_session_timeout')::interval
       not between interval '1 millisecond' and interval '10 seconds' then
        perform set_config('idle_in_transaction_session_timeout', '10s', true);
    end if;
    return v_released;
end $$;
comment on function move_due(integer, timestamptz, timestamptz) is
    'Moves up to p_limit messages that are due by p_now, the first of them at p_first, to the outbox; says how many.';

create function look_for_due(p_read bigint, p_from timestamptz, p_first timestamptz) returns timestamptz
language plpgsql set search_path from current
as $$
begin
    if p_read is null then
        return look_from('release_due', '');
    end if;
    perform keep_look('release_due', '', p_from, p_first, p_read);
    return p_from;
end $$;
comment on function look_for_due(bigint, timestamptz, timestamptz) is
    'look_from() for release_due(), and where p_read is given, keep_look().';

-- Readers call it every 40 milliseconds, and nearly always nothing is due: so it names the schema of everything instead
-- of setting a search_path.
execute replace($functions$

create function {schema}.release_due(
    p_limit integer default 1000, p_now timestamptz default null,
    out released integer, out next_due_in interval
)
language plpgsql security definer set enable_seqscan = off set enable_sort = off set jit = off
as $$
declare
    v_now   constant timestamp with time zone := coalesce({schema}.time_given(p_now), pg_catalog.clock_timestamp());
    v_from  timestamp with time zone := '-infinity';
    v_read  bigint;
    v_first timestamp with time zone;
begin
    if (p_limit operator(pg_catalog.>=) 1 and p_limit operator(pg_catalog.<=) 10000) is not true then
        raise exception 'limit must be between 1 and 10000' using errcode = '22023';
    end if;
    released := 0;
    if pg_catalog.length(pg_catalog.current_setting('once.look_release_due', true)) operator(pg_catalog.>) 0 then
        v_from := {schema}.look_for_due(null, null, null);
    end if;
    -- A look first, because a caller that releases nothing should not need a transaction id.
    select m.due_at into v_first from {schema}.scheduled_message as m
    where m.due_at operator(pg_catalog.>=) v_from order by m.due_at limit 1;
    v_read := pg_catalog.pg_stat_get_xact_tuples_returned('{schema}.scheduled_message_due_idx'::pg_catalog.regclass);
    if v_from operator(pg_catalog.>) '-infinity' or v_read operator(pg_catalog.>) 1000 then
        v_from := {schema}.look_for_due(v_read, v_from, least(v_first, v_now));
    end if;
    if v_first operator(pg_catalog.<=) v_now then
        released := {schema}.move_due(p_limit, v_first, v_now);
        select m.due_at into v_first from {schema}.scheduled_message as m
        where m.due_at operator(pg_catalog.>=) v_first order by m.due_at limit 1;
    end if;
    if v_first is not null then
        next_due_in := greatest(v_first operator(pg_catalog.-) v_now, interval '0');
        if released operator(pg_catalog.=) 0 and next_due_in operator(pg_catalog.=) interval '0' then
            next_due_in := interval '20 milliseconds'; -- another transaction is at it
        end if;
    end if;
end $$;
comment on function {schema}.release_due(integer, timestamptz) is
    'Moves up to p_limit (10000) due messages of all services to the outbox; says how many, and in what time to '
    'look again (null: none is scheduled). Of one service and key in the order of due_at, then '
    'scheduled_at, also when several readers call it at the same time. Call it in a separate transaction.';

$functions$, '{schema}', quote_ident(current_schema()));

perform end_migration();
end $file$;
