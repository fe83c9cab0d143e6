// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>

#include "integration/operations.hpp"
#include "support/refusal.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/except>

#include <map>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;
using enum once::operation_outcome;
using once::operation;
using once::operation_summary;
using once::operation_worker;
using once::response;
using once::running_operation;
using once::transaction;

TEST_CASE("an owner that was only slow can change nothing after a worker took over", "[operation]") {
    operations_database const server;
    once::database db{server.dsn()};
    fake_provider provider;
    auto const quick = booking(once::effect::idempotent_remote, provider);
    auto const slow = booking(once::effect::idempotent_remote, provider, [&](running_operation& op) {
        server.end_leases();
        CHECK(operation_worker{db, {quick}}.run_once() == operation_summary{.taken = 1, .done = 1});
        CHECK_THROWS_AS(op.renew(), once::ownership_lost);
        op.data()["charge"] = "forged";
    });
    auto const answer = slow.run(db, request_of("k"));
    CHECK(answer.outcome == in_progress);
    CHECK(server.effects("reserve") == 1);
    CHECK(server.effects("confirm") == 1);
    CHECK(server.ask("select response_json ->> 'charge' from once.idempotency_record") == "0");
    CHECK(provider.calls() == 2);
    CHECK(provider.charges() == 1);
    CHECK(slow.run(db, request_of("k")).outcome == replayed);
}

TEST_CASE("a phase in the database that commits after a take-over is refused whole", "[operation]") {
    operations_database const server;
    once::database db{server.dsn()};
    int runs = 0;
    operation const op{"op", {once::in_database("end", [&](transaction& tx, running_operation&) -> response {
                           add_effect(tx, "end");
                           if (++runs == 1) {
                               server.end_leases();
                               CHECK(server.ask("select outcome from once.next_operation('{op}', "
                                                "gen_random_uuid(), '1 minute')") == "resumed");
                           }
                           return {};
                       })}};
    CHECK(op.run(db, request_of("k")).outcome == in_progress);
    CHECK(server.effects() == 0);
    server.end_leases();
    CHECK(op.run(db, request_of("k")).outcome == done);
    CHECK(server.effects() == 1);
    CHECK(runs == 2);
}

TEST_CASE("an owner that was overtaken cannot move the recovery point, even where nobody has moved it",
          "[operation]") {
    for (bool const calls : {false, true}) {
        operations_database const server;
        once::database db{server.dsn()};
        int runs = 0;
        auto const be_overtaken = [&] {
            if (++runs == 1) {
                server.end_leases();
                CHECK(server.ask(
                          "select outcome from once.next_operation('{op}', gen_random_uuid(), '1 minute')") ==
                      "resumed");
            }
        };
        auto const first = calls
                               ? once::idempotent_remote("first", [&](running_operation&) { be_overtaken(); })
                               : once::in_database("first", [&](transaction& tx, running_operation&) {
                                     add_effect(tx, "first");
                                     be_overtaken();
                                 });
        operation const op{"op",
                           {first, once::in_database("end", [](transaction&, running_operation&) -> response {
                                return {};
                            })}};
        CHECK(op.run(db, request_of("k")).outcome == in_progress);
        CHECK(server.effects() == 0);
        CHECK(server.column("recovery_point") == "first");
        server.end_leases();
        CHECK(op.run(db, request_of("k")).outcome == done);
        CHECK(runs == 2);
        CHECK(server.effects("first") == (calls ? 0 : 1));
    }
}

TEST_CASE("a lease that ran out without a take-over does no harm", "[operation]") {
    operations_database const server;
    once::database db{server.dsn()};
    fake_provider provider;
    auto const book = booking(once::effect::at_most_once, provider, [&](running_operation& op) {
        server.end_leases();
        op.renew();
        CHECK(server.state() == "running");
        server.end_leases();
    });
    CHECK(book.run(db, request_of("k")).outcome == done);
    CHECK(provider.calls() == 1);
}

TEST_CASE("each take-over raises the fence, also above what another timeline gave out", "[operation]") {
    operations_database const server;
    auto const fence = [&] { return std::stoll(server.column("fence")); };
    CHECK(server.ask("select outcome from once.begin_operation('s', 'k', null, 'op', '{a,b}', null, '{}', "
                     "gen_random_uuid(), '1 minute')") == "started");
    auto last = fence();
    CHECK(last > (1LL << 40U));
    for (int i = 0; i < 3; ++i) {
        server.end_leases();
        CHECK(server.ask("select outcome from once.next_operation('{op}', gen_random_uuid(), '1 minute')") ==
              "resumed");
        CHECK(fence() == last + 1);
        last = fence();
    }
    // What a standby that takes over has, which did not get the last fences: lower than they, on a lower timeline.
    server.run("update once.operation set fence = 5");
    server.end_leases();
    CHECK(server.ask("select outcome from once.next_operation('{op}', gen_random_uuid(), '1 minute')") ==
          "resumed");
    CHECK(fence() == (1LL << 40U) + 1);
}

