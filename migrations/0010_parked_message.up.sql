-- 0010 parked_message: messages whose delivery failed, and what waits behind them.
-- More than 400 lines: what parks, takes and settles a message is read in one piece.
--
-- Apply: into the schema that holds 0009.
-- Locks: creates new objects only.
-- Reverse: 0010_parked_message.down.sql

do $file$ begin
perform begin_migration('0010_parked_message');

create type parked_state as enum ('retrying', 'waiting', 'dead');
comment on type parked_state is
    'retrying: comes again at next_attempt_at. waiting: an earlier message of its key is here. dead: its attempts are '
    'used up, or it was rejected: call redrive() or discard().';
create type park_verdict as enum ('retry', 'dead', 'behind', 'suspect');
comment on type park_verdict is
    'Why a message of a batch is parked. retry: an attempt failed. dead: it was rejected. behind: it was not tried, an '
    'earlier message of its key is parked. suspect: it may have ended the worker that had it, and comes again at once, '
    'alone.';
create type delivery_result as enum ('accepted', 'retry', 'rejected', 'unavailable');
comment on type delivery_result is
    'What came of a message that take_parked() handed out. accepted: it was delivered. retry: it failed, and comes '
    'again while attempts are left. rejected: it never will be accepted. unavailable: it was not tried, or the '
    'receiver could take nothing; the attempt does not count.';

create table parked_message (
    service         text          collate "C" not null,
    subscription    text          collate "C" not null,
    slice           smallint      not null,
    id              bigint        not null,
    message_id      message_uuid  not null,
    given_id        message_uuid,
    state           parked_state  not null,
    attempts        integer       not null,
    last_error      text,
    parked_at       timestamptz   not null default clock_timestamp(),
    next_attempt_at timestamptz,
    started_at      timestamptz,
    published_at    timestamptz   not null,
    published_by    text          not null,
    topic           message_topic not null,
    key             message_key,
    traceparent     message_trace,
    content_type    media_type,
    headers         json,
    payload_json    json,
    payload_bytes   bytea,
    constraint parked_message_pkey primary key (service, subscription, id),
    constraint parked_message_state_times check ((state = 'retrying') = (next_attempt_at is not null)
                                                 and (started_at is null or state <> 'dead')),
    constraint parked_message_attempts_valid check (attempts >= 0),
    constraint parked_message_error_short check (octet_length(last_error) <= 4096)
)
with (fillfactor = 80);
comment on table parked_message is
    'Messages whose delivery failed, with the later ones of their key: a copy, because the outbox moves on. A row goes '
    'when its message is delivered or discarded.';
comment on column parked_message.service is 'The service that reads.';
comment on column parked_message.subscription is 'Its subscription.';
comment on column parked_message.slice is 'Its slice.';
comment on column parked_message.id is 'The place that the message had in the log.';
comment on column parked_message.message_id is 'Identity of the message.';
comment on column parked_message.given_id is 'The id that its application gave, if it gave one.';
comment on column parked_message.state is 'What becomes of it next, see parked_state.';
comment on column parked_message.attempts is
    'How often it was tried. Counted before the attempt; for what is handed out behind another message, when it '
    'failed.';
comment on column parked_message.last_error is 'Why the last attempt failed; up to 4096 bytes.';
comment on column parked_message.parked_at is 'When it was parked.';
comment on column parked_message.next_attempt_at is 'When it comes again.';
comment on column parked_message.started_at is
    'It was handed out then, and what came of it has not been reported: it is on its way, or its worker ended. When '
    'it is waiting, it was handed out behind an earlier message of its key.';
comment on column parked_message.published_at is 'When the message was staged.';
comment on column parked_message.published_by is 'The service that staged it.';
comment on column parked_message.topic is 'As in the outbox.';
comment on column parked_message.key is 'As in the outbox. Later messages of this key wait.';
comment on column parked_message.traceparent is 'As in the outbox.';
comment on column parked_message.content_type is 'As in the outbox.';
comment on column parked_message.headers is 'As in the outbox.';
comment on column parked_message.payload_json is 'As in the outbox.';
comment on column parked_message.payload_bytes is 'As in the outbox.';
comment on constraint parked_message_pkey on parked_message is 'A message is parked once per subscription.';
comment on constraint parked_message_state_times on parked_message is
    'Only what is retrying has a next attempt, and what is dead is not on its way.';
