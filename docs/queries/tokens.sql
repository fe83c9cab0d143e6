-- Tokens that were issued and not redeemed, by purpose.
-- [region: query]
select service, purpose, count(*) as tokens, count(*) filter (where expired) as expired, min(issued_at) as oldest
from once.token_readable
group by service, purpose
order by purpose;
-- [endregion]