TEST_CASE("a call that must not be repeated is not, whatever it threw", "[operation]") {
    operations_database const server;
    once::database db{server.dsn()};
    fake_provider provider;
    auto const book = booking(once::effect::at_most_once, provider,
                              [](running_operation&) { throw std::runtime_error{"the reply was lost"}; });
    auto const first = book.run(db, request_of("k"));
    CHECK(first.outcome == unknown_effect);
    CHECK(first.phase == "charge");
    for (int i = 0; i < 3; ++i) {
        server.end_leases();
        CHECK(book.run(db, request_of("k")).outcome == unknown_effect);
        CHECK(operation_worker{db, {book}}.run_once() == operation_summary{});
    }
    CHECK(provider.calls() == 1);
    CHECK(server.state() == "unknown_effect");
    CHECK(server.ask("select needs || ': ' || last_error from once.operation_readable") ==
          "a person: the reply was lost");
}

TEST_CASE("a call that certainly was not made is made later", "[operation]") {
    operations_database const server;
    once::database db{server.dsn()};
    int runs = 0;
    operation const op{
        "op",
        {once::at_most_once("call",
                            [&](running_operation& now) {
                                CHECK(now.attempt() == ++runs);
                                if (runs < 3) {
                                    throw once::call_not_made{"no connection"};
                                }
                            }),
         once::in_database("end", [](transaction&, running_operation&) -> response { return {}; })},
        {.retry_after = 0ms}};
    CHECK_THROWS_AS(op.run(db, request_of("k")), once::call_not_made);
    CHECK(server.state() == "abandoned");
    CHECK(server.column("call") == "NULL");
    CHECK(operation_worker{db, {op}, {.batch = 1}}.run_once().retried == 1);
    CHECK(op.run(db, request_of("k")).outcome == done);
    CHECK(runs == 3);
}

TEST_CASE("an owner that vanishes during a call leaves doubt, and ends it when it comes back",
          "[operation]") {
    operations_database const server;
    once::database db{server.dsn()};
    fake_provider provider;
    auto const plain = booking(once::effect::at_most_once, provider);
    auto const book = booking(once::effect::at_most_once, provider, [&](running_operation&) {
        server.end_leases();
        CHECK(operation_worker{db, {plain}}.run_once() == operation_summary{.taken = 1, .unknown_effect = 1});
        CHECK(plain.run(db, request_of("k")).outcome == unknown_effect);
        CHECK(server.state() == "unknown_effect");
    });
    CHECK(book.run(db, request_of("k")).outcome == done);
    CHECK(provider.calls() == 1);
}

TEST_CASE("once a person has decided, an owner that comes back is refused", "[operation]") {
    operations_database const server;
    once::database db{server.dsn()};
    fake_provider provider;
    auto const plain = booking(once::effect::at_most_once, provider);
    auto const book = booking(once::effect::at_most_once, provider, [&](running_operation&) {
        server.end_leases();
        CHECK(operation_worker{db, {plain}}.run_once().unknown_effect == 1);
        server.run("select once.resolve_operation('test', 'k', 'confirm', '{\"charge\": \"by hand\"}')");
    });
    CHECK(book.run(db, request_of("k")).outcome == in_progress);
    CHECK(operation_worker{db, {plain}}.run_once() == operation_summary{.taken = 1, .done = 1});
    CHECK(server.ask("select response_json ->> 'charge' from once.idempotency_record") == "by hand");
    CHECK(server.effects("confirm") == 1);
    CHECK(provider.calls() == 1);
}

TEST_CASE("a person may have a phase done again, or end the operation", "[operation]") {
    operations_database const server;
    once::database db{server.dsn()};
    fake_provider provider;
    auto const lost = booking(once::effect::at_most_once, provider,
                              [](running_operation&) { throw std::runtime_error{"the reply was lost"}; });
    auto const book = booking(once::effect::at_most_once, provider);
    CHECK(lost.run(db, request_of("again")).outcome == unknown_effect);
    CHECK(sqlstate_of([&] { server.run("select once.resolve_operation('test', 'again', 'chrge')"); }) ==
          "22023");
    CHECK(sqlstate_of([&] {
              server.run("select once.resolve_operation('test', 'again', 'charge', p_service => 'other')");
          }) == "ON041");
    server.run("select once.resolve_operation('test', 'again', 'charge', p_service => 'postgres')");
    CHECK(book.run(db, request_of("again")).outcome == done);
    CHECK(provider.calls() == 2);

    CHECK(lost.run(db, request_of("end")).outcome == unknown_effect);
    server.run("select once.end_operation('test', 'end', 409, '{\"sorry\": true}')");
    auto const ended = book.run(db, request_of("end"));
    CHECK(ended.outcome == replayed);
    CHECK(ended.response->status == 409);
    CHECK(ended.response->body.data() == "{\"sorry\": true}");

    for (std::string const& key : {std::string{"end"}, std::string{"again"}, std::string{"never"}}) {
        CHECK(sqlstate_of([&] {
                  server.run("select once.resolve_operation('test', '" + key + "', 'charge')");
              }) == "ON041");
        CHECK(sqlstate_of([&] {
                  server.run("select once.end_operation('test', '" + key + "', 200, '{}')");
              }) == "ON041");
    }
}

