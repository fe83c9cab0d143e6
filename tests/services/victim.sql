-- What a service does all day, each with names of its own. Every statement must do its work.
\set ON_ERROR_STOP on
select gen_random_uuid() as k \gset
select once.claim('v', :'k', sha256('q'));
select once.complete('v', :'k', 200, null, 'application/json', '{}', null);
select once.lookup('v', :'k', sha256('q'));
select once.publish('v.placed', 'k', '{}');
select once.publish('v.placed', 'k', '{}', p_message_id => gen_random_uuid());
select once.schedule(now(), 'v.due', 'k', '{}');
select once.subscribe('v' || :'k');
select once.publish('v.placed', 'k', '{}');
select 1 / (released > 0)::integer from once.release_due();
select batch from once.next_batch('v' || :'k') where id is null \gset
select 1 / (count(id) >= 1)::integer from once.next_batch('v' || :'k');
select once.acknowledge('v' || :'k', 0, :'batch');
select once.parked_due('v' || :'k'), (select count(*) from once.take_parked('v' || :'k'));
select once.pause_subscription('v' || :'k'), once.unsubscribe('v' || :'k');
select 1 / (outcome = 'acquired')::integer as ok, fence from once.acquire_lease('v' || :'k', '1 minute') \gset
select 1 / (once.renew_lease('v' || :'k', :fence, '1 minute') is not null)::integer;
select once.assert_fence('v' || :'k', :fence);
select 1 / once.release_lease('v' || :'k', :fence)::integer;
select 1 / (once.receive('v', :'k') = 'fresh')::integer;
select 1 / (count(*) = 1)::integer from once.new_ones('v', array[gen_random_uuid()]);
select once.issue_token('alice', 'pay', '1 minute') as token \gset
select 1 / (outcome = 'started')::integer from once.redeem_token(sha256(:'token'), 'alice', 'pay');
select 1 / (outcome = 'started')::integer as ok, fence from once.begin_operation('o', :'k', null, 'op', '{a}', null, '{}', gen_random_uuid(), '1 minute') \gset
select once.finish_operation('o', :'k', :fence, 'a', '{}', 200, null, null, '{}', null);
select once.next_operation('{op}', gen_random_uuid(), '1 minute');
select 1 / (outcome = 'started')::integer from once.open_window('v', :'k', sha256(convert_to(:'k', 'UTF8')), '1 second');
select once.wake_up((once.fall_asleep('0')).sleep_number || ':0');
select count(*) from once.explain_stall();
