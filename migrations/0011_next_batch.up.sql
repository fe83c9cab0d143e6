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
    seal         bytea
);
comment on type batch is
    'What next_batch() has handed out, for acknowledge(). It goes back as it came; no field of it is ever null. What '
    'else a position needs stands in the checkpoint before it, which no client names.';
comment on column batch.number is 'Counts the batches of the slice: that of the checkpoint which acknowledge() makes.';
comment on column batch.messages is 'How many messages it has.';
comment on column batch.more is 'Whether it was cut short, by p_limit or p_bytes, so that there may be more behind it.';
comment on column batch.last_id is
    'No message of it has a higher id, and none up to here is left out; 0 when it is empty.';
comment on column batch.subscription is 'subscription.incarnation of its subscription.';
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
    'A keyed digest of all other fields: so only next_batch() makes a batch, and a changed one is refused.';

-- One digest is enough, for nothing can be appended to what is sealed: the binary form says first how many fields there
-- are, and of each how long it is. To print them all would take as long as the digest.
create function seal_of(p_batch batch, p_secret bytea) returns bytea
language sql stable
return sha256(p_secret || record_send(p_batch));
comment on function seal_of(batch, bytea) is 'The seal of a batch whose seal is null.';

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

create function refuse_batch(p_subscription text, p_slice integer, p_limit integer, p_bytes bigint) returns void
language plpgsql set search_path from current
as $$
declare
    v_service constant text := service_of_session();
    v_sub     constant subscription := usable_subscription(v_service, p_subscription);
begin
    if (p_limit between 1 and 100000 and p_bytes >= 1 and p_slice between 0 and v_sub.slices - 1) is not true then
        raise exception 'limit must be between 1 and 100000, bytes at least 1, slice between 0 and %', v_sub.slices - 1
            using errcode = '22023';
    elsif pg_is_in_recovery() then
        raise exception 'next_batch() was called on a standby'
            using errcode = '25006', hint =
                'snapshots of a standby do not say what is still running: read on the primary';
    elsif pg_current_xact_id_if_assigned() is not null then
        raise exception 'next_batch() must come before the first write of its transaction'
            using errcode = 'ON063', hint =
                'the position of the next batch rests on a number that is read before the transaction has an id';
    elsif not exists (select from checkpoint as c where c.service = v_service and c.subscription = p_subscription
                      and c.slice = p_slice) then
        raise exception
            'slice % of subscription % of service % has no checkpoint: its table was copied without the other',
            p_slice, p_subscription, v_service
            using errcode = 'ON067', hint = 'where it stood is not known: unsubscribe() and subscribe() again';
    elsif (select last_value from outbox_id_seq)
          < (select max(greatest(c.last_id, c.from_id, c.seen_id, c.to_id, c.bound, c.to_bound)) from checkpoint as c
             where c.service = v_service and c.subscription = p_subscription and c.slice = p_slice) then
        raise exception
            'outbox_id_seq is at %, and subscription % of service % is past that: rows were copied without their '
            'sequence',
            (select last_value from outbox_id_seq), p_subscription, v_service
            using errcode = 'ON067', hint = 'let the owner of the schema call rebase()';
    end if;
end $$;
comment on function refuse_batch(text, integer, integer, bigint) is
    'Why next_batch() cannot answer, as its error. No error where only the server was started since the checkpoint was '
    'written: the cluster is the right one then.';

create function refuse_acknowledgement(
    p_subscription text, p_slice integer, p_batch batch, p_last_id bigint, p_messages integer, p_parked_ids bigint[],
    p_parked_as park_verdict[], p_parked_errors text[], p_number bigint, p_at bigint
) returns void
language plpgsql set search_path from current
as $$
declare
    v_timeline constant bigint := current_timeline();
    v_seal     constant bytea  := p_batch.seal;
