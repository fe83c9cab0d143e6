-- What could not be delivered, and why?
-- [region: query]
select service, subscription, state, messages, keys, most_attempts, newest_error
from once.parked_summary
order by service, subscription, state;
-- [endregion]
