-- 0014 inbox: messages that took effect, so that a redelivery does not take effect again.
--
-- Apply: into the schema that holds 0013.
-- Locks: creates new objects only.
-- Reverse: 0014_inbox.down.sql

do $file$ begin
perform begin_migration('0014_inbox');

create type receipt as enum ('fresh', 'seen', 'altered', 'too_old', 'in_progress');
comment on type receipt is
    'What the inbox says of a delivery. fresh: it is new, so do the work and commit. seen: it took effect before, so '
    'acknowledge it. altered: its id took effect with other bytes; nothing happens now, and the alarm is kept in the '
    'row when the transaction commits. too_old: it was sent before the time that the inbox remembers, so it cannot be '
    'known whether it took effect; put it aside for a person. in_progress: another transaction works on it.';

create table inbox (
    service             text         collate "C" not null,
    consumer            key_text     not null,
    message_id          message_uuid not null,
    received_by         text         not null,
    received_at         timestamptz  not null,
    expires_at          timestamptz  not null,
    fingerprint         sha256_digest,
    altered_times       integer      not null default 0,
    altered_at          timestamptz,
    altered_fingerprint sha256_digest,
    -- The guard: of all deliveries of one message only one can insert, whatever the isolation level.
    constraint inbox_pkey primary key (message_id, consumer, service)
)
with (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_scale_factor = 0.02);
comment on table inbox is
    'One row per message that took effect at one consumer. A row becomes visible when the transaction that worked on '
    'the message commits; a redelivery finds it and does nothing.';
comment on column inbox.service is 'The service that received it; see current_service().';
comment on column inbox.consumer is
    'Who works on the message within the service: each consumer sees each message once. Printable ASCII, 1 to 255 '
    'bytes.';
comment on column inbox.message_id is 'The id that the sender gave the message; the same at every delivery.';
comment on column inbox.received_by is 'application_name of the session, or its role where none is set.';
comment on column inbox.received_at is 'When it took effect (clock of the database).';
comment on column inbox.expires_at is
    'From then on purge_inbox() removes the row. Until it is removed, a redelivery is still recognised.';
comment on column inbox.fingerprint is
    'SHA-256 of the message as it took effect; null when the consumer gives none, so that only the id decides.';
comment on column inbox.altered_times is 'How many deliveries came with this id and other bytes. They took no effect.';
comment on column inbox.altered_at is 'When the last of them came.';
comment on column inbox.altered_fingerprint is 'The SHA-256 of the last of them.';
comment on constraint inbox_pkey on inbox is
    'The guard against a second effect. Never drop it, never make it deferrable.';

create index inbox_expiry_idx on inbox (expires_at);
comment on index inbox_expiry_idx is 'Lets purge_inbox() find what has expired without reading the rest.';

-- More than 80 lines: as receive(), for arrays, in the order of the ids.
create function receive_many(
    p_consumer     text,
    p_message_ids  uuid[],
    p_fingerprints bytea[]       default null,
    p_sent_at      timestamptz[] default null,
    p_retention    interval      default interval '30 days',
    p_wait         interval      default interval '2 seconds',
    p_now          timestamptz   default null
) returns table (place integer, id uuid, outcome receipt)
-- This SET ends with the function and takes set_config() below with it: the caller's lock_timeout is left as it was.
language plpgsql security definer set search_path from current set lock_timeout = '2s' set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_service        constant text := service_of_session();
    v_timeout        text;
    v_now            timestamptz := coalesce(time_given(p_now), clock_timestamp());
    v_oldest         timestamptz;
    v_fresh          uuid[] := '{}';
    v_inserted       uuid[];
    v_outcomes       receipt[];
    v_alarm          record;