begin
    p_batch.seal := null;
    -- That it is of another subscription, or of none, acknowledge() says later.
    if num_nulls(p_batch.number, p_batch.messages, p_batch.more, p_batch.last_id, p_batch.subscription, p_batch.slice,
                 p_batch.timeline, p_batch.to_snap, p_batch.to_id, p_batch.newest, p_batch.session, v_seal) > 0
       or exists (select from subscription as s
               where s.service = service_of_session() and s.name = p_subscription
                 and s.incarnation = p_batch.subscription
                 and (v_seal = seal_of(p_batch, s.seal_secret) and p_batch.slice = p_slice) is not true) then
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
    if greatest(p_last_id, p_batch.last_id, p_batch.to_id, p_batch.newest) > (select last_value from outbox_id_seq) then
        raise exception 'p_batch or p_last_id names a place in the log that was never given out' using errcode =
            '22023';
    end if;
    if p_last_id is null and (p_batch.more or coalesce(p_messages, p_batch.messages) <> p_batch.messages) then
        raise exception 'there is more behind this batch: name the id of its last message as p_last_id'
            using errcode = 'ON064';
    end if;
    if p_number = p_batch.number - 1
       and (p_last_id not between p_at and p_batch.last_id or p_messages not between 0 and p_batch.messages
            or exists (select from unnest(p_parked_ids) as id
                       where (id between p_at and coalesce(p_last_id, p_batch.last_id)) is not true)) then
        raise exception 'p_last_id, p_messages and p_parked_ids are of messages in the batch, up to p_last_id'
            using errcode = '22023';
    end if;
end $$;
comment on function refuse_acknowledgement(
    text, integer, batch, bigint, integer, bigint[], park_verdict[], text[], bigint, bigint) is
    'What is wrong with an acknowledgement, as its error; none, if it is one of only a part of a batch, or of one with '
    'failures. p_number and p_at: number and last_id of the checkpoint that is the newest.';

