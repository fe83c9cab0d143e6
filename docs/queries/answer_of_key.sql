-- What was answered for this key?
-- [region: query]
select key, state, claimed_by, claimed_at, took, status, response
from once.idempotency_record_readable
where service = 'shop' and scope = 'POST /orders alice' and key = '8c4f';
-- [endregion]
