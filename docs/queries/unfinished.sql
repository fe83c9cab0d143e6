-- Claimed and committed, but never completed: a caller of claim() forgot complete().
-- [region: query]
select service, scope, key, claimed_by, claimed_at, expires_at
from once.idempotency_record as r
where completed_at is null and expires_at > now()
  and not exists (select from once.operation as o
                  where o.service = r.service and o.scope = r.scope and o.key = r.key)
order by claimed_at;
-- [endregion]