comment on constraint parked_message_attempts_valid on parked_message is 'Attempts are counted from 0.';
comment on constraint parked_message_error_short on parked_message is 'Up to 4096 bytes.';

-- Partial, so that no plan can look for an id in it: without statistics it seems as good for that as the primary key.
create index parked_message_key_idx on parked_message (service, subscription, key, id) where key is not null;
comment on index parked_message_key_idx is 'Which message of a key is the first, and whether a key is blocked.';
create index parked_message_due_idx on parked_message (service, subscription, slice, next_attempt_at, id)
    where state = 'retrying';
comment on index parked_message_due_idx is 'What is due.';
create index parked_message_started_idx on parked_message (service, subscription, slice, next_attempt_at, id)
    where state = 'retrying' and started_at is not null;
comment on index parked_message_started_idx is 'Which of those were on their way when their worker ended.';

-- Transactions that park, and those that take a parked message away, do so one after the other: a message that is
-- parked behind one that another transaction removes at this moment would wait forever.
create function lock_subscription(p_service text, p_name text) returns subscription
language plpgsql
as $$
declare
    v_subscription subscription;
begin
    select * into v_subscription from subscription where service = p_service and name = p_name for no key update;
    if not found then
        raise exception 'service % has no subscription %', p_service, p_name
            using errcode = 'ON060', hint = 'make it with subscribe()';
    end if;
    return v_subscription;
end $$;
comment on function lock_subscription(text, text) is
    'The subscription, whatever its state, or ON060; until the end of the transaction no other one changes what is '
    'parked.';

execute replace($functions$

create function {schema}.key_is_blocked(
    p_service text, p_subscription text, p_key text, p_dead_blocks boolean
) returns boolean
language plpgsql stable
as $$
begin
    return p_key is not null and exists (
        select from {schema}.parked_message as p
        where (p.service, p.subscription, p.key) operator(pg_catalog.=) (p_service, p_subscription, p_key)
          and (p_dead_blocks or p.state operator(pg_catalog.<>) 'dead'));
end $$;
comment on function {schema}.key_is_blocked(text, text, text, boolean) is
    'Whether a later message of this key has to wait for one that is parked.';

$functions$, '{schema}', quote_ident(current_schema()));

create function backoff(p_subscription subscription, p_attempts integer) returns interval
language sql volatile
return least(p_subscription.backoff_cap, p_subscription.backoff_base * power(2, least(greatest(p_attempts - 1, 0), 30)))
       * (0.5 + random() / 2);
comment on function backoff(subscription, integer) is
    'Pause after so many failed attempts: doubles up to the cap, and between half and all of it by chance, so that '
    'what failed together does not come back together.';

create function park(
    p_subscription text,
    p_slice        integer,
    p_ids          bigint[],
    p_as           park_verdict[],
    p_errors       text[],
    p_now          timestamptz default null
) returns void
-- Few rows by their id, whatever the plan was made for. A scan of service_role then looks dear enough to be compiled.
language plpgsql security definer set search_path from current
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
declare
    v_service constant text         := service_of_session();
    v_sub     constant subscription := lock_subscription(v_service, p_subscription);
    v_now     constant timestamptz  := coalesce(time_given(p_now), clock_timestamp());
    v_parked  integer;
