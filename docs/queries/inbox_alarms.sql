-- Did somebody send two messages with one id?
-- [region: query]
select consumer, message_id, received_at, altered_times, altered_at
from once.inbox_alarm
where service = 'shop'
order by altered_at;
-- [endregion]
