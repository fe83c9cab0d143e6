-- Which transactions hold a key at this moment, and who waits for them?
-- [region: query]
select a.pid, a.application_name, a.state, date_trunc('milliseconds', clock_timestamp() - a.xact_start) as open_for,
       pg_blocking_pids(a.pid) as waits_for, split_part(a.query, E'\n', 1) as last_statement
from pg_locks as l
join pg_stat_activity as a using (pid)
where l.locktype = 'relation' and l.database = (select oid from pg_database where datname = current_database())
  and l.relation = 'once.idempotency_record'::regclass and l.mode = 'RowExclusiveLock' and l.granted
order by a.xact_start;
-- [endregion]