-- What a service calls for each batch names the schema of everything instead of setting a search_path. {message}, {new}
-- and {wanted} stand for the same words in three queries.
execute replace(replace(replace(replace($functions$

-- More than 80 lines: two scans that must stay two, and what they rest on.
create function {schema}.next_batch(
    p_subscription text,
    p_slice        integer default 0,
    p_limit        integer default 1000,
    p_bytes        bigint  default 16777216,
    p_known        bigint  default 0
) returns setof {schema}.delivery
-- VOLATILE, so that each statement has its own snapshot: what is handed out is decided by the two snapshots of the
-- window, and what changed meanwhile (a checkpoint, the subscription) acknowledge() refuses. The planner settings: rows
-- are wanted in the order of an index, and a plan that sorts, made while the tables were small, would be kept for the
-- session. It is to be kept, too: a plan for the values at hand looks cheaper each time, and to make it takes longer
-- than to read a hundred messages. Columns are those of a delivery: such a row is passed on as it is.
-- Each expression takes 3000 to 6000 instructions to prepare, in each call. So what can be is a column of a query, and
-- variables begin as null and not as 0.
language plpgsql security definer
set enable_seqscan = off set enable_sort = off set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
    v_at     record;
    v_prefix pg_catalog.text[];
    v_late   pg_catalog.xid8[];
    v_after  bigint;
    v_end    bigint;
    v_row    {schema}.delivery;
    v_batch  {schema}.batch;
    v_count  bigint;
    v_bytes  bigint;
    v_more   boolean;
    v_last   bigint;
    v_fits   boolean;
    v_found  record;
begin
    -- The subscription and its newest checkpoint. An index scan looks at all entries of a page that it may want, so a
    -- caller that knows the number of an earlier one saves a hundred; where there is none from there on, the number was
    -- wrong. The snapshot of this statement is what the batch reaches up to; the newest place is read after it was
    -- taken: whatever it sees has drawn its place before.
    loop
        select s.service, s.slices, s.topics, s.starts_at, s.dead_blocks_key, s.incarnation, s.seal_secret,
               c.number, c.last_id, c.from_id, c.from_snap, c.parked, c.newest, c.timeline,
               c.to_snap is not null as is_open, coalesce(c.to_snap, pg_catalog.pg_current_snapshot()) as to_snap,
               coalesce(c.to_id, c.newest) as to_id, greatest(c.after, c.done) as after,
               s.state operator(pg_catalog.=) 'active' and c.is_fit and p_slice operator(pg_catalog.<) s.slices
                   as is_fit,
               c.last_id operator(pg_catalog.<) c.from_id and c.done is null as may_be_late
        into v_at
        from {schema}.subscription as s
        left join lateral (
            select c.number, c.last_id, c.from_id, c.from_snap, c.parked, c.to_snap, c.to_id,
                   pg_catalog.pg_sequence_last_value('{schema}.outbox_id_seq'::pg_catalog.regclass) as newest,
                   {schema}.current_timeline() as timeline, greatest(c.from_id, c.last_id) as after,
                   -- No transaction ran when from_snap was taken that had drawn a place: each would have an id from its
                   -- xmax on, and the acknowledgement, which came later, has got that very id. So all up to here is
                   -- done.
                   case when c.to_snap is null
                             and c.xmin operator(pg_catalog.=) pg_catalog.xid(pg_catalog.pg_snapshot_xmin(c.from_snap))
                             and pg_catalog.pg_snapshot_xmin(c.from_snap) operator(pg_catalog.=)
                                 pg_catalog.pg_snapshot_xmax(c.from_snap) then c.seen_id end as done,
                   c.server_started operator(pg_catalog.=) pg_catalog.pg_postmaster_start_time()
                       and pg_catalog.pg_sequence_last_value('{schema}.outbox_id_seq'::pg_catalog.regclass)
                           operator(pg_catalog.>=)
                           greatest(c.last_id, c.from_id, c.seen_id, c.to_id, c.bound, c.to_bound)
                       and pg_catalog.pg_current_xact_id_if_assigned() is null as is_fit
            from {schema}.checkpoint as c
            where (c.service, c.subscription, c.slice) operator(pg_catalog.=) (s.service, s.name, p_slice)
              and c.number operator(pg_catalog.>=) p_known
            order by c.service desc, c.subscription desc, c.slice desc, c.number desc limit 1) as c on true
        where (s.service, s.name) operator(pg_catalog.=) ({schema}.service_of_session(), p_subscription);
        exit when v_at.number is not null or p_known operator(pg_catalog.=) 0;
        p_known := 0;
    end loop;
    if (v_at.is_fit and v_at.timeline operator(pg_catalog.>) 0
        and p_limit operator(pg_catalog.>=) 1 and p_limit operator(pg_catalog.<=) 100000
        and p_bytes operator(pg_catalog.>=) 1) is not true then
        perform {schema}.refuse_batch(p_subscription, p_slice, p_limit, p_bytes);
        if v_at.number is null then
            raise exception 'subscription % was made at this moment', p_subscription using errcode = 'ON060';
        end if;
    end if;
    v_after := v_at.after;
    if v_at.topics is not null then
        v_prefix := array(select pg_catalog.rtrim(t, '*') from pg_catalog.unnest(v_at.topics) as t
                          where t operator(pg_catalog.~~) '%.*');
    end if;

    -- Two scans and two loops, for one of a UNION ALL costs up to four tenths more.
    -- Late: transactions that ran when from_snap was taken and have committed since. Each is scanned by itself, in the
    -- order of id, so that a bulk load is not read again for each page of it. The loops end at the first message that
    -- would exceed p_bytes; a batch has one at least.
    if v_at.may_be_late then
        v_late := array(select x from pg_catalog.pg_snapshot_xip(v_at.from_snap) as x
                        where pg_catalog.pg_visible_in_snapshot(x, v_at.to_snap));
        if pg_catalog.cardinality(v_late) operator(pg_catalog.>) 0 then
            for v_row in
                select {message}
                from pg_catalog.unnest(v_late) as late (txid)
                cross join lateral (
                    select * from {schema}.outbox as o
                    where o.txid operator(pg_catalog.=) late.txid and o.id operator(pg_catalog.>) v_at.last_id
                      and o.id operator(pg_catalog.<=) v_at.from_id
                      and {wanted}
                    order by o.txid, o.id
                    limit p_limit) as o
                order by o.id
                limit p_limit
            loop
                v_bytes := coalesce(v_bytes, 0) operator(pg_catalog.+)
                           {schema}.delivery_size(v_row.payload_json, v_row.payload_bytes, v_row.headers);
                if v_bytes operator(pg_catalog.>) p_bytes and v_count is not null then
                    v_more := true;
                    exit;
                end if;
                if v_at.parked then
                    v_row.blocked := {schema}.key_is_blocked(v_at.service, p_subscription, v_row.key,
                                                             v_at.dead_blocks_key);
                end if;
                v_count := coalesce(v_count, 0) operator(pg_catalog.+) 1;
                v_last := v_row.id;
                return next v_row;
            end loop;
        end if;
    end if;

    -- New: above from_id, whatever to_snap sees and from_snap does not. Nothing is asked of txid as a range here, or
    -- the planner would take that index and sort. One slot of the ring at a time, nearly always the only one: scans of
    -- the other seven are not even begun then.
    while v_after operator(pg_catalog.<) v_at.to_id and v_more is not true
          and (v_count operator(pg_catalog.<) p_limit) is not false loop
        v_end := least(v_at.to_id, (v_after operator(pg_catalog.+) 1) operator(pg_catalog.|) 1048575);
        if v_end operator(pg_catalog.<) v_at.to_id then
            -- There are more: the next message says which one is next.
            select o.id operator(pg_catalog.-) 1 into v_after from {schema}.outbox as o
            where o.id operator(pg_catalog.>) v_after order by o.id limit 1;
            exit when (v_after operator(pg_catalog.<) v_at.to_id) is not true;
            v_end := least(v_at.to_id, (v_after operator(pg_catalog.+) 1) operator(pg_catalog.|) 1048575);
        end if;
        -- What fits need not go through our hands one by one. So few fit whatever they are.
        v_fits := not v_at.parked and v_count is null;
        if v_fits and ((v_end operator(pg_catalog.-) v_after) operator(pg_catalog.<=) least(15, p_limit)
                       and p_bytes operator(pg_catalog.>=) 16777216) is not true then
            select pg_catalog.count(o.id) as messages, pg_catalog.max(o.id) as last_id, pg_catalog.sum(o.size) as bytes
            into v_found
            from (select o.id, {schema}.delivery_size(o.payload_json, o.payload_bytes, o.headers) as size
                  from {schema}.outbox as o
                  where {new} and {wanted}
                  order by o.id
                  limit p_limit) as o;
            v_fits := not coalesce(v_found.bytes operator(pg_catalog.>) p_bytes, false);
            if v_found.messages operator(pg_catalog.=) p_limit then
                v_end := v_found.last_id;
            end if;
        end if;
        if v_fits then
            return query
                select {message}
                from {schema}.outbox as o
                where {new} and {wanted}
                order by o.id;
            get diagnostics v_count = row_count;
            v_last := v_end;
            v_count := case when v_count operator(pg_catalog.>) 0 then v_count end;
        else
            for v_row in
                select {message}
                from {schema}.outbox as o
                where {new} and {wanted}
                order by o.id
                limit p_limit operator(pg_catalog.-) coalesce(v_count, 0)
            loop
                v_bytes := coalesce(v_bytes, 0) operator(pg_catalog.+)
                           {schema}.delivery_size(v_row.payload_json, v_row.payload_bytes, v_row.headers);
                if v_bytes operator(pg_catalog.>) p_bytes and v_count is not null then
                    v_more := true;
                    exit;
                end if;
                if v_at.parked then
                    v_row.blocked := {schema}.key_is_blocked(v_at.service, p_subscription, v_row.key,
                                                             v_at.dead_blocks_key);
                end if;
                v_count := coalesce(v_count, 0) operator(pg_catalog.+) 1;
                v_last := v_row.id;
                return next v_row;
            end loop;
        end if;
        v_after := v_end;
    end loop;

    v_batch := row(v_at.number operator(pg_catalog.+) 1, coalesce(v_count, 0),
                   v_more is true or (v_count operator(pg_catalog.=) p_limit) is true,
                   case when v_count is null then 0 else v_last end, v_at.incarnation, p_slice, v_at.timeline,
                   v_at.to_snap, v_at.to_id, v_at.newest, pg_catalog.pg_backend_pid(), null)::{schema}.batch;
    v_batch.seal := {schema}.seal_of(v_batch, v_at.seal_secret);
    -- Of an empty batch, blocked says whether acknowledging it saves later ones a longer way.
    return next row(v_batch, null, null, null, null, null, null, null, null, null, null, null, null,
                    v_at.is_open or (v_at.newest operator(pg_catalog.-) v_at.from_id) operator(pg_catalog.>) 256
                    or (pg_catalog.cardinality(v_late) operator(pg_catalog.>) 16) is true)::{schema}.delivery;
end $$;
comment on function {schema}.next_batch(text, integer, integer, bigint, bigint) is
    'The next messages of a slice, in order, up to p_limit and p_bytes of payload and headers (one at least), and '
    'one row at the end whose batch is what acknowledge() takes (its id is null; its blocked says whether even an '
    'empty batch should be acknowledged). The batch is handed back as it is, also as text and on another connection. '
    'Reads only: until acknowledge() commits, the same messages come again. blocked: an earlier message of the same '
    'key is parked, so this one has to be parked, too. p_known: the number of the last batch that the caller '
    'acknowledged, or an earlier one, which saves time; 0 where it knows none. Call it before the first write of its '
    'transaction (else ON063). Errors: ON060 no such subscription, ON061 paused or expired, ON062 the database was '
    'restored, call rebase(); ON067 rows were copied apart; 25006 this is a standby.';

-- More than 80 lines: every refusal, before one insert.
create function {schema}.acknowledge(
    p_subscription  text,
    p_slice         integer,
    p_batch         {schema}.batch,
    p_last_id       bigint   default null,
    p_messages      integer  default null,
    p_parked_ids    bigint[] default null,
    p_parked_as     {schema}.park_verdict[] default null,
    p_parked_errors text[]   default null,
    p_durable       boolean  default true
) returns bigint
language plpgsql security definer set enable_seqscan = off
as $$
declare
    v_whole constant boolean := p_last_id is null;
    v_at    record;
    v_sub   record;
    v_taken boolean;
    v_set   pg_catalog.text;
    v_seal  pg_catalog.bytea;
begin
    -- The checkpoint that the batch comes after: no other number can follow, and whether one does, the insert tells.
    -- newest: before this transaction has an id.
    select c.number, c.last_id, c.from_id, c.seen_id, c.from_snap, coalesce(c.to_bound, c.bound) as to_bound, c.parked,
           c.server_started, c.service, pg_catalog.pg_current_xact_id_if_assigned() is not null as has_xid,
           pg_catalog.pg_sequence_last_value('{schema}.outbox_id_seq'::pg_catalog.regclass) as newest,
           {schema}.current_timeline() as timeline,
           pg_catalog.current_setting('transaction_isolation') operator(pg_catalog.=) 'read committed' as sees_news
    into v_at
    from {schema}.checkpoint as c
    where (c.service, c.subscription, c.slice, c.number) operator(pg_catalog.=)
          ({schema}.service_of_session(), p_subscription, p_slice, p_batch.number operator(pg_catalog.-) 1);
    -- First what most batches are, a whole one without failures. What has more to it, or is wrong, is looked at again.
    -- Whether next_batch() made it says the seal, at the end.
    if (p_batch is not null and p_batch.slice operator(pg_catalog.=) p_slice
        and p_batch.timeline operator(pg_catalog.=) v_at.timeline
        and greatest(p_batch.last_id, p_batch.to_id, p_batch.newest) operator(pg_catalog.<=) v_at.newest
        and not p_batch.more
        and pg_catalog.num_nulls(p_last_id, p_messages, p_parked_ids, p_parked_as, p_parked_errors)
            operator(pg_catalog.=) 5) is not true then
        perform {schema}.refuse_acknowledgement(p_subscription, p_slice, p_batch, p_last_id, p_messages, p_parked_ids,
                                                p_parked_as, p_parked_errors, v_at.number, v_at.last_id);
        v_taken := v_at.number is null;
    end if;
    v_seal := p_batch.seal;
    p_batch.seal := null;
    if not p_durable and v_at.has_xid is not true then
        v_set := pg_catalog.set_config('synchronous_commit', 'off', true);
    end if;
    if v_taken is not true then
        -- Once something is parked, each message is looked up. Whether all is gone is asked now and then: where much
        -- was parked, and a transaction still sees that, it reads all of it.
        if v_at.parked then
            if (p_batch.number operator(pg_catalog.&) 63) operator(pg_catalog.=) 0 then
                v_at.parked := exists (select from {schema}.parked_message as p
                                       where (p.service, p.subscription) operator(pg_catalog.=)
                                             (v_at.service, p_subscription));
            end if;
        end if;
        insert into {schema}.checkpoint (service, subscription, slice, number, acknowledged_by, messages, parked, bound,
                                         last_id, from_snap, from_id, seen_id, to_snap, to_id, to_bound)
        values (v_at.service, p_subscription, p_slice, p_batch.number,
                case when pg_catalog.current_setting('application_name') operator(pg_catalog.=) '' then session_user
                     else pg_catalog.current_setting('application_name') end,
                coalesce(p_messages, p_batch.messages), v_at.parked or p_parked_ids is not null,
                -- A lower bound must have been read before this transaction had an id; see checkpoint.bound.
                -- next_batch() read one, but only in this session is it known that it did so before there was an id.
                -- Else we keep the bound that we have.
                case when not v_at.has_xid then v_at.newest
                     when p_batch.session operator(pg_catalog.=) pg_catalog.pg_backend_pid() then p_batch.newest
                     else v_at.to_bound end,
                coalesce(p_last_id, 0),
                case when v_whole then p_batch.to_snap else v_at.from_snap end,
                case when v_whole then v_at.to_bound else v_at.from_id end,
                case when v_whole then p_batch.to_id else v_at.seen_id end,
                case when not v_whole then p_batch.to_snap end,
                case when not v_whole then p_batch.to_id end,
                case when not v_whole then v_at.to_bound end)
        on conflict (service, subscription, slice, number) do nothing;
        v_taken := not found;
    end if;

    -- After the insert, which waits for unsubscribe(). An old snapshot would still show what that has removed.
    if v_at.sees_news is not true then
        perform from {schema}.subscription as s
        where (s.service, s.name) operator(pg_catalog.=) ({schema}.service_of_session(), p_subscription) for key share;
    end if;
    select s.incarnation, s.seal_secret, s.system_identifier into v_sub from {schema}.subscription as s
    where (s.service, s.name) operator(pg_catalog.=) ({schema}.service_of_session(), p_subscription);
    if (v_sub.incarnation operator(pg_catalog.=) p_batch.subscription
        and v_seal operator(pg_catalog.=) {schema}.seal_of(p_batch, v_sub.seal_secret)
        and v_at.server_started operator(pg_catalog.=) pg_catalog.pg_postmaster_start_time()
        and not v_taken) is not true then
        if v_sub.incarnation is null then
            raise exception 'service % has no subscription %', {schema}.service_of_session(), p_subscription
                using errcode = 'ON060', hint = 'make it with subscribe()';
        elsif v_sub.system_identifier operator(pg_catalog.<>) (
                  select c.system_identifier::pg_catalog.text from pg_catalog.pg_control_system() as c) then
            raise exception
                'subscription % of service % comes from another cluster, so its transaction ids mean nothing here',
                p_subscription, {schema}.service_of_session()
                using errcode = 'ON062', hint =
                    'this database was restored from a dump or upgraded: let its owner call rebase() once';
        elsif v_sub.incarnation operator(pg_catalog.<>) p_batch.subscription then
            raise exception 'the batch is of another subscription than % of service %', p_subscription,
                {schema}.service_of_session()
                using errcode = 'ON065', hint =
                    'roll back; the subscription was ended and made again since the batch was read';
        end if;
        p_batch.seal := v_seal;
        perform {schema}.refuse_acknowledgement(p_subscription, p_slice, p_batch, p_last_id, p_messages, p_parked_ids,
                                                p_parked_as, p_parked_errors, v_at.number, v_at.last_id);
        if v_taken then
            raise exception 'batch % of subscription %, slice %, was acknowledged by another reader', p_batch.number,
                p_subscription, p_slice
                using errcode = 'ON065', hint = 'roll back; another reader is at work';
        end if;
    end if;
    if p_parked_ids is not null then
        perform {schema}.park(p_subscription, p_slice, p_parked_ids, p_parked_as, p_parked_errors);
    end if;
    return p_batch.number;
end $$;
comment on function {schema}.acknowledge(
    text, integer, {schema}.batch, bigint, integer, bigint[], {schema}.park_verdict[], text[], boolean) is
    'Moves a slice past a batch, when this transaction commits; returns its number. p_last_id: only up to this '
    'message (required when the batch was full). p_parked_ids, with p_parked_as (see park_verdict) and '
    'p_parked_errors: messages of the batch that could not be delivered, see park(). p_durable false: a crash of the '
    'server may repeat the batch. ON065: another reader was faster, roll back. ON069: there was a failover since the '
    'batch was read; roll back and read again.';

$functions$, '{message}', 'null::{schema}.batch, o.id, o.message_id, o.given_id, o.published_at, o.service, o.topic, '
    'o.key, o.traceparent, o.content_type, o.headers, o.payload_json, o.payload_bytes, false'), '{new}', $new$
    ((o.id operator(pg_catalog.>>) 20) operator(pg_catalog.&) 7)
        operator(pg_catalog.=) ((v_end operator(pg_catalog.>>) 20) operator(pg_catalog.&) 7)
    and o.id operator(pg_catalog.>) v_after and o.id operator(pg_catalog.<=) v_end
    and not pg_catalog.pg_visible_in_snapshot(o.txid, v_at.from_snap)
    and pg_catalog.pg_visible_in_snapshot(o.txid, v_at.to_snap)$new$), '{wanted}', $wanted$
    (v_at.slices operator(pg_catalog.=) 1
         or o.bucket operator(pg_catalog.%) v_at.slices operator(pg_catalog.=) p_slice)
    and (v_at.topics is null or o.topic operator(pg_catalog.=) any (v_at.topics)
         or o.topic operator(pg_catalog.^@) any (v_prefix))
    and (v_at.starts_at is null or o.published_at operator(pg_catalog.>=) v_at.starts_at)$wanted$),
    '{schema}', quote_ident(current_schema()));

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

