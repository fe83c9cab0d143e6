-- 0013 token, reversed. Tokens that were issued and not redeemed are lost: their owners need new ones.
--
-- Locks: ACCESS EXCLUSIVE on token, for an instant; services must not be running.

do $file$ begin
perform begin_removal('0013_token');

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
end $file$;
