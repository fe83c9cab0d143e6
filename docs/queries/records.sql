-- The records that docs/inspection.md shows: a shop that runs for two days. Also input of the test of its queries.
set application_name = 'orders-1';
insert into once.service_role (role, service) values (session_user, 'shop');

-- [region: one record]
select outcome from once.claim('POST /orders alice', '8c4f', sha256('{"item": "tea"}'), interval '3 days',
                               p_now => date_trunc('day', now()) - interval '14 hours');
select once.complete('POST /orders alice', '8c4f', 201, null, 'application/json', '{"order":"A-17"}', null,
                     p_now => date_trunc('day', now()) - interval '14 hours' + interval '4 milliseconds');
-- [endregion]

-- The same order once more 2 seconds later, with a key of its own: the client made a new key per click.
select from once.claim('POST /orders alice', '9d5a', sha256('{"item": "tea"}'), interval '3 days',
                       p_now => date_trunc('day', now()) - interval '13 hours 59 minutes 58 seconds');
select once.complete('POST /orders alice', '9d5a', 201, null, 'application/json', '{"order":"A-18"}', null,
                     p_now => date_trunc('day', now())
                         - interval '13 hours 59 minutes 58 seconds' + interval '3 milliseconds');

-- Another customer, the day before; two keys that answer with one order.
select from once.claim('POST /orders bob', 'b-1', sha256('{"item": "coffee"}'), interval '3 days',
                       p_now => date_trunc('day', now()) - interval '36 hours');
select once.complete('POST /orders bob', 'b-1', 201, '[["Location","/orders/A-16"]]', 'application/json',
                     '{"order":"A-16"}', null,
                     p_now => date_trunc('day', now()) - interval '36 hours' + interval '5 milliseconds');
select from once.claim('POST /orders bob', 'b-2', sha256('{"item": "coffee", "gift": true}'), interval '3 days',
                       p_now => date_trunc('day', now()) - interval '35 hours');
select once.complete('POST /orders bob', 'b-2', 200, null, 'application/json', '{"order":"A-16","gift":true}', null,
                     p_now => date_trunc('day', now()) - interval '35 hours' + interval '2 milliseconds');

-- Expired since long: for purge().
select from generate_series(1, 3) as n,
    once.claim('GET /invoice alice', 'i-' || n, null, interval '1 hour',
               p_now => date_trunc('day', now()) - interval '40 hours');
select once.complete('GET /invoice alice', 'i-' || n, 200, null, 'application/pdf', null, '\x255044462d',
                     p_now => date_trunc('day', now()) - interval '40 hours' + interval '90 milliseconds')
from generate_series(1, 3) as n;

-- Committed without complete(): a caller of claim() with a mistake.
set application_name = 'batch-import';
select from once.claim('import 2026-11', 'file-3', null, interval '3 days',
                       p_now => date_trunc('day', now()) - interval '10 hours');

-- Leases: one that is held, one that was given back, one whose holder died.
set application_name = 'orders-1';
select from once.acquire_lease('nightly report', '2 days', 'worker 7');
select from once.acquire_lease('stock import', '1 hour', 'worker 2');
select once.release_lease('stock import', fence) from once.lease where name = 'stock import';
select from once.acquire_lease('mail queue', '5 minutes', 'worker 4', date_trunc('day', now()) - interval '3 hours');

-- Tokens: two that are good, one that has expired.
select from once.issue_token('alice', 'pay', '1 day');
select from once.issue_token('bob', 'pay', '1 day');
select from once.issue_token('carol', 'reset-password', '15 minutes', date_trunc('day', now()) - interval '2 hours');
-- Two bookings with a payment elsewhere: the reply of one was lost, the process of the other has vanished.
set application_name = 'orders-1';
select from unnest(array['p-1', 'p-2']) as k (key), once.begin_operation(
    'POST /bookings alice', k.key, null, 'book order', array['reserve', 'charge', 'confirm'], null, '{"item":"tea"}',
    gen_random_uuid(), interval '30 seconds', p_now => date_trunc('day', now()) - interval '9 hours');
select from once.operation as o, once.advance_operation(
    o.scope, 'p-1', o.fence, 'reserve', 'charge', 'at_most_once', '{"item":"tea","booking":17}', interval '30 seconds',
    p_now => date_trunc('day', now()) - interval '9 hours')
where o.key = 'p-1';
select from once.operation as o, once.release_operation(
    o.scope, 'p-1', o.fence, 'the payment provider did not answer', interval '1 second', 20, true,
    p_now => date_trunc('day', now()) - interval '8 hours 59 minutes 50 seconds')
where o.key = 'p-1';

-- A message that was delivered twice, and one whose id came back with other bytes.
select from unnest(array['tea', 'tea']) as m (body), once.receive(
    'ledger', '0192f0c1-8e4a-7abc-8def-0123456789ab', sha256(m.body::bytea),
    p_now => date_trunc('day', now()) - interval '8 hours');
select from unnest(array['tea', 'coffee']) as m (body), once.receive(
    'ledger', '0192f0c1-90aa-7000-9000-0123456789ab', sha256(m.body::bytea),
    p_now => date_trunc('day', now()) - interval '7 hours');