begin
    perform require_lengths('p_ids', cardinality(p_ids), array['p_as', 'p_errors'], array[cardinality(p_as),
        cardinality(p_errors)]);
    if (p_as is not null and array_position(p_as, null) is null) is not true then
        raise exception 'p_as says for each id whether it is to be retry, dead, behind or suspect' using errcode =
            '22023';
    end if;
    with named as materialized (
        select found.message, p.error, row_number() over (partition by (found.message).key order by p.id) as place,
               case when p.parked_as = 'retry' and v_sub.max_attempts <= 1 then 'dead' else p.parked_as end as parked_as
        from unnest(p_ids, p_as, p_errors) as p (id, parked_as, error)
        cross join lateral (select o from outbox as o where o.id = p.id offset 0) as found (message)
    ), placed as (
        select n.*,
               -- Whatever is behind another message of its key waits for it. Asked once for each key, before the first
               -- of it is here: who asks in between goes through all of them again.
               (n.message).key is not null and (
                   bool_or(n.place = 1 and key_is_blocked(v_service, p_subscription, (n.message).key,
                       v_sub.dead_blocks_key))
                   over (partition by (n.message).key)
                   or coalesce(bool_or(v_sub.dead_blocks_key or n.parked_as <> 'dead')
                               over (partition by (n.message).key order by (n.message).id
                                     rows between unbounded preceding and 1 preceding), false)) as waits
        from named as n
    )
    insert into parked_message (service, subscription, slice, id, message_id, given_id, state, attempts, last_error,
        next_attempt_at,
                                started_at, published_at, published_by, topic, key, traceparent, content_type, headers,
                                payload_json, payload_bytes)
    select v_service, p_subscription, p_slice, (message).id, (message).message_id, (message).given_id,
           case when parked_as = 'dead' then 'dead' when waits then 'waiting' else 'retrying' end::parked_state,
           -- With one attempt in all, a suspect has it still: it is not known which message ended the worker.
           case when parked_as = 'behind' or (parked_as = 'suspect' and v_sub.max_attempts = 1) then 0 else 1 end,
           left(error, 1000),
           case when parked_as = 'dead' or waits then null
                when parked_as = 'retry' then v_now + backoff(v_sub, 1) else v_now end,
           case when parked_as = 'suspect' then v_now end,
           (message).published_at, (message).service, (message).topic, (message).key, (message).traceparent,
           (message).content_type, (message).headers, (message).payload_json, (message).payload_bytes
    from placed
    on conflict (service, subscription, id) do nothing;
    get diagnostics v_parked = row_count;
    if v_parked <> cardinality(p_ids) then
        raise exception '% of % messages to park are not in the outbox, or were parked before',
            cardinality(p_ids) - v_parked, cardinality(p_ids) using errcode = 'ON066';
    end if;
    -- acknowledge() has said so, where it is the caller.
    update checkpoint set parked = true
    where ctid = any (array(select c.ctid from checkpoint as c
                            where c.service = v_service and c.subscription = p_subscription and c.slice = p_slice
                            order by c.service desc, c.subscription desc, c.slice desc, c.number desc limit 1))
      and not parked;
end $$;
comment on function park(text, integer, bigint[], park_verdict[], text[], timestamptz) is
    'Parks messages of a batch, in the transaction that acknowledges it; p_as says for each why, see park_verdict.';

-- Rows are looked up first and changed where they lie. Joined by their id alone, a plan that was made while there were
-- few rows, or none, goes through all of the subscription for each of them.
create function promote_keys(p_subscription subscription, p_keys text[], p_now timestamptz) returns bigint
language plpgsql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
    v_promoted bigint;
begin
    update parked_message as p
    set state = 'retrying', next_attempt_at = p_now
    from (select distinct k from unnest(p_keys) as k where k is not null) as keys (key)
    cross join lateral (
        select f.ctid from parked_message as f
        where f.service = p_subscription.service and f.subscription = p_subscription.name and f.key = keys.key
          and (p_subscription.dead_blocks_key or f.state <> 'dead')
        order by f.key, f.id limit 1) as first (place)
    where p.ctid = first.place and p.state = 'waiting';
    get diagnostics v_promoted = row_count;
    return v_promoted;
end $$;
comment on function promote_keys(subscription, text[], timestamptz) is
    'Whatever has become the first of these keys is due now.';