execute replace($functions$

create function {schema}.outbox_writers() returns text[]
language plpgsql volatile security definer
as $$
begin
    return array(select l.virtualtransaction from pg_catalog.pg_locks as l
                 where l.relation operator(pg_catalog.=) any (
                     array['{schema}.outbox'::pg_catalog.regclass::pg_catalog.oid,
                           '{schema}.scheduled_message'::pg_catalog.regclass::pg_catalog.oid])
                   and l.locktype operator(pg_catalog.=) 'relation' and l.mode operator(pg_catalog.=) 'RowExclusiveLock'
                   and (l.pid operator(pg_catalog.=) pg_catalog.pg_backend_pid()) is not true
                   and l.database operator(pg_catalog.=) (
                       select d.oid from pg_catalog.pg_database as d
                       where d.datname operator(pg_catalog.=) pg_catalog.current_database()));
end $$;
comment on function {schema}.outbox_writers() is
    'Transactions that have staged or scheduled messages and not ended yet, as virtual transaction ids.';

create function {schema}.fall_asleep(p_for interval, out sleep_number bigint, out writers text[])
language plpgsql security definer
as $$
declare
    v_now constant bigint := extract(epoch from pg_catalog.clock_timestamp()) operator(pg_catalog.*) 1000;
    v_set pg_catalog.text;
begin
    -- For so long a reader that is not there can make every commit notify.
    if (p_for operator(pg_catalog.>=) interval '0' and p_for operator(pg_catalog.<=) interval '1 minute') is not true
    then
        raise exception 'a sleep takes 0 to 60 seconds' using errcode = '22023';
    end if;
    if pg_catalog.pg_current_xact_id_if_assigned() is null then
        v_set := pg_catalog.set_config('synchronous_commit', 'off', true); -- nothing here is worth waiting for the disk
    end if;
    -- The time first: a writer that sees the number must not find the time of an earlier sleep. Two that fall asleep at
    -- once can overwrite each other; so it is the same time for all sleeps, and a bit more. Where another sleep has set
    -- it that far ahead, it is not written again.
    if (pg_catalog.pg_sequence_last_value('{schema}.outbox_asleep_until_seq'::pg_catalog.regclass)
        operator(pg_catalog.>=) (v_now operator(pg_catalog.+) 60000)) is not true then
        sleep_number := pg_catalog.setval('{schema}.outbox_asleep_until_seq'::pg_catalog.regclass,
                                          v_now operator(pg_catalog.+) 70000);
    end if;
    sleep_number := pg_catalog.nextval('{schema}.outbox_asleep_seq'::pg_catalog.regclass);
    -- A dump reads one sequence after the other, so that the numbers may not fit after a restore.
    if sleep_number operator(pg_catalog.<=)
       pg_catalog.pg_sequence_last_value('{schema}.outbox_woken_seq'::pg_catalog.regclass) then
        sleep_number := pg_catalog.setval('{schema}.outbox_asleep_seq'::pg_catalog.regclass,
            pg_catalog.pg_sequence_last_value('{schema}.outbox_woken_seq'::pg_catalog.regclass)
                operator(pg_catalog.+) 1);
    end if;
    -- After the number is visible: a writer that is not in this list will see it.
    writers := {schema}.outbox_writers();
end $$;
comment on function {schema}.fall_asleep(interval) is
    'A reader that LISTENs says that it is about to sleep; from now on who stages messages notifies. The writers '
    'that it returns may have looked before: read once more, and poll until they are through, before you sleep. A '
    'notification that comes meanwhile ends this sleep before it begins: read again. Call it in a transaction of its '
    'own, and sleep no longer than p_for, up to 60 seconds.';

$functions$, '{schema}', quote_ident(current_schema()));

create function wake_up(p_notification text) returns void
language plpgsql security definer set search_path from current
as $$
declare
    v_number bigint;
begin
    if p_notification is null or p_notification !~ '^[0-9]{1,18}:[0-9a-f]{20}$' then
        return; -- any session may notify
    end if;
    if pg_current_xact_id_if_assigned() is null then
        perform set_config('synchronous_commit', 'off', true);
    end if;
    v_number := split_part(p_notification, ':', 1)::bigint;
    if (select last_value from outbox_woken_seq) < v_number and p_notification = v_number || ':' || wake_proof(v_number)
       -- No reader sleeps under a number that was not given out yet.
       and v_number <= (select last_value from outbox_asleep_seq) then
        perform setval('outbox_woken_seq', v_number);
    end if;
end $$;
comment on function wake_up(text) is
    'A reader that got a notification, asleep or not, says so, and passes its payload: each reader that fell asleep '
    'before that was sent got the same notification. From now on no writer notifies until a reader sleeps again. What '
    'notify_readers() did not send does nothing, so no session ends the sleep of another.';

perform end_migration();
end $file$;
