// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// What is stored, whether to wait for a running duplicate, and what a key that is used twice is answered.
//
//     ./05_policies "dbname=shop"
#include <once/once.hpp>

#include "own_schema.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/pqxx>

#include <iostream>

// More than 60 lines: one policy after the other, as a reader tries them.
int main(int argc, char** argv) try {
    using namespace std::chrono_literals;
    once::database db{in_own_schema(argc > 1 ? argv[1] : "", "05")};
    once::transact(db, [](once::transaction& tx) {
        tx.exec("create table if not exists visit (who text)");
    }).expect_committed();

    int runs = 0;
    auto const answer_with = [&](int status) {
        return [&runs, status](once::transaction& tx) -> once::response {
            ++runs;
            tx.exec("insert into visit values ('alice')");
            return {.status = status, .body = nlohmann::json{{"run", runs}}};
        };
    };
    bool fine = true;
    auto const show = [&](std::string const& what, once::reply const& reply, once::outcome expected,
                          bool committed) {
        std::cout << what << ": " << once::to_string(reply.outcome());
        if (reply.has_response()) {
            std::cout << ", status " << reply.response().status << ' ' << reply.response().body.data();
        }
        std::cout << (reply.committed() ? ", the effect stands\n" : ", no effect\n");
        fine = fine && reply.outcome() == expected && reply.committed() == committed;
    };
    using enum once::outcome;

    std::cout << "store::success: an error is returned, rolled back and not kept, so the repeat runs again\n";
    for (int i = 0; i < 2; ++i) {
        show("  404",
             once::execute(db, {.scope = "visit", .key = "p-1", .fingerprint = once::no_fingerprint},
                           answer_with(404)),
             done, false);
    }

    std::cout << "store::success_and_client_errors: 4xx is an answer like any other\n";
    // [region: client errors]
    once::call_options const keep_errors{.stored = once::store::success_and_client_errors};
    // [endregion]
    show("  404",
         once::execute(db, {.scope = "visit", .key = "p-2", .fingerprint = once::no_fingerprint},
                       answer_with(404), keep_errors),
         done, true);
    show("  404",
         once::execute(db, {.scope = "visit", .key = "p-2", .fingerprint = once::no_fingerprint},
                       answer_with(404), keep_errors),
         replayed, true);

    std::cout << "store::nothing: only the key is kept\n";
    once::call_options const key_only{.stored = once::store::nothing};
    show("  200",
         once::execute(db, {.scope = "visit", .key = "p-3", .fingerprint = once::no_fingerprint},
                       answer_with(200), key_only),
         done, true);
    auto const repeat =
        once::execute(db, {.scope = "visit", .key = "p-3", .fingerprint = once::no_fingerprint},
                      answer_with(200), key_only);
    show("  200", repeat, replayed, true);
    fine = fine && !repeat.has_response();

    std::cout << "wait = 0: a duplicate of what runs at this moment is not waited for\n";
    auto const outer =
        once::execute(db, {.scope = "visit", .key = "p-4", .fingerprint = once::no_fingerprint},
                      [&](once::transaction& tx) {
                          // [region: fail fast]
                          auto const duplicate = once::execute(
                              db, {.scope = "visit", .key = "p-4", .fingerprint = once::no_fingerprint},
                              answer_with(200), {.wait = 0ms});
                          // [endregion]
                          show("  the duplicate", duplicate, in_progress, false);
                          fine = fine && duplicate.retry_after() > 0ms;
                          return answer_with(200)(tx);
                      });
    show("  the first", outer, done, true);

    std::cout << "a key that is used for something else\n";
    once::request one{.scope = "visit", .key = "p-5", .fingerprint = once::fingerprint{"GET", "/a"}};
    show("  /a", once::execute(db, one, answer_with(200)), done, true);
    one.fingerprint = once::fingerprint{"GET", "/b"};
    show("  /b", once::execute(db, one, answer_with(200)), key_reused, false);

    std::cout << runs << " runs of the callback\n";
    return fine && runs == 6 ? 0 : 1;
} catch (std::exception const& e) {
    std::cerr << e.what() << '\n';
    return 1;
}
