-- 0011 next_batch: what a reader is handed, how it acknowledges, and how it sleeps.
-- More than 400 lines: a reader rests on what next_batch() and acknowledge() say together.
--
-- Apply: into the schema that holds 0010.
-- Locks: creates new objects only.
-- Reverse: 0011_next_batch.down.sql

do $file$ begin
perform begin_migration('0011_next_batch');

create type batch as (
    number       bigint,
    messages     integer,
    more         boolean,
    last_id      bigint,
    subscription bigint,
    slice        integer,
    timeline     bigint,
    to_snap      pg_snapshot,
    to_id        bigint,
    newest       bigint,
    session      integer,
    seal         uuid
);
comment on type batch is
    'What next_batch() has handed out, for acknowledge(). It goes back as it came; no field of it is ever null. What '
    'else a position needs stands in the checkpoint before it, which no client names.';
comment on column batch.number is 'Counts the batches of the slice: that of the checkpoint which acknowledge() makes.';
comment on column batch.messages is 'How many messages it has.';
comment on column batch.more is 'Whether it was cut short, by p_limit or p_bytes, so that there may be more behind it.';
comment on column batch.last_id is 'The id of its last message; 0 when it is empty.';
comment on column batch.subscription is 'The incarnation() of its subscription.';
comment on column batch.slice is 'The slice.';
comment on column batch.timeline is
    'The timeline of the server that it was read on. After a failover the same ids and transaction ids mean something '
    'else.';
comment on column batch.to_snap is 'See checkpoint.to_snap.';
comment on column batch.to_id is 'See checkpoint.to_id.';
comment on column batch.newest is 'The newest id when it was read.';
comment on column batch.session is
    'The server process that read it: only there is newest known to be a bound, see checkpoint.bound.';
comment on column batch.seal is
    'A keyed digest of all other fields: so nobody but next_batch() makes a batch, or changes one.';

create table batch_seal (
    only_row boolean not null default true,
    secret   bytea   not null,
    constraint batch_seal_pkey primary key (only_row),
    constraint batch_seal_only_row check (only_row),
    constraint batch_seal_secret_long check (octet_length(secret) = 32)
);
comment on table batch_seal is
    'One row: the secret that batches are sealed with. Granted to nobody. Another secret only makes readers read their '
    'batch again.';
