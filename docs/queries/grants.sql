-- Rights of the roles that use the schema. Apply it as the owner of the schema.

-- [region: service]
-- A service: it calls functions, and has no right on any table.
create role orders_service login;
grant usage on schema once to orders_service;
grant execute on function
    once.installed_version(), once.current_service(),
    once.claim(text, text, bytea, interval, interval, timestamptz),
    once.try_claim(text, text, bytea, interval, interval, timestamptz),
    once.claim_or_abort(text, text, bytea, interval, interval, timestamptz),
    once.lookup(text, text, bytea, timestamptz),
    once.complete(text, text, integer, json, text, json, bytea, timestamptz),
    once.complete_with_row(text, text, integer, json),
    once.receive(text, uuid, bytea, timestamptz, interval, interval, timestamptz),
    once.receive_many(text, uuid[], bytea[], timestamptz[], interval, interval, timestamptz),
    once.new_ones(text, uuid[], interval, interval),
    once.open_window(text, text, bytea, interval, interval, timestamptz),
    once.call_key(text, text, text),
    once.begin_operation(text, text, bytea, text, text[], text, json, uuid, interval, integer, interval, interval,
                         timestamptz),
    once.retake_operation(text, text, uuid, interval, timestamptz),
    once.next_operation(text[], uuid, interval, integer, timestamptz),
    once.advance_operation(text, text, bigint, text, text, text, json, interval, timestamptz),
    once.renew_operation(text, text, bigint, interval, timestamptz),
    once.release_operation(text, text, bigint, text, interval, integer, boolean, timestamptz),
    once.finish_operation(text, text, bigint, text, json, integer, json, text, json, bytea, timestamptz),
    once.acquire_lease(text, interval, text, timestamptz),
    once.renew_lease(text, bigint, interval, timestamptz),
    once.release_lease(text, bigint, timestamptz),
    once.lease_held(text, bigint, timestamptz),
    once.assert_fence(text, bigint, timestamptz)
to orders_service;
-- [endregion]

-- [region: messages]
-- What a service needs beside that to stage messages, and to run consumers and relays.
create role once_messenger nologin;
grant usage on schema once to once_messenger;
grant execute on function
    once.publish(text, text, json, bytea, text, json, text, uuid, boolean),
    once.publish_many(text[], text[], json[], bytea[], text[], json[], text[], uuid[], boolean),
    once.schedule(timestamptz, text, text, json, bytea, text, json, text, uuid, boolean),
    once.cancel_scheduled(uuid),
    once.subscribe(text, text[], text, integer, integer, interval, interval, boolean, interval, text),
    once.unsubscribe(text, text),
    once.pause_subscription(text, boolean, text),
    once.next_batch(text, integer, integer),
    once.acknowledge(text, integer, text, bigint, integer, bigint[], text[], text[], boolean),
    once.take_parked(text, integer, integer, timestamptz),
    once.parked_due(text, integer, timestamptz),
    once.settle_parked(text, integer, bigint[], text[], text[], bigint[], timestamptz),
    once.redrive(text, uuid, text, timestamptz),
    once.discard(text, uuid, text),
    once.release_due(integer, timestamptz),
    once.wake_channel(), once.outbox_writers(), once.fall_asleep(interval), once.wake_up(bigint)
to once_messenger;
grant once_messenger to orders_service;
-- [endregion]

-- [region: people]
-- People who look, and the job that purges.
create role once_reader nologin;
grant usage on schema once to once_reader;
grant select on once.idempotency_record, once.idempotency_record_readable, once.lease, once.lease_readable,
    once.lease_floor, once.inbox, once.inbox_alarm, once.operation, once.operation_readable, once.request_window,
    once.service_role, once.schema_version
to once_reader;

create role once_purger login;
grant usage on schema once to once_purger;
grant execute on function once.purge(integer, timestamptz), once.purge_leases(interval, integer, timestamptz),
    once.purge_inbox(integer, timestamptz), once.purge_operations(integer, timestamptz),
    once.purge_windows(integer, timestamptz)
to once_purger;

-- People who decide what becomes of an operation that stands still. They act for every service.
create role once_operator nologin;
grant usage on schema once to once_operator;
grant select on once.operation, once.operation_readable to once_operator;
grant execute on function
    once.resolve_operation(text, text, text, text, json, timestamptz),
    once.end_operation(text, text, text, integer, json, timestamptz)
to once_operator;
-- [endregion]

-- [region: mapping]
-- Two login roles that act for one service: they share its records.
insert into once.service_role (role, service) values ('orders_service', 'orders'), ('orders_service_v2', 'orders');
-- [endregion]
