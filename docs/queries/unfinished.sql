-- Claimed and committed, but never completed: a caller of claim() forgot complete().
-- [region: query]
select service, scope, key, claimed_by, claimed_at, expires_at
from once.idempotency_record
where completed_at is null and expires_at > now()
order by claimed_at;
-- [endregion]
