-- 0015 operation, reversed. Operations that are not finished are lost, and with them which calls they made.
-- Look first:  select * from operation_readable where state <> 'finished';
--
-- Locks: ACCESS EXCLUSIVE on operation, for an instant; services must not be running.

do $file$ begin
perform begin_removal('0015_operation');

drop view operation_readable;
drop function purge_operations(integer, timestamptz);
drop function end_operation(text, text, integer, json, timestamptz, text);
drop function resolve_operation(text, text, text, json, timestamptz, text);
drop function finish_operation(text, text, bigint, text, json, integer, json, text, json, bytea, timestamptz);
drop function store_answer_of_operation(operation, integer, json, text, json, bytea);
drop function release_operation(text, text, bigint, text, interval, integer, boolean, timestamptz);
drop function renew_operation(text, text, bigint, interval, timestamptz);
drop function advance_operation(text, text, bigint, text, text, operation_call, json, interval, timestamptz);
drop function next_operation(text[], uuid, interval, integer, timestamptz);
drop function retake_operation(text, text, uuid, interval, timestamptz);
drop function begin_operation(text, text, bytea, text, text[], operation_call, json, uuid, interval, integer, interval,
                              interval, timestamptz);
drop function own_operation(operation, uuid, interval, integer, timestamptz);
drop function refuse_decided_operation();
drop function refuse_lost_operation(bigint);
drop function check_operation(text, json);
drop function check_lease(interval);
drop function answer_of_claim(claim_answer);
drop function answer_of_operation(operation, operation_outcome);
drop function bare_operation_answer(operation_outcome);
drop function call_key(text, text, text);
drop function call_key_of(text, text, text, text);
drop type operation_answer;
drop table operation;
drop type operation_outcome;
drop type operation_call;
drop type operation_state;
end $file$;
