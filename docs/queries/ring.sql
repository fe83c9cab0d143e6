-- How full is the outbox?
-- [region: query]
select slot, estimated_messages, pg_size_pretty(bytes) as size, oldest_at, is_written, is_full
from once.ring_usage
where newest_id is not null
order by slot;
-- [endregion]
