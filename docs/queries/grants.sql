-- Rights of the roles that use the schema, by the group roles that 0020_roles.up.sql makes. Apply it as the owner.

-- [region: service]
-- A service: it calls functions, and has no right on any table. once_producer: requests, messages, tokens, leases,
-- operations, the inbox. once_consumer: reading the outbox; a service that only writes does without.
create role orders_service login;
grant once_producer, once_consumer to orders_service;
-- [endregion]

-- [region: people]
-- People who look: states, times, names, and no payload, response or secret.
create role alice login;
grant once_inspector to alice;

-- People who decide: they see everything, and redrive, discard, resolve, purge.
create role bob login;
grant once_administrator to bob;

-- The job that keeps the tables small, and nothing else.
create role once_janitor login;
grant usage on schema once to once_janitor;
grant execute on function
    once.purge(integer, timestamptz), once.purge_leases(interval, integer, timestamptz),
    once.purge_tokens(integer, timestamptz), once.purge_inbox(integer, timestamptz),
    once.purge_operations(integer, timestamptz), once.purge_windows(integer, timestamptz),
    once.trim_outbox(interval, integer, timestamptz)
to once_janitor;
-- [endregion]

-- [region: mapping]
-- Two login roles that act for one service: they share its records.
insert into once.service_role (role, service) values ('orders_service', 'orders'), ('orders_service_v2', 'orders');
-- [endregion]

-- [region: rotation]
-- A service whose login roles come and go, as Vault and cloud providers make them. A group says which service its
-- members are: it has a row, and may execute service_by_membership().
create role shipping nologin;
grant once_producer, once_consumer to shipping;
insert into once.service_role (role, service) values ('shipping', 'shipping');
grant execute on function once.service_by_membership() to shipping;

-- What makes each new credential, for example creation_statements of Vault. Members have to inherit, which is the
-- default.
create role shipping_monday login in role shipping;
create role shipping_tuesday login in role shipping;
-- [endregion]

-- [region: bounds]
-- A transaction that was forgotten ends; one service does not take all connections.
alter role orders_service set idle_in_transaction_session_timeout = '1min';
alter role orders_service connection limit 50;
-- [endregion]
