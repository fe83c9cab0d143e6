-- 0016 request_window, reversed. A question that was asked a moment ago can take effect again under another key.
--
-- Locks: ACCESS EXCLUSIVE on request_window, for an instant; services must not be running.

do $file$ begin
perform begin_removal('0016_request_window');

drop function purge_windows(integer, timestamptz);
drop function open_window(text, text, bytea, interval, interval, timestamptz);
drop table request_window;
end $file$;
