-- 0019 metrics, reversed. No data are lost.
--
-- Locks: none on tables.

do $file$ begin
perform begin_removal('0019_metrics');

drop function explain_stall(text, text);
drop function copied_apart();
drop function can_look_everywhere();
drop view metrics;
drop function oldest_waiting(checkpoint);
end $file$;