create function untried_behind(p_subscription subscription, p_slice integer, p_key text, p_id bigint, p_most integer)
returns setof bigint
language plpgsql stable
as $$
begin
    -- The limit stands before the conditions, so that no more rows are read, however many are dead or were tried.
    return query
    select n.id
    from (select p.id, p.state,
                 bool_and(p.slice = p_slice and (
                              (p.state = 'waiting' and p.attempts = 0 and p.started_at is null)
                              or (p.state = 'dead' and not p_subscription.dead_blocks_key))) over (order by p.id)
                                  as untried
          from (select f.id, f.slice, f.state, f.attempts, f.started_at from parked_message as f
                where f.service = p_subscription.service and f.subscription = p_subscription.name and f.key = p_key
                  and f.id > p_id
                order by f.key, f.id limit p_most) as p) as n
    where n.untried and n.state = 'waiting';
end $$;
comment on function untried_behind(subscription, integer, text, bigint, integer) is
    'What can be handed out together with this message of this key: those that wait behind it, up to the first that '
    'was tried, or was on its way when a worker ended. Reads so many entries of an index.';

create function first_parked(p_service text, p_subscription text, p_slice integer,
    p_now timestamptz) returns timestamptz
language plpgsql set search_path from current
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
as $$
declare
    v_of    constant text := concat_ws(' ', p_service, p_subscription, p_slice);
    v_from  constant timestamptz := look_from('parked', v_of);
    v_read  constant bigint := pg_stat_get_xact_tuples_returned('parked_message_due_idx'::regclass);
    v_first timestamptz;
begin
    v_first := (select next_attempt_at from parked_message
                where service = p_service and subscription = p_subscription and slice = p_slice and state = 'retrying'
                  and next_attempt_at >= v_from
                order by next_attempt_at limit 1);
    perform keep_look('parked', v_of, v_from, least(v_first, p_now),
                      pg_stat_get_xact_tuples_returned('parked_message_due_idx'::regclass) - v_read);
    return v_first;
end $$;
comment on function first_parked(text, text, integer, timestamptz) is
    'The time of the first attempt that waits for one in a slice.';

-- More than 80 lines: one statement with all conditions, planned once.
create function take_parked(
    p_subscription text,
    p_slice        integer     default 0,
    p_limit        integer     default 100,
    p_keys         integer     default null,
    p_bytes        bigint      default 16777216,
    p_now          timestamptz default null
) returns setof parked_message
-- Few rows by their id, whatever the plan was made for. A scan of service_role then looks dear enough to be compiled.
language plpgsql security definer set search_path from current
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
#variable_conflict use_column
declare
    v_service constant text         := service_of_session();
    v_sub     constant subscription := usable_subscription(v_service, p_subscription);
    v_now     constant timestamptz  := coalesce(time_given(p_now), clock_timestamp());
    v_first   constant timestamptz  := first_parked(v_service, p_subscription, p_slice, v_now);
    v_alone   bigint;
    v_keys    text[];
