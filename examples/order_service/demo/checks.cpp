// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "checks.hpp"

#include "child_process.hpp"
#include "interruption.hpp"

#include <pqxx/pqxx>

#include <iostream>

namespace demo {

namespace {

// Of all carts the one that was asked for most often, by the most processes and with the most trouble.
constexpr char const* busiest_cart = R"(
    select key from heard.answer where action = 'order' and key not like 'desk-%'
    group by key
    order by bool_or(in_doubt and outcome = 'replayed') desc, count(distinct outcome) desc, count(*) desc,
        key limit 1)";

// Of all messages the one that took the most requests.
constexpr char const* most_repeated = R"(
    select message_id from warehouse.request
    group by message_id order by count(*) filter (where receipt = 'seen') desc, count(*) desc, message_id limit 1)";

void show(std::string const& dsn, char const* question, std::string const& sql) {
    throw_if_interrupted();
    std::cout << '\n' << question << "\n\n" << sql << ";\n\n" << std::flush;
    run_program({"psql", "-X", "-P", "pager=off", "-P", "footer=off", "-d", dsn, "-c", sql});
}

std::string first_value(std::string const& dsn, char const* sql) {
    pqxx::connection connection{dsn};
    pqxx::nontransaction tx{connection};
    auto const rows = tx.exec(sql);
    return rows.empty() ? std::string{} : rows[0][0].c_str();
}

void show_a_message(std::string const& dsn) {
    auto const message = " = '" + first_value(dsn, most_repeated) + "'";
    show(dsn, "Which message came to the warehouse most often, and what did it hear?",
         "select message_id, arrived_at, receipt, answer\nfrom warehouse.request\nwhere message_id" +
             message + "\norder by id");
    show(dsn, "What was done?",
         "select j.id, j.topic, j.order_number, j.order_version, j.done_at, i.received_at as in_inbox_since\n"
         "from warehouse.job as j join once.inbox as i using (message_id)\nwhere message_id" +
             message);
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

int run_checks(std::string const& dsn, std::span<claim const> claims) {
    pqxx::connection connection{dsn};
    pqxx::nontransaction tx{connection};
    int failed = 0;
    for (auto const& [text, sql] : claims) {
        throw_if_interrupted();
        // A row of libpqxx 8 does not keep its result alive.
        auto const rows = tx.exec(sql);
        auto const wrong = rows[0][0].as<long>();
        auto const all = rows[0][1].as<long>();
        // A check that had nothing to look at has shown nothing.
        bool const ok = wrong == 0 && all > 0;
        failed += ok ? 0 : 1;
        std::cout << (ok ? "  ok      " : "  FAILED  ") << text << " (";
        if (wrong != 0) {
            std::cout << wrong << " of ";
        }
        std::cout << all << ")\n";
    }
    return failed;
}

void show_records(std::string const& dsn, bool with_warehouse) {
    auto const cart = first_value(dsn, busiest_cart);
    auto const this_cart = " = '" + cart + "'";
    std::cout << "\nSee for yourself, with psql. One cart of many: " << cart << '\n';
    show(dsn, "What did the customer hear?",
         "select process, variant, outcome, in_doubt, status, body\nfrom heard.answer\nwhere key" +
             this_cart);
    show(dsn, "Was it placed twice?",
         "select number, cart, item, quantity, cents, placed_at\nfrom shop.orders\nwhere cart" + this_cart);
    show(dsn, "What does the library remember of it?",
         "select scope, key, claimed_by, took, status, response\nfrom "
         "once.idempotency_record_readable\nwhere key" +
             this_cart);
    show(dsn, "What did billing post for it?",
         "select p.message_id, p.posted_at, e.account, e.cents\nfrom shop.orders as o\n"
         "join billing.posting as p on p.order_number = o.number\n"
         "join billing.entry as e on e.posting = p.id\nwhere o.cart" +
             this_cart);
    if (with_warehouse) {
        show_a_message(dsn);
    }
    show(dsn, "Does the ledger balance?",
         "select coalesce(account, 'all') as account, count(*) as entries, sum(cents) as cents\n"
         "from billing.entry\ngroup by rollup (account)\norder by account");
    show(dsn, "How far are the readers?",
         "select subscription, state, messages as waiting, batches, acknowledged_by\n"
         "from once.subscription_lag\norder by subscription");
    show(dsn, "Which requests took longest?",
         "select scope, key, claimed_by, took, status\nfrom once.idempotency_record_readable\n"
         "order by took desc\nlimit 3");
}

} // namespace demo
