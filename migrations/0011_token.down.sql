-- 0011 token, reversed. Tokens that were issued and not redeemed are lost: their owners need new ones.
--
-- Locks: ACCESS EXCLUSIVE on token, for an instant; services must not be running.

do $file$ begin
perform begin_removal('0011_token');

drop view token_readable;
drop function purge_tokens(integer, timestamptz);
drop function redeem_token_or_abort(bytea, text, text, bytea, interval, interval, timestamptz);
drop function try_redeem_token(bytea, text, text, bytea, interval, interval, timestamptz);
drop function redeem_token(bytea, text, text, bytea, interval, interval, timestamptz);
drop function issue_token(text, text, interval, timestamptz);
drop function issue_tokens(text, text, interval, bytea[], timestamptz);
drop table token;
drop domain token_principal;
drop domain token_purpose;
comment on type claim_answer is
    'What a claim came to. outcome: started (do the work, then complete), replayed (here is the stored response), '
    'in_progress (somebody else is at it), key_reused (same key, other fingerprint), absent (lookup only: no record).';
comment on column claim_answer.outcome is 'started, replayed, in_progress, key_reused or absent.';
end $file$;