begin
    if (v_first <= v_now) is not true then
        return;
    end if;
    -- So that none of a key is discarded or redriven between the look at what waits and the mark that it is on its way.
    perform lock_subscription(v_service, p_subscription);
    -- What began and was never reported has ended its worker. It comes alone, so that it cannot take others with it.
    -- The last attempt is always alone: so whatever is found here in the midst of it has ended its worker by itself.
    with ended as (
        update parked_message
        set state = 'dead', next_attempt_at = null, started_at = null,
            last_error = 'the worker ended during this attempt, the last of ' || attempts
        where service = v_service and subscription = p_subscription and slice = p_slice and state = 'retrying'
          and started_at is not null and next_attempt_at between v_first and v_now and attempts >= v_sub.max_attempts
        returning key
    )
    select array_agg(key) into v_keys from ended;
    perform promote_keys(v_sub, v_keys, v_now);
    select id into v_alone from parked_message
    where service = v_service and subscription = p_subscription and slice = p_slice and state = 'retrying'
      and started_at is not null and next_attempt_at between v_first and v_now
    order by next_attempt_at, id limit 1;
    -- Where the first attempt is the last, that would be every message. There it counts when it failed, and comes alone
    -- after its worker ended.
    if not found then
        select case when attempts >= greatest(v_sub.max_attempts - 1, 1) then id end into v_alone from parked_message
        where service = v_service and subscription = p_subscription and slice = p_slice and state = 'retrying'
          and next_attempt_at between v_first and v_now
        order by next_attempt_at, id limit 1;
    end if;

    return query
    with first as materialized (
        -- What has failed before shows whether its key has recovered. Only what was never tried brings others along.
        select id, key, attempts = 0 and key is not null and v_alone is null as leads,
               row_number() over (order by next_attempt_at, id) as place
        from parked_message
        where service = v_service and subscription = p_subscription and slice = p_slice and state = 'retrying'
          and next_attempt_at between v_first and v_now
          and case when v_alone is null then attempts < greatest(v_sub.max_attempts - 1, 1) else id = v_alone end
        order by next_attempt_at, id limit least(p_limit, p_keys)
    ), share as materialized (
        select ((p_limit - count(*)) / greatest(count(*) filter (where leads), 1))::integer as most from first
    ), due as materialized (
        select id, case when v_alone is null and v_sub.max_attempts = 1 then 0 else 1 end as counted, place from first
        union all
        select b.id, 0, null from first as f cross join share as s
        cross join lateral untried_behind(v_sub, p_slice, f.key, f.id, s.most) as b (id)
        where f.leads
    ), sized as (
        -- Those behind come last, in the order of the log: so what p_bytes cuts off is never in front of one of its
        -- key.
        select due.counted, found.place, row_number() over in_turn as turn,
               sum(found.bytes) over (in_turn rows unbounded preceding) as bytes
        from due cross join lateral (
            select q.ctid, delivery_size(q.payload_json, q.payload_bytes, q.headers) from parked_message as q
            where q.service = v_service and q.subscription = p_subscription
                and q.id = due.id offset 0) as found (place, bytes)
        window in_turn as (order by due.place nulls last, due.id)
    ), taken as (
        update parked_message as p
        set attempts = p.attempts + s.counted, started_at = v_now
        from sized as s
        where p.ctid = s.place and (s.turn = 1 or s.bytes <= p_bytes)
        returning p.*
    )
    select * from taken order by id;
end $$;
comment on function take_parked(text, integer, integer, integer, bigint, timestamptz) is
    'Parked messages that are due, of up to p_keys keys and p_bytes of payload and headers (one at least), with the '
    'attempt counted. What was never tried comes with those that wait untried behind it, in their order: deliver '
    'none after an earlier one of its key was not accepted, and report it as unavailable. Commit before you try '
    'them, and report all with settle_parked(): so a message that ends its worker ends up dead. For its last '
    'attempt, and after it may have ended a worker, a message comes alone. Only the active reader of the slice calls '
    'it.';

execute replace($functions$

create function {schema}.parked_due(
    p_subscription text, p_slice integer default 0, p_now timestamptz default null
) returns interval
language plpgsql security definer set enable_seqscan = off set enable_sort = off
as $$
declare
    v_now     constant timestamp with time zone := coalesce({schema}.time_given(p_now), pg_catalog.clock_timestamp());
    v_service constant pg_catalog.text := {schema}.service_of_session();
    v_first   timestamp with time zone;
begin
    if pg_catalog.length(pg_catalog.current_setting('once.look_parked', true)) operator(pg_catalog.>) 0 then
        v_first := {schema}.first_parked(v_service, p_subscription, p_slice, v_now);
    else
        select p.next_attempt_at into v_first from {schema}.parked_message as p
        where (p.service, p.subscription, p.slice) operator(pg_catalog.=) (v_service, p_subscription, p_slice)
          and p.state operator(pg_catalog.=) 'retrying'
        order by p.next_attempt_at limit 1;
        -- That was much: first_parked() keeps where it ends.
        if pg_catalog.pg_stat_get_xact_tuples_returned('{schema}.parked_message_due_idx'::pg_catalog.regclass)
           operator(pg_catalog.>) 1000 then
            v_first := {schema}.first_parked(v_service, p_subscription, p_slice, v_now);
        end if;
    end if;
    return greatest(v_first operator(pg_catalog.-) v_now, case when v_first is not null then interval '0' end);
end $$;
comment on function {schema}.parked_due(text, integer, timestamptz) is
    'In what time take_parked() has something for this slice: 0 means now, null that nothing waits for a time. Reads '
    'one entry of an index.';

$functions$, '{schema}', quote_ident(current_schema()));

