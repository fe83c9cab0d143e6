// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// Claim and response in a transaction that is the caller's own: an ordinary pqxx::work on an ordinary connection.
//
//     ./04_borrowed_transaction "dbname=shop"
#include <once/once.hpp>

#include "own_schema.hpp"

#include <pqxx/pqxx>

#include <iostream>
#include <variant>

namespace {

// [region: example]
int cancel_order(pqxx::connection& connection, std::string const& key, long number) {
    pqxx::work tx{connection};
    auto const claimed = once::claim(tx, {.scope = "POST /cancel alice",
                                          .key = key,
                                          .fingerprint = once::fingerprint{std::to_string(number)}});

    if (auto const* const before = std::get_if<once::replayed>(&claimed)) {
        std::cout << before->response.value().status << " (the stored answer)\n";
        return before->response->status; // tx is rolled back as it goes out of scope: it wrote nothing
    }
    if (std::holds_alternative<once::in_progress>(claimed)) {
        std::cout << "409 somebody else is at it\n";
        return 409;
    }
    if (std::holds_alternative<once::key_reused>(claimed)) {
        std::cout << "422 this key belongs to another request\n";
        return 422;
    }

    tx.exec("insert into cancellation (number) values ($1)", pqxx::params{number});

    // Last before COMMIT: it throws if an earlier statement had failed and somebody had swallowed that.
    once::complete(tx, std::get<once::started>(claimed), once::response{.status = 204});
    tx.commit();
    std::cout << "204\n";
    return 204;
}
// [endregion]

} // namespace

int main(int argc, char** argv) try {
    auto const conninfo = in_own_schema(argc > 1 ? argv[1] : "", "04");
    pqxx::connection connection{conninfo};
    pqxx::connection other{conninfo};
    {
        pqxx::work tx{connection};
        tx.exec("create table if not exists cancellation (number bigint)");
        tx.exec("delete from cancellation");
        tx.commit();
    }

    bool fine = cancel_order(connection, "c-1", 17) == 204 && // takes effect
                cancel_order(other, "c-1", 17) == 204 &&      // a repeat, on whatever connection
                cancel_order(other, "c-1", 18) == 422;        // the same key for something else

    // A transaction that is rolled back leaves the key free.
    {
        pqxx::work tx{connection};
        auto const claimed = once::claim(
            tx, {.scope = "POST /cancel alice", .key = "c-2", .fingerprint = once::no_fingerprint});
        fine = fine && std::holds_alternative<once::started>(claimed);

        // Meanwhile, a duplicate that does not want to wait. Its transaction stays usable after the answer.
        pqxx::work impatient{other};
        auto const busy = once::claim(
            impatient, {.scope = "POST /cancel alice", .key = "c-2", .fingerprint = once::no_fingerprint},
            {.wait = std::chrono::milliseconds{0}});
        fine = fine && std::holds_alternative<once::in_progress>(busy) &&
               impatient.query_value<int>("select 1") == 1;
        std::cout << "in_progress while the first one runs\n";
    }
    fine = cancel_order(connection, "c-2", 19) == 204 && fine;

    pqxx::work tx{connection};
    auto const rows = tx.query_value<long>("select count(*) from cancellation");
    std::cout << rows << " cancellations for 4 calls\n";
    return fine && rows == 2 ? 0 : 1;
} catch (std::exception const& e) {
    std::cerr << e.what() << '\n';
    return 1;
}