comment on column batch_seal.only_row is 'Always true: there is one row.';
comment on column batch_seal.secret is 'Made at random when the schema was installed.';
comment on constraint batch_seal_pkey on batch_seal is 'One row.';
comment on constraint batch_seal_only_row on batch_seal is 'One row.';
comment on constraint batch_seal_secret_long on batch_seal is '32 bytes.';
-- 244 bits by chance, of the server's strong random numbers.
insert into batch_seal (secret) values (sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

create function sealed(p_batch batch) returns batch
language plpgsql stable
as $$
declare
    v_secret constant bytea := (select secret from batch_seal);
begin
    p_batch.seal := null;
    -- HMAC in form: a digest around a digest, so that nobody can append to what is sealed.
    p_batch.seal := left(encode(sha256(v_secret || sha256(v_secret || convert_to(p_batch::text, 'UTF8'))), 'hex'),
        32)::uuid;
    return p_batch;
end $$;
comment on function sealed(batch) is 'The batch with the seal that it has to have.';

create type delivery as (
    batch         batch,
    id            bigint,
    message_id    uuid,
    given_id      uuid,
    published_at  timestamptz,
    service       text,
    topic         text,
    key           text,
    traceparent   text,
    content_type  text,
    headers       json,
    payload_json  json,
    payload_bytes bytea,
    blocked       boolean
);
comment on type delivery is 'A row of next_batch(): a message, or at the end the batch.';
comment on column delivery.batch is 'In the last row, which is no message: what acknowledge() takes.';
comment on column delivery.id is 'The place of the message in the log; null in the last row.';
comment on column delivery.message_id is 'As in the outbox.';
comment on column delivery.given_id is 'As in the outbox.';
comment on column delivery.published_at is 'As in the outbox.';
comment on column delivery.service is 'As in the outbox: the service that staged it.';
comment on column delivery.topic is 'As in the outbox.';
comment on column delivery.key is 'As in the outbox.';
comment on column delivery.traceparent is 'As in the outbox.';
comment on column delivery.content_type is 'As in the outbox.';
comment on column delivery.headers is 'As in the outbox.';
comment on column delivery.payload_json is 'As in the outbox.';
comment on column delivery.payload_bytes is 'As in the outbox.';
comment on column delivery.blocked is
    'Whether an earlier message of its key is parked, so that this one has to be parked, too. In the last row: '
    'whether even an empty batch should be acknowledged.';

-- More than 80 lines: two scans that must stay two, and what they rest on.
create function next_batch(
    p_subscription text,
    p_slice        integer default 0,
    p_limit        integer default 1000,
    p_bytes        bigint  default 16777216
) returns setof delivery
-- VOLATILE, because keep_look() sets something. Each statement has a snapshot of its own; what is handed out is decided
-- by the two snapshots of the window, and what changed meanwhile (a checkpoint, the subscription) acknowledge()
-- refuses. The planner settings: rows are wanted in the order of an index, and a plan that sorts, made while the tables
-- were small, would be kept for the session. It is to be kept, too: a plan for the values at hand looks cheaper each
-- time, and to make it takes longer than to read a hundred messages. Columns are cast to the types of a delivery in the
-- queries: a row of just these types is passed on as it is.
language plpgsql security definer set search_path from current
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set jit = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    v_service constant text := service_of_session();
    v_sub     constant subscription := usable_subscription(v_service, p_subscription);
    v_of      constant text := v_service || ' ' || p_subscription;
    v_read    bigint;
    v_at      checkpoint;
    v_newest  bigint;
    v_to_snap pg_snapshot;
    v_to_id   bigint;
    v_exact   text[];
    v_prefix  text[];
    v_parked  boolean;
    v_late    xid8[];
    v_after   bigint;
    v_row     delivery;
    v_count   integer := 0;
    v_bytes   bigint := 0;
    v_more    boolean := false;
    v_last    bigint := 0;
begin
    if (p_limit between 1 and 100000 and p_bytes >= 1 and p_slice between 0 and v_sub.slices - 1) is not true then
        raise exception 'limit must be between 1 and 100000, bytes at least 1, slice between 0 and %', v_sub.slices - 1
            using errcode = '22023';
    end if;
    if pg_is_in_recovery() then
        raise exception 'next_batch() was called on a standby'
            using errcode = '25006', hint =
                'snapshots of a standby do not say what is still running: read on the primary';
    end if;
    if pg_current_xact_id_if_assigned() is not null then
        raise exception 'next_batch() must come before the first write of its transaction'
            using errcode = 'ON063', hint =
                'the position of the next batch rests on a number that is read before the transaction has an id';
    end if;
    select * into v_at from checkpoint as c
    where c.service = v_service and c.subscription = p_subscription and c.slice = p_slice
    order by c.service desc, c.subscription desc, c.slice desc, c.number desc limit 1;
    if not found then
        raise exception
            'slice % of subscription % of service % has no checkpoint: its table was copied without the other',
            p_slice, p_subscription, v_service
            using errcode = 'ON067', hint = 'where it stood is not known: unsubscribe() and subscribe() again';
    end if;
    v_to_snap := coalesce(v_at.to_snap, pg_current_snapshot());
    -- Read after the snapshot was taken: whatever that sees has drawn its id before.
    v_newest := (select last_value from outbox_id_seq);
    if v_newest < greatest(v_at.last_id, v_at.from_id, v_at.seen_id, v_at.to_id, v_at.bound, v_at.to_bound) then
        raise exception
            'outbox_id_seq is at %, and subscription % of service % is past that: rows were copied without their '
            'sequence',
            v_newest, p_subscription, v_service
            using errcode = 'ON067', hint = 'let the owner of the schema call rebase()';
    end if;
    v_to_id := coalesce(v_at.to_id, v_newest);
    if v_sub.topics is not null then
        v_exact := array(select t from unnest(v_sub.topics) as t where t not like '%.*');
        v_prefix := array(select left(t, -1) from unnest(v_sub.topics) as t where t like '%.*');
    end if;
    -- Whether a key need be looked up at all. Where that reads much, because of all that were parked and are gone, keys
    -- are looked up for a while without a question.
    v_parked := look_from('any_parked', v_of) > '-infinity';
    if not v_parked then
        v_read := pg_stat_get_xact_tuples_returned('parked_message_pkey'::regclass);
        v_parked := exists (select from parked_message as p where p.service = v_service
            and p.subscription = p_subscription);
        perform keep_look('any_parked', v_of, '-infinity', clock_timestamp(),
                          pg_stat_get_xact_tuples_returned('parked_message_pkey'::regclass) - v_read);
    end if;

    -- Two scans and two loops, for one of a UNION ALL costs up to four tenths more.
    -- Late: transactions that ran when from_snap was taken and have committed since. Each is scanned by itself, in the
    -- order of id, so that a bulk load is not read again for each page of it. The loops end at the first message that
    -- would exceed p_bytes; a batch has one at least.
    if v_at.last_id < v_at.from_id then
        v_late := array(select x from pg_snapshot_xip(v_at.from_snap) as x where pg_visible_in_snapshot(x, v_to_snap));
        if cardinality(v_late) > 0 then
            for v_row in
                select null::batch, o.id, o.message_id::uuid, o.given_id::uuid, o.published_at, o.service,
                    o.topic::text, o.key::text,
                       o.traceparent::text, o.content_type::text, o.headers::json, o.payload_json::json,
                           o.payload_bytes::bytea,
                       v_parked and o.key is not null and exists (
                           select from parked_message as p
                           where p.service = v_service and p.subscription = p_subscription and p.key = o.key
                             and (v_sub.dead_blocks_key or p.state <> 'dead') offset 0)
                from unnest(v_late) as late (txid)
                cross join lateral (
                    select * from outbox as o
                    where o.txid = late.txid and o.id > v_at.last_id and o.id <= v_at.from_id
                      and (v_sub.slices = 1 or o.bucket % v_sub.slices = p_slice)
                      and (v_sub.topics is null or o.topic = any(v_exact) or o.topic ^@ any(v_prefix))
                      and (v_sub.starts_at is null or o.published_at >= v_sub.starts_at)
                    order by o.txid, o.id
                    limit p_limit) as o
                order by o.id
                limit p_limit
            loop
                v_bytes := v_bytes + delivery_size(v_row.payload_json, v_row.payload_bytes, v_row.headers);
                v_more := v_bytes > p_bytes and v_count > 0;
                exit when v_more;
                v_count := v_count + 1;
                v_last := v_row.id;
                return next v_row;
            end loop;
        end if;
    end if;

    -- New: above from_id, whatever to_snap sees and from_snap does not. Nothing is asked of txid as a range here, or
    -- the planner would take that index and sort.
    if v_count < p_limit and not v_more then
        v_after := greatest(v_at.from_id, v_at.last_id);
        for v_row in
            select null::batch, o.id, o.message_id::uuid, o.given_id::uuid, o.published_at, o.service, o.topic::text,
                o.key::text,
                   o.traceparent::text, o.content_type::text, o.headers::json, o.payload_json::json,
                       o.payload_bytes::bytea,
                   v_parked and o.key is not null and exists (
                       select from parked_message as p
                       where p.service = v_service and p.subscription = p_subscription and p.key = o.key
                         and (v_sub.dead_blocks_key or p.state <> 'dead') offset 0)
            from outbox as o
            where o.id > v_after and o.id <= v_to_id
              and not pg_visible_in_snapshot(o.txid, v_at.from_snap) and pg_visible_in_snapshot(o.txid, v_to_snap)
              and (v_sub.slices = 1 or o.bucket % v_sub.slices = p_slice)
              and (v_sub.topics is null or o.topic = any(v_exact) or o.topic ^@ any(v_prefix))
              and (v_sub.starts_at is null or o.published_at >= v_sub.starts_at)
            order by o.id
            limit p_limit - v_count
        loop
            v_bytes := v_bytes + delivery_size(v_row.payload_json, v_row.payload_bytes, v_row.headers);
            v_more := v_bytes > p_bytes and v_count > 0;
            exit when v_more;
            v_count := v_count + 1;
            v_last := v_row.id;
            return next v_row;
        end loop;
    end if;

    v_row := null;
    v_row.batch := sealed(row(v_at.number + 1, v_count, v_more
        or v_count = p_limit, v_last, incarnation(v_sub), p_slice,
                              current_timeline(), v_to_snap, v_to_id, v_newest, pg_backend_pid(), null)::batch);
    -- Of an empty batch: whether acknowledging it saves later ones a longer way.
    v_row.blocked := v_at.to_snap is not null or v_newest - v_at.from_id > 256 or coalesce(cardinality(v_late), 0) > 16;
    return next v_row;
end $$;
comment on function next_batch(text, integer, integer, bigint) is
    'The next messages of a slice, in order, up to p_limit and p_bytes of payload and headers (one at least), and '
    'one row at the end whose batch is what acknowledge() takes (its id is null; its blocked says whether even an '
    'empty batch should be acknowledged). The batch is handed back as it is, also as text and on another connection. '
    'Reads only: until acknowledge() commits, the same messages come again. blocked: an earlier message of the same '
    'key is parked, so this one has to be parked, too. Call it before the first write of its transaction (else '
    'ON063). Errors: ON060 no such subscription, ON061 paused or expired, ON062 the database was restored, call '
    'rebase(); ON067 rows were copied apart; 25006 this is a standby.';

-- More than 80 lines: every refusal, before one insert.
create function acknowledge(
    p_subscription  text,
    p_slice         integer,
    p_batch         batch,
    p_last_id       bigint   default null,
    p_messages      integer  default null,
    p_parked_ids    bigint[] default null,
    p_parked_as     text[]   default null,
    p_parked_errors text[]   default null,
    p_durable       boolean  default true
) returns bigint
language plpgsql security definer set search_path from current
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set jit = off
as $$
declare
    v_has_xid  constant boolean := pg_current_xact_id_if_assigned() is not null;
    v_sequence constant bigint  := (select last_value from outbox_id_seq);
    v_service  constant text    := service_of_session();
    v_whole    constant boolean := p_last_id is null;
    v_timeline constant bigint  := current_timeline();
    v_at       checkpoint;
    v_to_bound bigint;
    v_bound    bigint;
    v_sub      subscription;
    v_taken    boolean;
begin
    if (p_batch.seal = (sealed(p_batch)).seal and p_batch.slice = p_slice) is not true then
        raise exception 'p_batch is not what next_batch() returned for this slice' using errcode = '22023',
            hint = 'hand back the batch of its last row as it came';
    end if;
    if p_parked_ids is not null or p_parked_as is not null or p_parked_errors is not null then
        perform require_lengths('p_parked_ids', cardinality(p_parked_ids), array['p_parked_as', 'p_parked_errors'],
                                array[cardinality(p_parked_as), cardinality(p_parked_errors)]);
    end if;
    if p_batch.timeline <> v_timeline then
        raise exception 'the batch of subscription %, slice %, was read on timeline %, and this server is on %',
            p_subscription, p_slice, p_batch.timeline,
            case when v_timeline > 0 then v_timeline::text else 'none: it is a standby' end
            using errcode = 'ON069', hint =
                'roll back and call next_batch() again; there was a failover since the batch was read';
    end if;
    -- No place is beyond what the sequence has given out, unless that was copied apart.
    if greatest(p_last_id, p_batch.last_id, p_batch.to_id, p_batch.newest) > v_sequence then
        raise exception 'p_batch or p_last_id names a place in the log that was never given out' using errcode =
            '22023';
    end if;
    select * into v_at from checkpoint as c
    where c.service = v_service and c.subscription = p_subscription and c.slice = p_slice
    order by c.service desc, c.subscription desc, c.slice desc, c.number desc limit 1;
    v_taken := (v_at.number = p_batch.number - 1) is not true;
    if v_whole and (p_batch.more or coalesce(p_messages, p_batch.messages) <> p_batch.messages) then
        raise exception 'there is more behind this batch: name the id of its last message as p_last_id'
            using errcode = 'ON064';
    end if;
    if not v_taken and (p_last_id not between v_at.last_id and p_batch.last_id or p_messages not between 0
        and p_batch.messages
                        or exists (select from unnest(p_parked_ids) as id
                                   where (id between v_at.last_id
                                       and coalesce(p_last_id, p_batch.last_id)) is not true)) then
        raise exception 'p_last_id, p_messages and p_parked_ids are of messages in the batch, up to p_last_id'
            using errcode = '22023';
    end if;
    -- A lower bound must have been read before this transaction had an id; see checkpoint.bound. next_batch() read one,
    -- but only of our own session do we know that it did so before we had an id. Else we keep the bound that we have.
    v_to_bound := coalesce(v_at.to_bound, v_at.bound);
    v_bound := case when not v_has_xid then v_sequence
                    when p_batch.session = pg_backend_pid() then p_batch.newest
                    else v_to_bound end;
    if not p_durable and not v_has_xid then
        perform set_config('synchronous_commit', 'off', true);
    end if;
    if not v_taken then
        insert into checkpoint (service, subscription, slice, number, acknowledged_by, messages, bound, last_id,
                                from_snap, from_id, seen_id, to_snap, to_id, to_bound)
        select v_service, p_subscription, p_slice, p_batch.number,
               coalesce(nullif(current_setting('application_name'), ''), session_user),
               coalesce(p_messages, p_batch.messages), v_bound, coalesce(p_last_id, 0),
               case when v_whole then p_batch.to_snap else v_at.from_snap end,
               case when v_whole then v_to_bound else v_at.from_id end,
               case when v_whole then p_batch.to_id else v_at.seen_id end,
               case when not v_whole then p_batch.to_snap end,
               case when not v_whole then p_batch.to_id end,
               case when not v_whole then v_to_bound end
        on conflict (service, subscription, slice, number) do nothing;
        v_taken := not found;
    end if;

    -- After the insert, which waits for unsubscribe(). An old snapshot would still show what that has removed.
    if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
        perform from subscription where service = v_service and name = p_subscription for key share;
    end if;
    select * into v_sub from subscription where service = v_service and name = p_subscription;
    if not found then
        raise exception 'service % has no subscription %', v_service, p_subscription
            using errcode = 'ON060', hint = 'make it with subscribe()';
    elsif v_sub.system_identifier <> (select system_identifier::text from pg_control_system()) then
        raise exception
            'subscription % of service % comes from another cluster, so its transaction ids mean nothing here',
            p_subscription, v_service
            using errcode = 'ON062', hint =
                'this database was restored from a dump or upgraded: let its owner call rebase() once';
    elsif incarnation(v_sub) <> p_batch.subscription then
        raise exception 'the batch is of another subscription than % of service %', p_subscription, v_service
            using errcode = 'ON065', hint =
                'roll back; the subscription was ended and made anew since the batch was read';
    elsif v_taken then
        raise exception 'batch % of subscription %, slice %, was acknowledged by another reader', p_batch.number,
            p_subscription, p_slice
            using errcode = 'ON065', hint = 'roll back; another reader is at work';
    end if;
    if p_parked_ids is not null then
        perform park(p_subscription, p_slice, p_parked_ids, p_parked_as, p_parked_errors);
    end if;
    return p_batch.number;
end $$;
comment on function acknowledge(text, integer, batch, bigint, integer, bigint[], text[], text[], boolean) is
    'Moves a slice past a batch, when this transaction commits; returns its number. p_last_id: only up to this '
    'message (required when the batch was full). p_parked_ids, with p_parked_as (retry, dead, behind) and '
    'p_parked_errors: messages of the batch that could not be delivered, see park(). p_durable false: a crash of the '
    'server may repeat the batch. ON065: another reader was faster, roll back. ON069: there was a failover since the '
    'batch was read; roll back and read again.';

create function unsubscribe(p_name text, p_service text default null) returns boolean
language plpgsql security definer set search_path from current
as $$
declare
    v_service constant text := service_named(p_service);
    v_at      checkpoint;
    v_slice   integer;
    v_found   boolean;
begin
    -- Takes the next number of each slice: that waits for acknowledgements of this subscription which are under way,
    -- and later ones wait for us and then find no subscription. No other subscription is held up.
    for v_slice in select generate_series(0, slices - 1) from subscription where service = v_service
        and name = p_name loop
        loop
            select * into v_at from checkpoint as c
            where c.service = v_service and c.subscription = p_name and c.slice = v_slice
            order by c.service desc, c.subscription desc, c.slice desc, c.number desc limit 1;
            exit when not found;
            insert into checkpoint (service, subscription, slice, number, acknowledged_by, messages, last_id, from_id,
                                    seen_id, bound, from_snap)
            values (v_service, p_name, v_slice, v_at.number + 1, session_user, 0, 0, v_at.from_id,
                    v_at.seen_id, v_at.bound, v_at.from_snap)
            on conflict (service, subscription, slice, number) do nothing;
            exit when found;
        end loop;
    end loop;
    delete from subscription where service = v_service and name = p_name;
    v_found := found;
    delete from checkpoint where service = v_service and subscription = p_name;
    delete from parked_message where service = v_service and subscription = p_name;
    return v_found;
end $$;
comment on function unsubscribe(text, text) is
    'Ends a subscription: its position and its parked messages are gone, and it keeps no messages in the outbox any '
    'more.';

create function wake_channel() returns text
language sql stable security definer set search_path from current
return 'once_outbox_' || 'outbox'::regclass::oid;
comment on function wake_channel() is 'What a reader LISTENs to.';

create function outbox_writers() returns text[]
language plpgsql volatile security definer set search_path from current
as $$
begin
    return array(select virtualtransaction from pg_locks
                 where locktype = 'relation' and relation in ('outbox'::regclass, 'scheduled_message'::regclass)
                     and mode = 'RowExclusiveLock'
                   and database = (select oid from pg_database where datname = current_database())
                   and pid is distinct from pg_backend_pid());
end $$;
comment on function outbox_writers() is
    'Transactions that have staged or scheduled messages and not ended yet, as virtual transaction ids.';

create function fall_asleep(p_for interval, out sleep_number bigint, out writers text[])
language plpgsql security definer set search_path from current
as $$
begin
    -- For so long a reader that is not there can make every commit notify.
    if (p_for between interval '0' and interval '1 minute') is not true then
        raise exception 'a sleep takes 0 to 60 seconds' using errcode = '22023';
    end if;
    if pg_current_xact_id_if_assigned() is null then
        perform set_config('synchronous_commit', 'off', true); -- nothing here is worth waiting for the disk
    end if;
    -- The time first: a writer that sees the number must not find the time of an earlier sleep. Two that fall asleep at
    -- once can overwrite each other; so it is the same time for all sleeps, and a bit more.
    perform setval('outbox_asleep_until_seq', greatest(
        (select last_value from outbox_asleep_until_seq),
        (extract(epoch from clock_timestamp() + interval '1 minute') * 1000)::bigint + 10000));
    sleep_number := nextval('outbox_asleep_seq');
    -- A dump reads one sequence after the other, so that the numbers may not fit after a restore.
    if sleep_number <= (select last_value from outbox_woken_seq) then
        perform setval('outbox_asleep_seq', (select last_value from outbox_woken_seq));
        sleep_number := nextval('outbox_asleep_seq');
    end if;
    -- After the number is visible: a writer that is not in this list will see it.
    writers := outbox_writers();
end $$;
comment on function fall_asleep(interval) is
    'A reader that LISTENs says that it is about to sleep; from now on who stages messages notifies. The writers '
    'that it returns may have looked before: read once more, and poll until they are through, before you sleep. A '
    'notification that comes meanwhile ends this sleep before it begins: read again. Call it in a transaction of its '
    'own, and sleep no longer than p_for, up to 60 seconds.';

create function wake_up(p_notification text) returns void
language plpgsql security definer set search_path from current
as $$
declare
    v_number bigint;
begin
    if p_notification is null or p_notification !~ '^[0-9]{1,18}:[0-9a-f]{20}$' then
        return; -- anybody may notify
    end if;
    if pg_current_xact_id_if_assigned() is null then
        perform set_config('synchronous_commit', 'off', true);
    end if;
    v_number := split_part(p_notification, ':', 1)::bigint;
    if (select last_value from outbox_woken_seq) < v_number and p_notification = v_number || ':' || wake_proof(v_number)
       -- Nobody sleeps under a number that was not given out yet.
       and v_number <= (select last_value from outbox_asleep_seq) then
        perform setval('outbox_woken_seq', v_number);
    end if;
end $$;
comment on function wake_up(text) is
    'A reader that got a notification, asleep or not, says so, and passes its payload: whoever fell asleep before '
    'that was sent got the same notification. From now on nobody notifies until somebody sleeps again. What '
    'notify_readers() did not send does nothing, so nobody ends the sleep of another.';

perform end_migration();
end $file$;
