-- The messages that docs/inspection.md shows: two subscriptions, one that is behind and one with trouble.
set application_name = 'billing-1';
select from once.subscribe('billing', array['orders.*'], p_from => 'beginning');
select from once.subscribe('search', p_from => 'beginning', p_slices => 2);

select from once.publish('orders.placed', 'A-16', '{"order":"A-16"}',
    p_message_id => '5f0c0000-0000-4000-8000-000000000016', p_fresh => true);
select from once.publish('orders.placed', 'A-17', '{"order":"A-17"}',
    p_message_id => '5f0c0000-0000-4000-8000-000000000017', p_fresh => true);
select from once.publish('orders.paid', 'A-16', '{"order":"A-16"}',
    p_message_id => '5f0c0000-0000-4000-8000-000000000116', p_fresh => true);
select from once.publish('stock.counted', null, '{"tea":4}', p_message_id => '5f0c0000-0000-4000-8000-000000000004',
    p_fresh => true);

-- billing has tried them: A-16 was rejected, so what comes later for that order waits.
select from once.acknowledge('billing', 0, (select batch from once.next_batch('billing') where id is null), null, 3,
    array(select id from once.next_batch('billing') where id is not null order by id),
    '{dead,retry,behind}', array['no customer bob', 'HTTP 503', null]);
select from once.publish('orders.placed', 'A-18', '{"order":"A-18"}');
