-- The ledger of the billing service. Nothing in it forbids to post a message twice: that is left to the consumer.

create schema billing;

create table billing.posting (
    id            bigint generated always as identity primary key,
    message_id    uuid not null,
    order_number  text not null,
    order_version bigint not null,
    posted_at     timestamptz not null default clock_timestamp()
);

-- Double entry: the entries of a posting add up to nothing.
create table billing.entry (
    posting bigint not null references billing.posting,
    account text   not null,
    cents   bigint not null
);
