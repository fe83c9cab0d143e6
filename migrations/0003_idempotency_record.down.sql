-- 0003 idempotency_record, reversed. All records are lost: requests that took effect could take effect again.
--
-- Locks: ACCESS EXCLUSIVE on idempotency_record, for an instant; services must not be running.

do $file$ begin
perform begin_removal('0003_idempotency_record');

drop view idempotency_record_readable;
drop function purge(integer, timestamptz);
drop function remove_expired(regclass, regclass, name, integer, timestamptz, text);
drop function keep_look(text, text, timestamptz, timestamptz, bigint);
drop function look_from(text, text);
drop function complete_with_row(text, text, integer, json);
drop function complete(text, text, integer, json, text, json, bytea, timestamptz);
drop function lookup(text, text, bytea, timestamptz);
drop function claim_or_abort(text, text, bytea, interval, interval, timestamptz);
drop function try_claim(text, text, bytea, interval, interval, timestamptz);
drop function watch_claim(text, text);
drop function claim(text, text, bytea, interval, interval, timestamptz);
drop function wait_at_most(interval);
drop function await_request(text, text, bytea, interval, timestamptz, text);
drop function stored_answer(text, text, bytea, timestamptz, text);
drop function request_holder(text, text, text);
drop function acts_for(name, text);
drop function require_request(text, text, bytea, interval, integer, json, text, json, bytea);
drop function request_lock(text, text, text);
drop function set_up_transaction(boolean, text, name);
drop function answer_of(idempotency_record, bytea);
drop type claim_answer;
drop type claim_outcome;
drop table idempotency_record;
drop function refuse_uncompleted_claim();
drop domain http_status;
drop domain sha256_digest;
drop domain key_text;
end $file$;
