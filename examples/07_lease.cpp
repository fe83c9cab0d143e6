// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// A lease: one worker of several runs the nightly report, and a worker that lost its lease cannot write any more.
//
//     ./07_lease "dbname=shop"
#include <once/once.hpp>

#include "own_schema.hpp"

#include <pqxx/pqxx>

#include <iostream>
#include <variant>

namespace {

using namespace std::chrono_literals;

// [region: example]
/// Books one page of the report. False: somebody else has the lease now.
bool book_page(once::database& db, once::lease& lease, int page) {
    // The owner decides when to renew; here, before each piece of work that fits well into what is left.
    if (lease.trusted_for() < 20s && !lease.renew()) {
        return false;
    }
    auto const reply = once::execute(
        db,
        {.scope = "nightly report 2026-11-24",
         .key = "page " + std::to_string(page),
         .fingerprint = once::no_fingerprint},
        [&](once::transaction& tx) { tx.exec("insert into report (page) values ($1)", pqxx::params{page}); },
        {.fence = lease.fence()});
    return !reply.lease_lost();
}

int run_report(once::database& db) {
    auto acquired = once::acquire(db, "example: nightly report", 30s, {.holder = "worker 7"});
    if (auto const* const other = std::get_if<once::held>(&acquired)) {
        std::cout << other->holder << " is at it for another " << other->expires_in.count() << " ms\n";
        return 0;
    }
    auto& lease = std::get<once::lease>(acquired);
    int pages = 0;
    while (pages < 3 && book_page(db, lease, pages + 1)) {
        ++pages;
    }
    return pages;
} // the lease is given back here
// [endregion]

} // namespace

int main(int argc, char** argv) try {
    auto const conninfo = in_own_schema(argc > 1 ? argv[1] : "", "07");
    pqxx::connection connection{conninfo};
    pqxx::nontransaction sql{connection};
    sql.exec("create table if not exists report (page integer)");
    sql.exec("truncate report");

    once::database db{conninfo};
    bool fine = run_report(db) == 3;
    {
        auto const busy = once::acquire(db, "example: nightly report", 30s);
        fine = fine && run_report(db) == 0; // somebody else has it
    }
    fine = fine && run_report(db) == 3; // the pages are done already: the keys see to that
    auto const pages = sql.query_value<int>("select count(*) from report");
    std::cout << pages << " pages\n";
    return fine && pages == 3 ? 0 : 1;
} catch (std::exception const& e) {
    std::cerr << e.what() << '\n';
    return 1;
}
