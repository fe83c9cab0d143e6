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
drop function claim(text, text, bytea, interval, interval, timestamptz);
drop function answer_of(idempotency_record, bytea);
drop type claim_answer;
drop table idempotency_record;
drop function refuse_uncompleted_claim();
drop domain http_status;
drop domain sha256_digest;
drop domain key_text;
end $file$;
