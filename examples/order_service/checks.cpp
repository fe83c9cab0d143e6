// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "checks.hpp"

#include "child_process.hpp"

#include <pqxx/pqxx>

#include <array>
#include <iostream>

namespace demo {

namespace {

struct check {
    char const* claim;
    /// One row: how many contradict the claim, and how many were looked at.
    char const* sql;
};

constexpr std::array checks{
    check{"no cart was ordered twice", R"(
        select count(*) filter (where placed > 1), count(*)
        from (select count(*) as placed from shop.orders group by cart) as cart)"},
    check{"every order that a customer was told of is in the table", R"(
        select count(*) filter (where o.number is null), count(*)
        from heard.answer as a
        left join shop.orders as o on o.number = a.body::json->>'number' and o.cart = a.key
        where a.action = 'order' and a.outcome in ('started', 'replayed'))"},
    check{"every order in the table was told to its customer", R"(
        select count(*) filter (where not exists (
                   select from heard.answer as a
                   where a.key = o.cart and a.body::json->>'number' = o.number)), count(*)
        from shop.orders as o)"},
    check{"no order without the record of its key", R"(
        select count(*) filter (where r.key is null), count(*)
        from shop.orders as o
        left join once.idempotency_record as r
               on r.service = 'order_service' and r.scope = 'POST /orders ' || o.customer and r.key = o.cart
                  and r.response_json->>'number' = o.number)"},
    check{"no record without its order", R"(
        select count(*) filter (where o.cart is null), count(*)
        from once.idempotency_record as r
        left join shop.orders as o on r.scope = 'POST /orders ' || o.customer and r.key = o.cart
        where r.scope like 'POST /orders %')"},
    check{"the stock shrank by exactly what was ordered", R"(
        select count(*) filter (where 1000000 - remaining <> coalesce(ordered, 0)), count(*)
        from shop.stock
        left join (select item, sum(quantity) as ordered from shop.orders group by item) as o using (item))"},
    check{"every repeat got the first answer, byte for byte", R"(
        select count(*) filter (where a.status is distinct from r.response_status
                                   or a.body is distinct from r.response_json::text
                                   or a.headers is distinct from coalesce(r.response_headers::jsonb, '[]')), count(*)
        from heard.answer as a
        left join once.idempotency_record as r using (scope, key)
        where a.outcome in ('started', 'replayed') and a.status < 400)"},
    check{"every other order under a used key was refused", R"(
        select count(*) filter (where outcome <> 'key_reused'), count(*)
        from heard.answer where variant = 'other body')"},
    check{"nothing else was refused as a reused key", R"(
        select count(*) filter (where outcome = 'key_reused'), count(*)
        from heard.answer where variant <> 'other body')"},
    check{"every note that a clerk was told of is there, once", R"(
        select count(*) filter (where (
                   select count(*) from shop.orders as o, unnest(string_to_array(o.note, ' ')) as mark
                   where o.number = a.body::json->>'number' and mark = a.key) <> 1), count(*)
        from (select distinct key, body from heard.answer where action = 'note' and status = 200) as a)"},
    check{"as many notes as edits that clerks were told of, and as versions", R"(
        select count(*) filter (where notes <> edits or notes <> version - 1), count(*)
        from (select o.version, cardinality(string_to_array(o.note, ' ')) as notes,
                     (select count(distinct a.key) from heard.answer as a
                      where a.action = 'note' and a.status = 200 and a.body::json->>'number' = o.number) as edits
              from shop.orders as o where o.customer = 'desk') as o)"},
    check{"one vote for each voter and poll", R"(
        select count(*) filter (where votes <> 1), count(*)
        from (select count(*) as votes from shop.votes group by poll, voter) as v)"},
    check{"every vote that a voter was told of is counted", R"(
        select count(*) filter (where v.id is null), count(*)
        from heard.vote as a left join shop.votes as v using (poll, voter))"},
    check{"no record is half done", R"(
        select count(*) filter (where completed_at is null), count(*) from once.idempotency_record)"},
};

// Of all carts the one that was asked for most often, by the most processes and with the most trouble.
constexpr char const* busiest_cart = R"(
    select key from heard.answer where action = 'order' and key not like 'desk-%'
    group by key
    order by bool_or(in_doubt and outcome = 'replayed') desc, count(distinct outcome) desc, count(*) desc, key limit 1)";

void show(std::string const& dsn, char const* question, std::string const& sql) {
    std::cout << '\n' << question << "\n\n" << sql << ";\n\n" << std::flush;
    run_program({"psql", "-X", "-P", "pager=off", "-P", "footer=off", "-d", dsn, "-c", sql});
}

} // namespace

void store_answers(std::string const& dsn, tally const& heard) {
    pqxx::connection connection{dsn};
    pqxx::work tx{connection};
    tx.exec(R"(
        insert into heard.answer
        select * from jsonb_to_recordset($1::jsonb) as a(
            process text, action text, variant text, outcome text, scope text, key text, in_doubt boolean,
            status integer, headers jsonb, body text))",
            pqxx::params{heard.answers().dump()});
    tx.exec("insert into heard.vote "
            "select * from jsonb_to_recordset($1::jsonb) as v(process text, poll text, voter text)",
            pqxx::params{heard.votes().dump()});
    tx.commit();
}

int run_checks(std::string const& dsn) {
    pqxx::connection connection{dsn};
    pqxx::nontransaction tx{connection};
    int failed = 0;
    for (auto const& [claim, sql] : checks) {
        // A row of libpqxx 8 does not keep its result alive.
        auto const rows = tx.exec(sql);
        auto const wrong = rows[0][0].as<long>();
        auto const all = rows[0][1].as<long>();
        // A check that had nothing to look at has shown nothing.
        bool const ok = wrong == 0 && all > 0;
        failed += ok ? 0 : 1;
        std::cout << (ok ? "  ok      " : "  FAILED  ") << claim << " (";
        if (wrong != 0) {
            std::cout << wrong << " of ";
        }
        std::cout << all << ")\n";
    }
    return failed;
}

void show_records(std::string const& dsn) {
    std::string cart;
    {
        pqxx::connection connection{dsn};
        pqxx::nontransaction tx{connection};
        cart = tx.exec(busiest_cart)[0][0].c_str();
    }
    auto const this_cart = " = '" + cart + "'";
    std::cout << "\nSee for yourself, with psql. One cart of many: " << cart << '\n';
    show(dsn, "What did the customer hear?",
         "select process, variant, outcome, in_doubt, status, body\nfrom heard.answer\nwhere key" +
             this_cart);
    show(dsn, "Was it placed twice?",
         "select number, cart, item, quantity, placed_at\nfrom shop.orders\nwhere cart" + this_cart);
    show(dsn, "What does the library remember of it?",
         "select scope, key, claimed_by, took, status, response\nfrom "
         "once.idempotency_record_readable\nwhere key" +
             this_cart);
    show(dsn, "Which requests took longest?",
         "select scope, key, claimed_by, took, status\nfrom once.idempotency_record_readable\n"
         "order by took desc\nlimit 3");
}

} // namespace demo
