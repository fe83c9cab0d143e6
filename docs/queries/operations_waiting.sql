-- Which operations stand still, and who has to act?
-- [region: query]
select scope, key, name, state, needs, recovery_point, phase, attempt, last_error
from once.operation_readable
where needs is not null
order by started_at, key;
-- [endregion]
