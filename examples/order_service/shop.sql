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
    note      text not null default '',
    version   bigint not null default 1,
    placed_at timestamptz not null default clock_timestamp()
);

-- From now on every UPDATE must add 1 to the version, whoever sends it.
select once.enforce_version('shop.orders');

create table shop.stock (
    item      text primary key,
    remaining integer not null check (remaining >= 0)
);

insert into shop.stock values ('tea', 1000000), ('lamp', 1000000), ('chair', 1000000), ('grand piano', 1000000);

create table shop.votes (
    id    bigint generated always as identity primary key,
    poll  text not null,
    voter text not null,
    unique (poll, voter)
);

-- Only for the demonstration: a grand piano takes a quarter of a second, so that clients lose their patience.
create function shop.take_time() returns trigger language plpgsql as $$
begin
    perform pg_sleep(case when new.item = 'grand piano' then 0.25 else 0.01 * random() end);
    return new;
end $$;

create trigger take_time before insert on shop.orders for each row execute function shop.take_time();

-- Only for the checks at the end: what the clients were told.
create schema heard;

create table heard.answer (
    process  text not null,
    action   text not null,
    variant  text not null,
    outcome  text not null,
    scope    text not null,
    key      text not null,
    in_doubt boolean not null,
    status   integer,
    headers  jsonb,
    body     text
);

create table heard.vote (process text not null, poll text not null, voter text not null);

-- So that the records name the service and not the role that the demonstration happens to connect with.
insert into once.service_role (role, service) values (session_user, 'order_service');
