// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "claims.hpp"

#include <array>

namespace demo {

namespace {

constexpr std::array of_billing{
    claim{"one message for each version of each order, and no other", R"(
        select count(*) filter (where o.number is null or m.messages is distinct from 1), count(*)
        from (select number, v from shop.orders, generate_series(1, version) as v) as o
        full join (select key, (payload_json->>'version')::bigint as v, count(*) as messages
                   from once.outbox where topic like 'orders.%' group by 1, 2) as m on m.key = o.number
                       and m.v = o.v)"},
    claim{"one message for each vote that was counted", R"(
        select count(*) filter (where v.id is null or m.messages is distinct from 1), count(*)
        from shop.votes as v
        full join (select payload_json->>'poll' as poll, payload_json->>'voter' as voter, count(*) as messages
                   from once.outbox where topic = 'votes.cast' group by 1, 2) as m using (poll, voter))"},
    claim{"every message about an order was posted once", R"(
        select count(*) filter (where p.postings is distinct from 1), count(*)
        from once.outbox as m
        left join (select message_id, count(*) as postings from billing.posting group by 1) as p
               on p.message_id = m.message_id::uuid
        where m.topic like 'orders.%')"},
    claim{"nothing else was posted", R"(
        select count(*) filter (where m.message_id is null), count(*)
        from billing.posting as p
        left join once.outbox as m on m.message_id::uuid = p.message_id and m.key = p.order_number)"},
    claim{"the versions of each order were posted in order, without a gap", R"(
        select count(*) filter (where order_version <> place), count(*)
        from (select order_version, row_number() over (partition by order_number order by id) as place
              from billing.posting) as p)"},
    claim{"every posting adds up to nothing", R"(
        select count(*) filter (where cents <> 0 or entries <> 2), count(*)
        from (select sum(e.cents) as cents, count(e.posting) as entries
              from billing.posting as p left join billing.entry as e on e.posting = p.id group by p.id) as p)"},
    claim{"the ledger says that every customer owes what was ordered, and 5 cents for each note", R"(
        select count(*) filter (where o.cents is distinct from e.cents), count(*)
        from (select 'owed by ' || customer as account, sum(cents + 5 * (version - 1)) as cents
              from shop.orders group by 1) as o
        full join (select account, sum(cents) as cents from billing.entry
                   where account like 'owed by %' group by 1) as e using (account))"},
    claim{"the ledger says that every item sold for what was ordered of it", R"(
        select count(*) filter (where o.cents is distinct from -e.cents), count(*)
        from (select 'sales of ' || item as account, sum(quantity * price) as cents
              from shop.orders join shop.stock using (item) group by 1
              union all select 'sales of notes', 5 * sum(version - 1) from shop.orders) as o
        full join (select account, sum(cents) as cents from billing.entry
                   where account like 'sales of %' group by 1) as e using (account))"},
    claim{"no message waits for a subscription, and none is parked", R"(
        select count(*) filter (where messages > 0 or parked > 0), count(*)
        from (select l.messages, (select count(*) from once.parked_message as p
                                  where p.subscription = l.subscription) as parked
              from once.subscription_lag as l) as l)"},
};

constexpr std::array of_warehouse{
    claim{"every message arrived at the warehouse", R"(
        select count(*) filter (where not exists (
                   select from warehouse.request as r
                   where r.message_id = m.message_id::uuid and r.receipt is not null)), count(*)
        from once.outbox as m)"},
    claim{"its job was done once", R"(
        select count(*) filter (where j.jobs is distinct from 1), count(*)
        from once.outbox as m
        left join (select message_id, count(*) as jobs from warehouse.job group by 1) as j
               on j.message_id = m.message_id::uuid)"},
    claim{"nothing else arrived, and no other job was done", R"(
        select count(*) filter (where m.message_id is null), count(*)
        from (select message_id from warehouse.request union all select message_id from warehouse.job) as r
        left join once.outbox as m on m.message_id::uuid = r.message_id)"},
    claim{"every repeat was seen as one, and had the same bytes", R"(
        select count(*) filter (where receipt <> 'seen'), count(*)
        from (select receipt, row_number() over (partition by message_id order by id) as time
              from warehouse.request where receipt is not null) as r
        where time > 1)"},
    claim{"the jobs of each order were done in order, without a gap", R"(
        select count(*) filter (where order_version <> place), count(*)
        from (select order_version, row_number() over (partition by order_number order by id) as place
              from warehouse.job where order_number is not null) as j)"},
};

} // namespace

std::span<claim const> claims_of_billing() noexcept {
    return of_billing;
}

std::span<claim const> claims_of_warehouse() noexcept {
    return of_warehouse;
}

} // namespace demo
