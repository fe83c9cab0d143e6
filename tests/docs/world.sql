-- What the blocks of the pages speak of, besides docs/queries/records.sql and messages.sql. Applied by check_blocks.

-- docs/relay.md: a subscription with a message that its receiver refused.
select from once.subscribe('to-shop', array['shop.*'], p_from => 'beginning');
select from once.publish('shop.opened', 'S-1', '{"shop":1}', p_message_id => '0193639c-4b5a-7c3d-8e9f-0123456789ab');
select from once.acknowledge('to-shop', 0, (select batch from once.next_batch('to-shop') where id is null), null, 1,
    array(select id from once.next_batch('to-shop') where id is not null), '{dead}', array['HTTP 400']);

-- docs/repository.md: a table of the owner's own.
create schema shop authorization deployer;
create table shop.orders (id bigint primary key, version bigint not null default 1);
alter table shop.orders owner to deployer;
