-- Only for the demonstration.

-- A grand piano takes a quarter of a second, so that clients lose their patience. A posting takes a moment, so that
-- billing is killed in the middle of one.
create function shop.take_time() returns trigger language plpgsql as $$
begin
    perform pg_sleep(case when new.item = 'grand piano' then 0.25 else 0.01 * random() end);
    return new;
end $$;

create trigger take_time before insert on shop.orders for each row execute function shop.take_time();

create function billing.take_time() returns trigger language plpgsql as $$
begin
    perform pg_sleep(0.003 * random());
    return new;
end $$;

create trigger take_time after insert on billing.posting for each row execute function billing.take_time();

-- For the checks at the end: what the clients were told.
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
