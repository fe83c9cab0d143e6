-- How many messages were delivered in the last ten minutes?
-- [region: query]
select service, subscription, slice, sum(batches) as batches, sum(messages) as messages, max(minute) as newest_minute
from once.subscription_throughput
where minute >= now() - interval '10 minutes'
group by service, subscription, slice;
-- [endregion]