begin
    if (p_retention between interval '1 second' and interval '3660 days'
        and p_wait between interval '0' and interval '1 hour' and p_consumer is not null) is not true then
        raise exception
            'retention must be between 1 second and 3660 days, wait between 0 and 1 hour, the consumer not null'
            using errcode = '22023';
    end if;
    if p_message_ids is null or cardinality(p_message_ids) > 10000
        or array_position(p_message_ids, null) is not null then
        raise exception 'message ids must be an array of up to 10000 ids, none of them null'
            using errcode = '22023', hint = 'a message without an id is for a person to look at; never make one up';
    end if;
    perform require_lengths('p_message_ids', cardinality(p_message_ids), array['p_fingerprints', 'p_sent_at'],
                            array[cardinality(p_fingerprints), cardinality(p_sent_at)]);
    if exists (select from unnest(p_sent_at) as sent_at where not isfinite(sent_at)) then
        raise exception 'times of sending must be finite' using errcode = '22023';
    end if;
    v_oldest := v_now - p_retention;
    v_timeout := set_config('lock_timeout', greatest(1, extract(epoch from p_wait) * 1000)::bigint::text, true);

    for v_round in 1 .. 10 loop
        -- In the order of the ids, so that two batches wait in one direction only. Of equal ids the first one counts.
        with fresh as (
            insert into inbox (service, consumer, message_id, received_by, received_at, expires_at, fingerprint)
            select v_service, p_consumer, m.id, coalesce(nullif(current_setting('application_name'), ''), session_user),
                   v_now, v_now + p_retention, m.fingerprint
            from (select distinct on (u.id) u.id, u.fingerprint
                  from unnest(p_message_ids, p_fingerprints, p_sent_at) with ordinality as u (id, fingerprint,
                      sent_at, n)
                  -- A message that is older than the retention may have been received and purged: it is not new.
                  where (u.sent_at <= v_oldest) is not true
                  order by u.id, u.n) as m
            order by m.id
            on conflict (service, consumer, message_id) do nothing
            returning inbox.message_id
        )
        select array_agg(message_id) into v_inserted from fresh;
        v_fresh := v_fresh || v_inserted;

        -- A separate statement: only a new snapshot is sure to show the rows that the insert met.
        -- (LIMIT keeps one lookup by the key for each message, whatever the planner believes about the table.)
        exit when not exists (
            select from unnest(p_message_ids, p_sent_at) as u (id, sent_at)
            where (u.sent_at <= v_oldest) is not true
              and (select true from inbox as i
                   where i.service = v_service and i.consumer = p_consumer and i.message_id = u.id limit 1) is null);
        -- Purged in between: try again.
    end loop;

    select array_agg(w.outcome order by w.n) into v_outcomes
    from (select u.n,
                 case when i.message_id is null then 'too_old'::receipt
                      when i.fingerprint <> u.fingerprint then 'altered'
                      when f.id is not null and u.nth = 1 then 'fresh'
                      else 'seen' end as outcome
          from (select id, fingerprint, n, row_number() over (partition by id order by n) as nth
                from unnest(p_message_ids, p_fingerprints) with ordinality as m (id, fingerprint, n)) as u
          left join lateral (
              select k.message_id, k.fingerprint from inbox as k
              where k.service = v_service and k.consumer = p_consumer and k.message_id = u.id limit 1) as i on true
          left join unnest(v_fresh) as f (id) on f.id = u.id) as w;

    if 'altered' = any (v_outcomes) then
        -- Each by its key, in the order of the ids, as above. Such an alarm is rare.
        for v_alarm in
            select u.id, count(*) as times, (array_agg(u.fingerprint order by u.n desc))[1] as last
            from unnest(p_message_ids, p_fingerprints, v_outcomes) with ordinality as u (id, fingerprint, outcome, n)
            where u.outcome = 'altered'
            group by u.id
            order by u.id
        loop
            update inbox
            set altered_times = altered_times + v_alarm.times, altered_at = coalesce(time_given(p_now),
                clock_timestamp()),
                altered_fingerprint = v_alarm.last
            where service = v_service and consumer = p_consumer and message_id = v_alarm.id;
        end loop;
    end if;
    return query
    select u.n::integer, u.id, u.outcome
    from unnest(p_message_ids, v_outcomes) with ordinality as u (id, outcome, n)
    order by u.n;
end $$;
comment on function receive_many(text, uuid[], bytea[], timestamptz[], interval, interval, timestamptz) is
    'receive() for many messages in one statement: one row for each place of p_message_ids (from 1), in that order. '
    'outcome: fresh, seen, altered or too_old. Of an id that is in the batch twice only the first is fresh. Ids are '
    'taken in their order, so two batches never wait for each other in a circle; take one batch per transaction. A '
    'wait for another transaction beyond p_wait raises 55P03. Up to 10000 ids.';

create function new_ones(
    p_consumer    text,
    p_message_ids uuid[],
    p_retention   interval default interval '30 days',
    p_wait        interval default interval '2 seconds'
) returns setof uuid
language plpgsql security definer set search_path from current
as $$
begin
    return query
    select r.id from receive_many(p_consumer, p_message_ids, null, null, p_retention, p_wait) as r
    where r.outcome = 'fresh';
end $$;
comment on function new_ones(text, uuid[], interval, interval) is
    'receive_many() by the ids alone: gives back those that are new, in the order given, each once.';

create function receive(
    p_consumer    text,
    p_message_id  uuid,
    p_fingerprint bytea       default null,
    p_sent_at     timestamptz default null,
    p_retention   interval    default interval '30 days',
    p_wait        interval    default interval '2 seconds',
    p_now         timestamptz default null
) returns receipt
-- This SET ends with the function and takes set_config() below with it: the caller's lock_timeout is left as it was.
language plpgsql security definer set search_path from current set lock_timeout = '2s' set enable_seqscan = off
as $$
declare
    v_service constant text := service_of_session();
    v_timeout text;
    v_now     constant timestamptz := coalesce(time_given(p_now), clock_timestamp());
    v_known   inbox;
