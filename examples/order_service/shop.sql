-- The tables of the shop. Nothing in them forbids to place the same cart twice: that is left to the idempotency key.

create schema shop;

create sequence shop.order_number;

create table shop.orders (
    id        bigint generated always as identity primary key,
    number    text not null unique default 'A-' || lpad(nextval('shop.order_number')::text, 4, '0'),
    customer  text not null,
    cart      text not null,
    item      text not null,
    quantity  integer not null check (quantity > 0),
    cents     bigint not null,
    note      text not null default '',
    version   bigint not null default 1,
    placed_at timestamptz not null default clock_timestamp()
);

-- From now on every UPDATE must add 1 to the version, also one from psql.
select once.enforce_version('shop.orders');

create table shop.stock (
    item      text primary key,
    price     bigint not null, -- in cents
    remaining integer not null check (remaining >= 0)
);

insert into shop.stock values
    ('tea', 450, 1000000), ('lamp', 3900, 1000000), ('chair', 8900, 1000000), ('grand piano', 2490000, 1000000);

create table shop.votes (
    id    bigint generated always as identity primary key,
    poll  text not null,
    voter text not null,
    unique (poll, voter)
);
