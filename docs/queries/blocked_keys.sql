-- Which keys are held back, and by which message?
-- [region: query]
select subscription, key, state, topic, message_id, attempts, last_error, behind
from once.blocked_key
where service = 'shop'
order by subscription, since, key;
-- [endregion]
