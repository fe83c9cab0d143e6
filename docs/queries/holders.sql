-- Which transactions hold a key at this moment, and who waits for them?
-- [region: query]
select a.pid, a.application_name, a.state, date_trunc('milliseconds', clock_timestamp() - a.xact_start) as open_for,
       pg_blocking_pids(a.pid) as waits_for, split_part(a.query, E'\n', 1) as last_statement
from pg_stat_activity as a
where a.datname = current_database() and a.pid <> pg_backend_pid()
  and exists (select from pg_locks as l where l.pid = a.pid and l.locktype = 'relation' and l.granted
              and l.relation = 'once.idempotency_record'::regclass)
order by a.xact_start;
-- [endregion]
