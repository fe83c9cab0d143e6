-- The tables of the warehouse, which gets the messages over HTTP. Nothing in them forbids to do a job twice: that is
-- left to the inbox.

create schema warehouse;

create table warehouse.job (
    id            bigint generated always as identity primary key,
    message_id    uuid not null,
    topic         text not null,
    order_number  text,
    order_version bigint,
    done_at       timestamptz not null default clock_timestamp()
);

-- Every request that arrived, what the inbox said of it, and what was answered.
create table warehouse.request (
    id         bigint generated always as identity primary key,
    message_id uuid not null,
    receipt    text,
    answer     text not null,
    arrived_at timestamptz not null default clock_timestamp()
);
