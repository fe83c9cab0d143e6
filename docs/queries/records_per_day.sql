-- How many requests took effect, per scope and day?
-- [region: query]
select claimed_at::date as day, service, scope, count(*) as records,
       percentile_cont(0.5) within group (order by completed_at - claimed_at) as median_took
from once.idempotency_record
group by day, service, scope
order by day, service, scope;
-- [endregion]
