-- The tables of the web shop. Nothing in them forbids to place the same order twice: that is left to the key.

-- A schema of this name that is not the shop's is left alone.
do $$ begin
    if to_regnamespace('web_shop') is null then
        create schema web_shop;
        comment on schema web_shop is 'made by an example of once; drop it when you like';
    elsif obj_description(to_regnamespace('web_shop'), 'pg_namespace')
          is distinct from 'made by an example of once; drop it when you like' then
        raise exception 'the schema web_shop was not made by the example: it is left alone';
    end if;
end $$;

create table if not exists web_shop.visitor (
    id            bigint generated always as identity primary key,
    -- Only the hash, so that who reads the table cannot take over a visitor's browser session.
    cookie_sha256 bytea not null unique check (octet_length(cookie_sha256) = 32),
    came_at       timestamptz not null default clock_timestamp()
);

create sequence if not exists web_shop.order_number;

create table if not exists web_shop.orders (
    id        bigint generated always as identity primary key,
    number    text not null unique default 'A-' || lpad(nextval('web_shop.order_number')::text, 4, '0'),
    visitor   bigint not null references web_shop.visitor,
    item      text not null,
    quantity  integer not null check (quantity between 1 and 99),
    name      text not null,
    placed_at timestamptz not null default clock_timestamp()
);
