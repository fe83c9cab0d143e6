// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "report.hpp"

#include <pqxx/pqxx>

#include <iomanip>
#include <iostream>

namespace demo {

namespace {

template <class... Columns>
void line(char const* what, Columns const&... columns) {
    std::cout << "  " << std::left << std::setw(48) << what << std::right;
    ((std::cout << std::setw(10) << columns), ...);
    std::cout << '\n';
}

} // namespace

void print_requests(tally const& heard, std::string const& dsn) {
    pqxx::connection connection{dsn};
    pqxx::nontransaction tx{connection};
    auto const count = [&](char const* action, char const* word) { return heard.count(action, word); };
    auto const both = [&](char const* what, char const* word) {
        line(what, count("order", word), count("note", word), "");
    };
    auto const of_all = [&](char const* what, char const* word) {
        line(what, count("order", word), count("note", word), count("vote", word));
    };
    std::cout << '\n';
    line("What the clients saw", "orders", "notes", "votes");
    of_all("requests sent, repeats included", "sent");
    both("took effect", "took effect");
    both("replayed: had been done, got the first answer", "replayed");
    both("key_reused: another order under the same key", "key_reused");
    both("in_progress: told to ask again", "in_progress");
    line("stale: somebody else had changed it, refused", "", count("note", "stale"), "");
    line("different votes, counted", "", "", tx.exec("select count(*) from shop.votes")[0][0].as<long>());
    of_all("failed: nothing happened, sent again", "failed");
    of_all("unknown: sent again", "unknown");
    auto const dead = [&](char const* action) { return count(action, "sent") - count(action, "answered"); };
    line("the client was killed before the answer", dead("order"), dead("note"), dead("vote"));
    both("in doubt: no answer to COMMIT, found by key", "in doubt");
    both("    it had been committed", "in doubt, committed");
    both("    it had not, and was done then", "in doubt, not committed");
    both("    still unknown, sent again", "in doubt, unknown");
}

void print_messages(std::string const& dsn, bool with_warehouse) {
    pqxx::connection connection{dsn};
    pqxx::nontransaction tx{connection};
    auto const number = [&](char const* sql) { return tx.exec(sql)[0][0].as<long>(); };
    auto const of_warehouse = [&](char const* what, char const* sql) {
        if (with_warehouse) {
            line(what, "", number(sql));
        }
    };
    auto const both = [&](char const* what, char const* billing, char const* warehouse) {
        if (with_warehouse) {
            line(what, number(billing), number(warehouse));
        } else {
            line(what, number(billing));
        }
    };
    std::cout << '\n';
    line("What became of the messages", "billing", with_warehouse ? "warehouse" : "");
    both("messages of transactions that committed",
         "select count(*) from once.outbox where topic like 'orders.%'", "select count(*) from once.outbox");
    both("took effect", "select count(distinct message_id) from billing.posting",
         "select count(distinct message_id) from warehouse.job");
    // A number of the sequence that no row has belongs to work that was rolled back.
    line("rolled back in the middle, and done again",
         number("select last_value - (select count(*) from billing.posting) from billing.posting_id_seq"),
         "");
    of_warehouse("requests that arrived", "select count(*) from warehouse.request");
    of_warehouse("    repeats, recognised by the inbox",
                 "select count(*) from warehouse.request where receipt = 'seen'");
    of_warehouse("    worked on, and the answer got lost",
                 "select count(*) from warehouse.request where answer = 'lost'");
    of_warehouse("    answered 503: come again",
                 "select count(*) from warehouse.request where answer = '503'");
    if (!with_warehouse) {
        std::cout << "  SKIPPED: relay and warehouse, see above\n";
    }
}

void print_faults(workers const& clients, daemons const& services, faults const& network) {
    std::cout << "\n  What happened to all of them\n";
    line("clients of the order service killed with -9", clients.killed());
    line("billing killed with -9", services.killed("billing"));
    if (can_send_webhooks()) {
        line("relay killed with -9", services.killed("relay"));
        line("warehouse killed with -9", services.killed("warehouse"));
    }
    line("database sessions terminated", network.sessions_terminated());
    line("COMMITs lost on the way to the server", network.requests_lost());
    line("answers to COMMIT lost on the way back", network.replies_lost());
}

} // namespace demo
