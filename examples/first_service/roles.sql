-- The roles of docs/first_service.md, one for each unit.
-- [region: file]
-- Each process logs in as a role of its own. once_producer and once_consumer were made by the migrations.
create role orders_service login;
grant once_producer to orders_service;
grant usage on schema shop to orders_service;
grant select, insert, update on shop.orders to orders_service;

create role invoices_service login;
grant once_consumer to invoices_service;
grant usage on schema shop to invoices_service;
grant insert on shop.invoices to invoices_service;

create role relay_service login;
grant once_consumer to relay_service;

-- Who reads what. A subscription belongs to the service that reads it.
select once.subscribe('invoices', array['orders.*'], p_service => 'invoices_service');
select once.subscribe('warehouse', array['orders.*'], p_service => 'relay_service');
-- [endregion]
