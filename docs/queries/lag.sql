-- How far behind is who?
-- [region: query]
select service, subscription, slice, state, messages, estimated, waiting_since, acknowledged_by
from once.subscription_lag
order by service, subscription, slice;
-- [endregion]
