-- The same request under different keys within a minute: a client that makes a new key per click.
-- [region: query]
select a.scope, a.key as first_key, b.key as second_key, b.claimed_at - a.claimed_at as later_by,
       a.response_json as first_answer, b.response_json as second_answer
from once.idempotency_record as a
join once.idempotency_record as b
  on b.service = a.service and b.scope = a.scope and b.fingerprint = a.fingerprint and b.key <> a.key
 and b.claimed_at between a.claimed_at and a.claimed_at + interval '1 minute'
where a.service = 'shop'
order by a.claimed_at;
-- [endregion]