TEST_CASE("an operation that kills every owner ends before a person", "[operation]") {
    operations_database const server;
    once::database db{server.dsn()};
    fake_provider provider;
    CHECK(
        server.ask(
            "select outcome from once.begin_operation('test', 'k', null, 'book', '{reserve,charge,confirm}', "
            "null, '{}', gen_random_uuid(), '1 minute')") == "started");
    auto const book =
        booking(once::effect::idempotent_remote, provider, [](running_operation&) {}, {.max_attempts = 3});
    for (int i = 0; i < 2; ++i) { // taken over by processes that die
        server.end_leases();
        CHECK(server.ask(
                  "select outcome from once.next_operation('{book}', gen_random_uuid(), '1 minute', 3)") ==
              "resumed");
    }
    server.end_leases();
    CHECK(operation_worker{db, {book}}.run_once() == operation_summary{.taken = 1, .failed = 1});
    CHECK(server.column("last_error") == "every owner vanished");
    server.run("select once.resolve_operation('test', 'k', 'reserve')");
    CHECK(operation_worker{db, {book}}.run_once() == operation_summary{.taken = 1, .done = 1});
}

TEST_CASE("a phase that the new version of a service does not know ends before a person", "[operation]") {
    operations_database const server;
    once::database db{server.dsn()};
    auto const end =
        once::in_database("end", [](transaction&, running_operation&) -> response { return {}; });
    operation const old{
        "op",
        {once::in_database("gone", [](transaction&, running_operation&) { throw std::runtime_error{"no"}; }),
         end},
        {.retry_after = 0ms}};
    CHECK_THROWS(old.run(db, request_of("k")));
    operation const renamed{
        "op",
        {once::idempotent_remote("new", [](running_operation& op) { CHECK(!op.call_key().empty()); }), end}};
    CHECK(operation_worker{db, {renamed}}.run_once() == operation_summary{.taken = 1, .failed = 1});
    CHECK(server.state() == "failed");
    // And a new phase behind the recovery point is run.
    operation const grown{
        "op",
        {once::in_database("gone", [](transaction&, running_operation&) {}),
         once::idempotent_remote("new", [](running_operation& op) { op.data()["key"] = op.call_key(); }),
         end}};
    server.run("select once.resolve_operation('test', 'k', 'gone')");
    CHECK(operation_worker{db, {grown}}.run_once() == operation_summary{.taken = 1, .done = 1});
    CHECK(
        server.ask("select (data ->> 'key')::uuid = once.call_key('test', 'k', 'new') from once.operation") ==
        "t");
}

TEST_CASE("many workers never run one operation at a time", "[operation]") {
    operations_database const server;
    once::database db{server.dsn()};
    fake_provider provider;
    auto const fails = booking(once::effect::idempotent_remote, provider,
                               [](running_operation&) { throw std::runtime_error{"no reply"}; });
    constexpr int operations = 40;
    for (int i = 0; i < operations; ++i) {
        CHECK_THROWS(fails.run(db, request_of(std::to_string(i))));
    }
    std::mutex mutex;
    std::set<std::string> running;
    std::atomic<int> doubled = 0;
    std::atomic<int> ended = 0;
    auto const book = booking(once::effect::idempotent_remote, provider, [&](running_operation& op) {
        {
            std::lock_guard const lock{mutex};
            doubled += running.insert(op.key()).second ? 0 : 1;
        }
        op.renew();
        std::lock_guard const lock{mutex};
        running.erase(op.key());
    });
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            operation_worker worker{db, {book}};
            for (auto done = worker.run_once(); done.taken > 0; done = worker.run_once()) {
                ended += done.done;
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    CHECK(doubled == 0);
    CHECK(ended == operations);
    CHECK(provider.calls() == 2 * operations);
    CHECK(provider.charges() == operations);
    CHECK(server.effects("confirm") == operations);
}

TEST_CASE("a worker in a thread completes operations until it is asked to stop", "[operation]") {
    operations_database const server;
    once::database db{server.dsn()};
    fake_provider provider;
    auto const fails = booking(once::effect::idempotent_remote, provider,
                               [](running_operation&) { throw std::runtime_error{"no reply"}; });
    CHECK_THROWS(fails.run(db, request_of("k")));
    {
        std::jthread const thread{[&](std::stop_token const& stop) {
            operation_worker worker{db, {booking(once::effect::idempotent_remote, provider)}, {.poll = 5ms}};
            worker.run(stop);
        }};
        CHECK(wait_until([&] { return server.state() == "finished"; }));
        CHECK_THROWS(fails.run(db, request_of("later")));
        CHECK(wait_until([&] {
            return server.ask("select count(*) from once.operation where state = 'finished'") == "2";
        }));
    }
    CHECK(server.effects("confirm") == 2);
}