-- More than 80 lines: its arguments are checked before anything is written.
create function settle_parked(
    p_subscription text,
    p_slice        integer,
    p_ids          bigint[],
    p_message_ids  uuid[],
    p_results      delivery_result[],
    p_errors       text[]      default null,
    p_after        interval[]  default null,
    p_now          timestamptz default null
) returns void
-- Few rows by their id, whatever the plan was made for. A scan of service_role then looks dear enough to be compiled.
language plpgsql security definer set search_path from current
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
declare
    v_service constant text         := service_of_session();
    -- Also while it is paused: what was handed out before must not look as if its worker had ended.
    v_sub     constant subscription := lock_subscription(v_service, p_subscription);
    v_now     constant timestamptz  := coalesce(time_given(p_now), clock_timestamp());
    v_keys    text[];
begin
    perform require_lengths('p_ids', cardinality(p_ids), array['p_message_ids', 'p_results', 'p_errors', 'p_after'],
                            array[cardinality(p_message_ids), cardinality(p_results), cardinality(p_errors),
                                cardinality(p_after)]);
    if (p_results is not null and array_position(p_results, null) is null
        and p_message_ids is not null) is not true then
        raise exception 'p_message_ids and p_results say for each id which message it is, and what came of it'
            using errcode = '22023';
    end if;
    with reported as materialized (
        select r.*, found.place
        from unnest(p_ids, p_message_ids, p_results, p_errors, p_after) as r (id, message_id, result, error, after)
        -- By its identity, too: after a failover another message can have the place in the log.
        cross join lateral (
            select q.ctid, q.message_id from parked_message as q
            where q.service = v_service and q.subscription = p_subscription
                and q.id = r.id offset 0) as found (place, message_id)
        where found.message_id = r.message_id
    ), delivered as (
        delete from parked_message as p using reported as r
        where p.ctid = r.place and p.slice = p_slice and r.result = 'accepted'
        returning p.key
    ), failed as (
        update parked_message as p
        -- What was handed out behind another message has its attempt counted now, when there was one.
        set attempts = case when r.result = 'unavailable' then greatest(p.attempts - 1, 0)
            else greatest(p.attempts, 1) end,
            started_at = null,
            state = case when r.result = 'rejected'
                              or (r.result = 'retry' and greatest(p.attempts, 1) >= v_sub.max_attempts) then 'dead'
                         when r.result = 'unavailable' then p.state else 'retrying' end,
            next_attempt_at = case when r.result = 'rejected'
                                        or (r.result = 'retry' and greatest(p.attempts, 1) >= v_sub.max_attempts)
                                        or (r.result = 'unavailable' and p.state = 'waiting') then null
                                   else v_now + greatest(backoff(v_sub, p.attempts),
                                                         least(coalesce(r.after, interval '0'), interval '7 days')) end,
            last_error = case when r.result = 'unavailable' and p.state = 'waiting' then p.last_error
                              else coalesce(left(r.error, 1000), p.last_error) end
        from reported as r
        where p.ctid = r.place and p.slice = p_slice and r.result <> 'accepted'
          and (p.state = 'retrying' or p.started_at is not null)
        returning p.key, p.state
    )
    select array_agg(key) into v_keys
    from (select key from delivered union all select key from failed where state = 'dead') as ended;
    -- Separate statements, which see what the one before has changed. While a message was on its way, an earlier
    -- one of its key may have been redriven: it waits for that one then.
    update parked_message as p set state = 'waiting', next_attempt_at = null
    from unnest(p_ids, p_message_ids, p_results) as r (id, message_id, result)
    cross join lateral (
        select q.ctid, q.key, q.id, q.message_id from parked_message as q
        where q.service = v_service and q.subscription = p_subscription
            and q.id = r.id offset 0) as found (place, key, id, message_id)
    cross join lateral (
        select from parked_message as e
        where e.service = v_service and e.subscription = p_subscription and e.key = found.key and e.id < found.id
          and (v_sub.dead_blocks_key or e.state <> 'dead')
        order by e.key, e.id limit 1) as earlier
    where r.result <> 'accepted' and found.message_id = r.message_id and p.ctid = found.place and p.state = 'retrying';
    perform promote_keys(v_sub, v_keys, v_now);
