-- How large are the records?
-- [region: query]
select count(*) as records,
       pg_size_pretty(pg_table_size('once.idempotency_record')) as table_size,
       pg_size_pretty(pg_indexes_size('once.idempotency_record')) as indexes,
       pg_total_relation_size('once.idempotency_record') / nullif(count(*), 0) as bytes_per_record
from once.idempotency_record;
-- [endregion]
