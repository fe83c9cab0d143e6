-- 0017 request, reversed. No data are lost; execute() of the library does not work without it.
--
-- Locks: none but on the functions; services must not be running.

do $file$ begin
perform begin_removal('0017_request');

drop function finish_request_with_row(text, text, bytea, integer, json, interval, interval);
drop function finish_request(text, text, bytea, integer, json, text, json, bytea, interval, interval, timestamptz);
drop function require_begun(text, text);
drop function store_record(text, text, bytea, interval, integer, json, text, json, bytea, timestamptz, text);
drop function begin_request_or_abort(text, text, bytea, interval, timestamptz);
drop function begin_request(text, text, bytea, interval, timestamptz);
drop function require_times(interval, timestamptz);
drop function hold_expired(text, text, interval, text);
end $file$;
