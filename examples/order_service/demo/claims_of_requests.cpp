// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "claims.hpp"

#include <array>

namespace demo {

namespace {

// More than 60 lines: a table.
constexpr std::array of_requests{
    claim{"no cart was ordered twice", R"(
        select count(*) filter (where placed > 1), count(*)
        from (select count(*) as placed from shop.orders group by cart) as cart)"},
    claim{"every order that a customer was told of is in the table", R"(
        select count(*) filter (where o.number is null), count(*)
        from heard.answer as a
        left join shop.orders as o on o.number = a.body::json->>'number' and o.cart = a.key
        where a.action = 'order' and a.outcome in ('done', 'replayed'))"},
    claim{"every order in the table was told to its customer", R"(
        select count(*) filter (where not exists (
                   select from heard.answer as a
                   where a.key = o.cart and a.body::json->>'number' = o.number)), count(*)
        from shop.orders as o)"},
    claim{"no order without the record of its key", R"(
        select count(*) filter (where r.key is null), count(*)
        from shop.orders as o
        left join once.idempotency_record as r
               on r.service = 'order_service' and r.scope = 'POST /orders ' || o.customer and r.key = o.cart
                  and r.response_json->>'number' = o.number)"},
    claim{"no record without its order", R"(
        select count(*) filter (where o.cart is null), count(*)
        from once.idempotency_record as r
        left join shop.orders as o on r.scope = 'POST /orders ' || o.customer and r.key = o.cart
        where r.scope like 'POST /orders %')"},
    claim{"the stock shrank by exactly what was ordered", R"(
        select count(*) filter (where 1000000 - remaining <> coalesce(ordered, 0)), count(*)
        from shop.stock
        left join (select item, sum(quantity) as ordered from shop.orders group by item) as o using (item))"},
    claim{"every repeat got the first answer, byte for byte", R"(
        select count(*) filter (where a.status is distinct from r.response_status
                                   or a.body is distinct from r.response_json::text
                                   or a.headers is distinct from coalesce(r.response_headers::jsonb, '[]')), count(*)
        from heard.answer as a
        left join once.idempotency_record as r using (scope, key)
        where a.outcome in ('done', 'replayed') and a.status < 400)"},
    claim{"every other order under a used key was refused", R"(
        select count(*) filter (where outcome <> 'key_reused'), count(*)
        from heard.answer where variant = 'other body')"},
    claim{"nothing else was refused as a reused key", R"(
        select count(*) filter (where outcome = 'key_reused'), count(*)
        from heard.answer where variant <> 'other body')"},
    claim{"every note that a clerk was told of is there, once", R"(
        select count(*) filter (where (
                   select count(*) from shop.orders as o, unnest(string_to_array(o.note, ' ')) as mark
                   where o.number = a.body::json->>'number' and mark = a.key) <> 1), count(*)
        from (select distinct key, body from heard.answer where action = 'note' and status = 200) as a)"},
    claim{"as many notes as edits that clerks were told of, and as versions", R"(
        select count(*) filter (where notes <> edits or notes <> version - 1), count(*)
        from (select o.version, cardinality(string_to_array(o.note, ' ')) as notes,
                     (select count(distinct a.key) from heard.answer as a
                      where a.action = 'note' and a.status = 200 and a.body::json->>'number' = o.number) as edits
              from shop.orders as o where o.customer = 'desk') as o)"},
    claim{"one vote for each voter and poll", R"(
        select count(*) filter (where votes <> 1), count(*)
        from (select count(*) as votes from shop.votes group by poll, voter) as v)"},
    claim{"every vote that a voter was told of is counted", R"(
        select count(*) filter (where v.id is null), count(*)
        from heard.vote as a left join shop.votes as v using (poll, voter))"},
    claim{"no record is half done", R"(
        select count(*) filter (where completed_at is null), count(*) from once.idempotency_record)"},
};

} // namespace

std::span<claim const> claims_of_requests() noexcept {
    return of_requests;
}

} // namespace demo
