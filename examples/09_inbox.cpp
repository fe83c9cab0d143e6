// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// A consumer of messages: whatever the broker delivers again takes effect once.
//
//     ./09_inbox "dbname=shop"
#include <once/once.hpp>

#include "own_schema.hpp"

#include <pqxx/pqxx>

#include <iostream>
#include <vector>

namespace {

// [region: single]
/// Works on one delivery. @return whether to acknowledge it to the broker
bool on_payment(once::database& db, std::string const& id, std::string const& body) {
    static once::inbox const inbox{"ledger"};
    once::incoming const message{.id = once::message_id::parse(id), .fingerprint = once::fingerprint{body}};

    auto receipt = once::receipt::in_progress;
    auto const reply = once::transact(db, [&](once::transaction& tx) {
        receipt = inbox.receive(tx, message);
        if (receipt == once::receipt::fresh) {
            tx.exec("update account set balance = balance + $1::bigint", pqxx::params{body});
        }
    });
    std::cout << id.substr(0, 8) << ' ' << to_string(receipt) << '\n';
    // Not when the answer to COMMIT was lost, and not when somebody else is at it: the redelivery tells.
    return reply.committed() && receipt != once::receipt::in_progress;
}
// [endregion]

// [region: batch]
/// Works on a batch with one statement for the inbox; @return how many were new
std::size_t on_payments(once::database& db, std::vector<once::incoming> const& batch, long each) {
    static once::inbox const inbox{"ledger"};
    std::size_t fresh = 0;
    once::transact(db, [&](once::transaction& tx) {
        fresh = 0; // the callback may run again
        for (auto const receipt : inbox.receive_many(tx, batch)) {
            fresh += receipt == once::receipt::fresh ? 1 : 0;
        }
        tx.exec("update account set balance = balance + $1::bigint",
                pqxx::params{each * static_cast<long>(fresh)});
    }).expect_committed();
    return fresh;
}
// [endregion]

} // namespace

int main(int argc, char** argv) try {
    once::database db{in_own_schema(argc > 1 ? argv[1] : "", "09")};
    once::transact(db, [](once::transaction& tx) {
        tx.exec("create table if not exists account (balance bigint)");
        tx.exec("delete from account");
        tx.exec("insert into account values (0)");
    }).expect_committed();

    auto const id = once::message_id::random().to_string();
    bool fine = on_payment(db, id, "100") && // fresh
                on_payment(db, id, "100") && // seen: the broker delivered it again
                on_payment(db, id, "999");   // altered: somebody reuses ids; look at once.inbox_alarm

    std::vector<once::incoming> batch;
    for (int i = 0; i < 4; ++i) {
        batch.push_back({.id = once::message_id::time_ordered(), .fingerprint = once::no_fingerprint});
    }
    batch.push_back(batch.front());
    fine = on_payments(db, batch, 10) == 4 && on_payments(db, batch, 10) == 0 && fine;

    once::transact(db, [&](once::transaction& tx) {
        auto const balance = tx.query_value<long>("select balance from account");
        auto const alarms = tx.query_value<long>("select count(*) from once.inbox_alarm");
        std::cout << "balance " << balance << ", alarms " << alarms << '\n';
        fine = fine && balance == 140 && alarms == 1;
    }).expect_committed();
    return fine ? 0 : 1;
} catch (std::exception const& e) {
    std::cerr << e.what() << '\n';
    return 1;
}
