-- Which requests were answered with order A-16? Two keys mean two requests that say so.
-- [region: query]
select scope, key, claimed_at, response_status as status, response_json
from once.idempotency_record
where service = 'shop' and response_json ->> 'order' = 'A-16'
order by claimed_at;
-- [endregion]
