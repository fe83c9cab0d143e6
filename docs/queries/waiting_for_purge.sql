-- What has expired and waits for purge()?
-- [region: query]
select service, count(*) as expired, min(expires_at) as oldest
from once.idempotency_record
where expires_at <= now()
group by service;
-- [endregion]