begin
    if (p_retention between interval '1 second' and interval '3660 days'
        and p_wait between interval '0' and interval '1 hour' and p_consumer is not null
            and p_message_id is not null) is not true then
        raise exception
            'retention must be between 1 second and 3660 days, wait between 0 and 1 hour, consumer and id not null'
            using errcode = '22023', hint = 'a message without an id is for a person to look at; never make one up';
    end if;
    if not isfinite(p_sent_at) then
        raise exception 'the time of sending must be finite' using errcode = '22023';
    end if;
    v_timeout := set_config('lock_timeout', greatest(1, extract(epoch from p_wait) * 1000)::bigint::text, true);

    for v_round in 1 .. 10 loop
        -- A message that is older than the retention may have been received and purged: it is not new.
        if (p_sent_at <= v_now - p_retention) is not true then
            -- Waits here for a transaction that works on the same message; then one of us inserts.
            insert into inbox (service, consumer, message_id, received_by, received_at, expires_at, fingerprint)
            values (v_service, p_consumer, p_message_id,
                    coalesce(nullif(current_setting('application_name'), ''), session_user),
                    v_now, v_now + p_retention, p_fingerprint)
            on conflict (service, consumer, message_id) do nothing;
            if found then
                return 'fresh'::receipt;
            end if;
        end if;

        -- A separate statement: only a new snapshot is sure to show the row that the insert met.
        select * into v_known from inbox
        where service = v_service and consumer = p_consumer and message_id = p_message_id;
        exit when found;
        if p_sent_at <= v_now - p_retention then
            return 'too_old'::receipt;
        end if;
        -- Purged in between: try again.
    end loop;

    if v_known.fingerprint <> p_fingerprint then
        update inbox
        set altered_times = altered_times + 1, altered_at = coalesce(time_given(p_now), clock_timestamp()),
            altered_fingerprint = p_fingerprint
        where service = v_service and consumer = p_consumer and message_id = p_message_id;
        return 'altered'::receipt;
    end if;
    return 'seen'::receipt;
exception when lock_not_available then
    return 'in_progress'::receipt;
end $$;
comment on function receive(text, uuid, bytea, timestamptz, interval, interval, timestamptz) is
    'Takes a message into the inbox of a consumer, in the transaction that works on it. fresh: do the work and commit. '
    'seen: it took effect before, acknowledge it. altered: the id took effect with other bytes; nothing more happens, '
    'the alarm is kept in the row when you commit. too_old: p_sent_at is longer ago than p_retention, so it cannot be '
    'known whether it took effect; put it aside for a person. in_progress: another transaction works on it for longer '
    'than p_wait. p_fingerprint: SHA-256 of the message; null compares ids only. p_retention: 1 second to 3660 days, '
    'longer than any sender redelivers. p_now is for tests.';

create function purge_inbox(p_limit integer default 1000, p_now timestamptz default null) returns integer
language plpgsql security definer set search_path from current
as $$
begin
    return remove_expired('inbox', 'inbox_expiry_idx', 'expires_at', p_limit, p_now);
end $$;
comment on function purge_inbox(integer, timestamptz) is
    'Removes up to p_limit expired messages, the oldest first, of all services, and returns how many. Call it again '
    'until it returns less than p_limit. For operators: p_now can purge early.';

create view inbox_alarm as
select service, consumer, message_id, received_by, received_at, altered_times, altered_at,
       left(encode(fingerprint, 'hex'), 16) as fingerprint,
       left(encode(altered_fingerprint, 'hex'), 16) as altered_fingerprint
from inbox
where altered_at is not null;
comment on view inbox_alarm is
    'Messages whose id came again with other bytes. One of the two took effect; a person has to find out what the '
    'other one was. A sender that reuses ids loses messages.';
comment on column inbox_alarm.service is 'The service that received it.';
comment on column inbox_alarm.consumer is 'Who worked on it.';
comment on column inbox_alarm.message_id is 'The id that came with different bytes.';
comment on column inbox_alarm.received_by is 'Whose session took the first one in.';
comment on column inbox_alarm.received_at is 'When the first one took effect.';
comment on column inbox_alarm.altered_times is 'How many deliveries came with other bytes.';
comment on column inbox_alarm.altered_at is 'When the last of them came.';
comment on column inbox_alarm.fingerprint is 'First 16 hex digits of the SHA-256 of what took effect.';
comment on column inbox_alarm.altered_fingerprint is
    'First 16 hex digits of the SHA-256 of the last delivery that differed.';

perform end_migration();
end $file$;