end $$;
comment on function settle_parked(
    text, integer, bigint[], uuid[], delivery_result[], text[], interval[], timestamptz) is
    'Reports what came of messages that take_parked() handed out: p_ids and p_message_ids as it named them. accepted: '
    'delivered, it goes. retry: later, or dead when its attempts are used up; p_after is the least pause that the '
    'receiver asked for, up to 7 days. rejected: dead. unavailable: the receiver could not take anything, or an '
    'earlier message of its key was not accepted; the attempt does not count.';

create function redrive(
    p_subscription text,
    p_message_id   uuid        default null,
    p_now          timestamptz default null,
    p_service      text        default null
) returns integer
language plpgsql security definer set search_path from current
as $$
declare
    v_now   constant timestamptz := coalesce(time_given(p_now), clock_timestamp());
    v_sub   subscription;
    v_count integer;
    v_keys  text[];
begin
    -- An update and not a lock alone: one that parks with an older snapshot is refused then, and comes again.
    update subscription set state = state where service = service_named(p_service) and name = p_subscription
        returning * into v_sub;
    with redriven as (
        update parked_message
        set state = case when key is null then 'retrying' else 'waiting' end::parked_state, attempts = 0,
            started_at = null,
            next_attempt_at = case when key is null then v_now end
        where service = v_sub.service and subscription = v_sub.name and state = 'dead'
          and (p_message_id is null or message_id = p_message_id)
        returning key
    )
    select count(*), array_agg(key) into v_count, v_keys from redriven;
    -- Where dead messages let later ones pass, one of those may be due already. It waits again, unless it is on its
    -- way.
    update parked_message as p set state = 'waiting', next_attempt_at = null
    where p.service = v_sub.service and p.subscription = v_sub.name and p.key = any(v_keys) and p.state = 'retrying'
      and p.started_at is null
      and exists (select from parked_message as e where e.service = p.service and e.subscription = p.subscription
                  and e.key = p.key and e.id < p.id and e.state = 'waiting');
    perform promote_keys(v_sub, v_keys, v_now);
    return v_count;
end $$;
comment on function redrive(text, uuid, timestamptz, text) is
    'Lets dead messages be tried again, from attempt 1: one, or all of the subscription. Returns how many.';

create function discard(p_subscription text, p_message_id uuid, p_service text default null) returns boolean
language plpgsql security definer set search_path from current
as $$
declare
    v_sub subscription;
    v_key text;
    v_found boolean;
begin
    update subscription set state = state where service = service_named(p_service) and name = p_subscription
        returning * into v_sub;
    delete from parked_message
    where service = v_sub.service and subscription = v_sub.name and message_id = p_message_id
    returning key into v_key;
    v_found := found;
    perform promote_keys(v_sub, array[v_key], clock_timestamp());
    return v_found;
end $$;
comment on function discard(text, uuid, text) is
    'Gives a parked message up for this subscription: it will never be delivered. What waited behind it goes on.';

perform end_migration();
end $file$;
