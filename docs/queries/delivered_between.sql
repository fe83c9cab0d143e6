-- What was delivered to the subscription billing between two times?
-- [region: query]
with asked as (
    select now() - interval '1 hour' as from_time, now() as to_time
)
select o.id, o.topic, o.key, o.message_id, o.published_at, later.acknowledged_at as delivered_before
from asked
join once.subscription as s on s.service = 'shop' and s.name = 'billing'
cross join generate_series(0, s.slices - 1) as part
cross join lateral ( -- how far it was at the first time, or as early as is known
    select c.* from once.checkpoint as c
    where c.service = s.service and c.subscription = s.name and c.slice = part
    order by c.acknowledged_at <= from_time desc, abs(extract(epoch from c.acknowledged_at - from_time))
    limit 1) as earlier
cross join lateral ( -- and at the second
    select c.* from once.checkpoint as c
    where c.service = s.service and c.subscription = s.name and c.slice = part and c.acknowledged_at <= to_time
    order by c.number desc
    limit 1) as later
join once.outbox as o on s.slices = 1 or o.bucket % s.slices = part
where (s.topics is null or exists (select from unnest(s.topics) as t
                                   where o.topic = t or t like '%.*' and starts_with(o.topic, left(t, -1))))
  and (s.starts_at is null or o.published_at >= s.starts_at)
  and (pg_visible_in_snapshot(o.txid, later.from_snap)
       or later.to_snap is not null and pg_visible_in_snapshot(o.txid, later.to_snap) and o.id <= later.last_id)
  and not (pg_visible_in_snapshot(o.txid, earlier.from_snap)
           or earlier.to_snap is not null and pg_visible_in_snapshot(o.txid, earlier.to_snap)
               and o.id <= earlier.last_id)
order by o.id;
-- [endregion]
