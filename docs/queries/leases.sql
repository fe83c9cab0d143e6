-- Leases: who holds what until when. "expired" means that the holder has probably died, and nobody has taken over.
-- [region: query]
select name, state, holder, acquired_at, expires_at, released_at, timeline_and_counter
from once.lease_readable
order by name;
-- [endregion]
