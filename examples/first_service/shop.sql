-- The tables of docs/first_service.md.
-- [region: file]
create schema shop;

create table shop.orders (
    id      bigint generated always as identity primary key,
    item    text   not null,
    pieces  bigint not null default 1 check (pieces > 0),
    version bigint not null default 1
);

create table shop.invoices (
    order_id   bigint primary key references shop.orders,
    written_at timestamptz not null default clock_timestamp()
);
-- [endregion]
