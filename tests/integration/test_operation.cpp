// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/claim.hpp>
#include <once/error.hpp>

#include "integration/operations.hpp"
#include "support/login_role.hpp"
#include "support/refusal.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>
#include <pqxx/connection>
#include <pqxx/transaction>

#include <string>
#include <tuple>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;
using enum once::operation_outcome;
using once::operation;
using once::response;
using once::running_operation;
using once::transaction;

namespace {

response answer_ok(transaction&, running_operation&) {
    return {.status = 200};
}

} // namespace

TEST_CASE("an operation runs its phases in order and its response answers every repeat", "[operation]") {
    operations_database const server;
    once::database db{server.dsn()};
    fake_provider provider;
    auto const book = booking(once::effect::idempotent_remote, provider);
    auto const first = book.run(db, asked("k"), {{"item", "tea"}});
    REQUIRE(first.outcome == done);
    CHECK(first.response->status == 201);
    CHECK(server.ask("select string_agg(what, ' ' order by id) from effect") == "reserve confirm");
    auto const repeat = book.run(db, asked("k"));
    CHECK(repeat.outcome == replayed);
    CHECK(repeat.response == first.response);
    // It is the record that execute knows.
    auto const elsewhere = once::execute(db, asked("k"), [](transaction& tx) { add_effect(tx); });
    CHECK(elsewhere.replayed());
    CHECK(elsewhere.response() == *first.response);
    CHECK(book.run(db, asked("k", "coffee")).outcome == key_reused);
    CHECK(provider.calls() == 1);
    CHECK(server.effects() == 2);
    CHECK(server.state() == "finished");
    CHECK(
        server.ask(
            "select i.expires_at = o.expires_at and i.completed_at = o.finished_at from once.operation as o "
            "join once.idempotency_record as i using (service, scope, key)") == "t");
    CHECK(server.column("data::text") == R"({"charge":0,"item":"tea","reserved":true})");
}

TEST_CASE("while an operation runs everybody who comes with its key is told so", "[operation]") {
    operations_database const server;
    once::database db{server.dsn()};
    fake_provider provider;
    int looked = 0;
    auto const simple = booking(once::effect::idempotent_remote, provider);
    auto const book = booking(once::effect::idempotent_remote, provider, [&](running_operation&) {
        ++looked;
        auto const second = simple.run(db, asked("k"));
        CHECK(second.outcome == in_progress);
        CHECK(second.phase == "charge");
        CHECK(second.retry_after > 20s);
        CHECK(second.retry_after <= 30s);
        CHECK(once::execute(db, asked("k"), [](transaction& tx) { add_effect(tx); }).in_progress());
        CHECK(simple.run(db, asked("k", "coffee")).outcome == key_reused);
        pqxx::connection connection{server.dsn()};
        pqxx::work tx{connection};
        CHECK(std::holds_alternative<once::in_progress>(once::claim(tx, asked("k"))));
        CHECK(once::operation_worker{db, {simple}}.run_once() == once::operation_summary{});
        CHECK(server.state() == "running");
        CHECK(server.effects() == 1); // what was done so far is committed
    });
    CHECK(book.run(db, asked("k")).outcome == done);
    CHECK(looked == 1);
    CHECK(provider.calls() == 1);
}

TEST_CASE("a key that was used without an operation is answered as execute does", "[operation]") {
    operations_database const server;
    once::database db{server.dsn()};
    fake_provider provider;
    auto const book = booking(once::effect::idempotent_remote, provider);
    CHECK(once::execute(db, asked("k"), [](transaction&) {}).done());
    CHECK(book.run(db, asked("k")).outcome == replayed);
    auto const open = once::execute(db, asked("held"), [&](transaction&) {
        auto const impatient =
            booking(once::effect::idempotent_remote, provider, [](running_operation&) {}, {.wait = 20ms});
        CHECK(impatient.run(db, asked("held")).outcome == in_progress);
    });
    CHECK(open.done());
    CHECK(server.ask("select count(*) from once.operation") == "0");
    CHECK(provider.calls() == 0);
}

TEST_CASE("what a phase that failed wrote is gone, what came before it stays", "[operation]") {
    operations_database const server;
    once::database db{server.dsn()};
    int runs = 0;
    operation const op{"op",
                       {once::in_database("one",
                                          [](transaction& tx, running_operation& now) {
                                              add_effect(tx, "one");
                                              now.data()["seen"].push_back("one");
                                          }),
                        once::in_database("two",
                                          [&](transaction& tx, running_operation& now) -> response {
                                              add_effect(tx, "two");
                                              CHECK(now.attempt() == ++runs);
                                              now.data()["seen"].push_back("two");
                                              if (runs < 3) {
                                                  throw std::runtime_error{"no luck,\nnot \xff today"};
                                              }
                                              return {.body = now.data()};
                                          })},
                       {.retry_after = 0ms}};
    for (int attempt = 1; attempt < 3; ++attempt) {
        CHECK_THROWS_AS(op.run(db, asked("k")), std::runtime_error);
        CHECK(server.effects("one") == 1);
        CHECK(server.effects("two") == 0);
        CHECK(server.column("last_error") == "no luck, not ? today");
        CHECK(server.column("recovery_point") == "two");
        CHECK(server.state() == "abandoned");
    }
    auto const made = op.run(db, asked("k"));
    REQUIRE(made.outcome == done);
    CHECK(made.response->body.data() == R"({"seen":["one","two"]})");
    CHECK(server.effects() == 2);
    CHECK(server.column("last_error") == "NULL");
}

TEST_CASE("whatever a phase throws gives the operation back and reaches the caller", "[operation]") {
    operations_database const server;
    once::database db{server.dsn()};
    operation const op{
        "op",
        {once::in_database("one",
                           [](transaction&, running_operation& now) -> response {
                               CHECK(now.scope() == asked("k").scope);
                               CHECK(now.owned_until() > std::chrono::steady_clock::now());
                               throw 42; // NOLINT(hicpp-exception-baseclass): what nobody should throw
                           })},
        {.retry_after = 0ms}};
    CHECK_THROWS_AS(op.run(db, asked("k")), int);
    CHECK(server.column("last_error") == "an exception that is no std::exception");
    CHECK(server.state() == "abandoned");
}

TEST_CASE("pauses double up to their cap, and after the last attempt a person is needed", "[operation]") {
    operations_database const server;
    once::database db{server.dsn()};
    operation const op{
        "op",
        {once::in_database(
            "only", [](transaction&, running_operation&) -> response { throw std::runtime_error{"never"}; })},
        {.max_attempts = 4, .retry_after = 10s, .max_retry_after = 30s}};
    for (int const pause : {10, 20, 30}) {
        CHECK_THROWS(op.run(db, asked("k")));
        auto const early = op.run(db, asked("k"));
        CHECK(early.outcome == in_progress);
        CHECK(early.retry_after > std::chrono::seconds{pause - 8});
        CHECK(early.retry_after <= std::chrono::seconds{pause});
        server.end_leases();
    }
    auto const end = op.run(db, asked("k"));
    CHECK(end.outcome == failed);
    CHECK(end.phase == "only");
    CHECK(op.run(db, asked("k")).outcome == failed);
    CHECK(server.state() == "failed");
    CHECK(server.ask("select needs from once.operation_readable") == "a person");
    CHECK(once::execute(db, asked("k"), [](transaction&) {}).in_progress());
}

TEST_CASE("any phase in the database may end the operation, with any status", "[operation]") {
    operations_database const server;
    once::database db{server.dsn()};
    for (int const status : {204, 402, 503}) {
        operation const op{
            "op",
            {once::in_database("look",
                               [&](transaction& tx, running_operation&) -> std::optional<response> {
                                   add_effect(tx);
                                   return response{.status = status, .body = once::body::text("no")};
                               }),
             once::in_database("never", answer_ok)}};
        auto const key = std::to_string(status);
        CHECK(op.run(db, asked(key)).response->status == status);
        auto const repeat = op.run(db, asked(key));
        CHECK(repeat.outcome == replayed);
        CHECK(repeat.response->status == status);
        CHECK(repeat.response->body.data() == "no");
    }
    CHECK(server.effects() == 3);
}

TEST_CASE("the key of a call is the same at every attempt and nowhere else", "[operation]") {
    operations_database const server;
    once::database db{server.dsn()};
    std::vector<std::string> keys;
    auto const note = [&](running_operation& op) {
        keys.push_back(op.call_key());
        if (keys.size() % 2 == 1) {
            throw std::runtime_error{"no reply"};
        }
    };
    operation const op{"op",
                       {once::idempotent_remote("first", note), once::idempotent_remote("second", note),
                        once::in_database("end", answer_ok)},
                       {.retry_after = 0ms}};
    CHECK_THROWS(op.run(db, asked("k")));
    CHECK_THROWS(op.run(db, asked("k")));
    CHECK(op.run(db, asked("k")).outcome == done);
    REQUIRE(keys.size() == 4);
    CHECK(keys[0] == keys[1]);
    CHECK(keys[2] == keys[3]);
    CHECK(keys[0] != keys[2]);
    CHECK(keys[0] == server.ask("select once.call_key('test', 'k', 'first')"));
    CHECK(keys[0][14] == '8');
    CHECK(
        server.ask(
            "select count(distinct once.call_key(s, k, p)) from (values ('a', 'bc', 'd'), ('ab', 'c', 'd'), "
            "('a', 'b', 'cd'), ('', 'abc', 'd')) as v (s, k, p)") == "4");
    // Fixed for ever: a provider may remember a key for longer than a version of this library lives.
    CHECK(
        server.ask("select replace(once.call_key('s', 'k', 'p')::text, '-', '') like "
                   "left(encode(sha256(int8send(length(session_user::text)) || session_user::text::bytea || "
                   "'\\x0000000000000001'::bytea || 's' || '\\x0000000000000001'::bytea || 'k' || "
                   "'\\x0000000000000001'::bytea || 'p'), 'hex'), 12) || '8%'") == "t");
    login_role const role{server, "other"};
    role.grant_use();
    CHECK(ask(role.dsn(), "select once.call_key('test', 'k', 'first')") != keys[0]);
}

TEST_CASE("a last phase without a response is misuse, and nothing of it takes effect", "[operation]") {
    operations_database const server;
    once::database db{server.dsn()};
    operation const op{
        "op", {once::in_database("end", [](transaction& tx, running_operation&) { add_effect(tx); })}};
    CHECK_THROWS_AS(op.run(db, asked("k")), once::misuse);
    CHECK(server.effects() == 0);
}

TEST_CASE("a phase that swallows a failed statement takes no effect", "[operation]") {
    operations_database const server;
    once::database db{server.dsn()};
    operation const op{"op", {once::in_database("end", [](transaction& tx, running_operation&) -> response {
                           add_effect(tx);
                           try {
                               tx.exec("select 1/0");
                           } catch (pqxx::sql_error const&) {
                               SUCCEED("swallowed");
                           }
                           return {};
                       })}};
    CHECK_THROWS_AS(op.run(db, asked("k")), once::transaction_poisoned);
    CHECK(server.effects() == 0);
    CHECK(server.state() != "finished");
}

TEST_CASE("data and responses beyond their limits are refused by name", "[operation][bad input]") {
    operations_database const server;
    once::database db{server.dsn()};
    auto const refused = [&](nlohmann::json const& data) {
        fake_provider provider;
        return refused_field([&] {
            std::ignore = booking(once::effect::idempotent_remote, provider).run(db, asked("k"), data);
        });
    };
    CHECK(refused({{"text", std::string(std::size_t{1024} * 1024, 'x')}}) == "operation.data");
    CHECK(refused({{"text", "\xff"}}) == "operation.data");
    nlohmann::json deep;
    for (int i = 0; i < 600; ++i) {
        deep = nlohmann::json::array({deep});
    }
    CHECK(refused(deep) == "operation.data");
    CHECK(server.ask("select count(*) from once.operation") == "0");
    CHECK(refused({{"text", std::string("nul \0 and caf\xc3\xa9", 15)}}) == "accepted");
    operation const big{"big",
                        {once::in_database("end",
                                           [](transaction&, running_operation&) -> response {
                                               return {.body = once::body::text(std::string(2000, 'x'))};
                                           })},
                        {.max_response_bytes = 1000}};
    CHECK_THROWS_AS(big.run(db, asked("big")), once::invalid_argument);
}

TEST_CASE("a finished operation is purged with its response, and its key is free", "[operation]") {
    operations_database const server;
    auto const fence = [&] { return std::stoll(server.ask("select fence from once.operation")); };
    once::database db{server.dsn()};
    fake_provider provider;
    auto const book = booking(once::effect::idempotent_remote, provider);
    CHECK(book.run(db, asked("k")).outcome == done);
    CHECK(server.ask("select once.purge_operations()") == "0");
    auto const first = fence();
    CHECK(server.ask("select once.purge_operations(10, now() + interval '25 hours')") == "1");
    CHECK(book.run(db, asked("k")).outcome == replayed); // the record lives on its own
    server.run("update once.idempotency_record set expires_at = now()");
    CHECK(book.run(db, asked("k")).outcome == done);
    auto const second = fence();
    CHECK(second > first); // an owner of the one that was purged can change nothing here
    // Expired, but not purged: the leftover is replaced.
    server.run("update once.idempotency_record set expires_at = now(); update once.operation set expires_at "
               "= now()");
    CHECK(book.run(db, asked("k")).outcome == done);
    CHECK(fence() > second);
    CHECK(server.ask("select once.purge_operations(10, now())") == "0");
    CHECK(server.effects("confirm") == 3);
    CHECK(provider.charges() == 1); // the same key for the call: the provider does not charge again
}

TEST_CASE("an operation that is not finished is never purged, and outlives a purge of its record",
          "[operation]") {
    operations_database const server;
    once::database db{server.dsn()};
    fake_provider provider;
    auto const book = booking(once::effect::idempotent_remote, provider, [&](running_operation&) {
        CHECK(server.ask("select once.purge_operations(10, now() + interval '1000 days')") == "0");
        CHECK(server.ask("select once.purge(10, now() + interval '300 days')") == "0"); // as long as it lasts
        CHECK(server.ask("select once.purge(10, now() + interval '1000 days')") == "1");
    });
    CHECK(book.run(db, asked("k")).outcome == done);
    CHECK(book.run(db, asked("k")).outcome == replayed);
}

TEST_CASE("operations of another service are not seen, not taken and not disturbed", "[operation]") {
    operations_database const server;
    login_role const role{server, "other"};
    role.grant_use();
    server.run("grant insert on effect to " + role.name());
    once::database ours{server.dsn()};
    once::database theirs{role.dsn()};
    fake_provider provider;
    auto const fails = booking(once::effect::idempotent_remote, provider,
                               [](running_operation&) { throw std::runtime_error{"no reply"}; });
    CHECK_THROWS(fails.run(ours, asked("k")));
    auto const book = booking(once::effect::idempotent_remote, provider);
    CHECK(once::operation_worker{theirs, {book}}.run_once() == once::operation_summary{});
    CHECK(book.run(theirs, asked("k")).outcome == done);
    CHECK(server.ask("select count(*) from once.operation") == "2");
    CHECK(once::operation_worker{ours, {book}}.run_once() == once::operation_summary{.taken = 1, .done = 1});
}

TEST_CASE("what an operation must not be made of is refused by name", "[operation][bad input]") {
    auto const end = once::in_database("end", answer_ok);
    auto const nothing = [](running_operation&) {};
    CHECK(refused_field([&] { operation{"op", {end}}; }) == "accepted");
    for (std::string const& name :
         {std::string{}, std::string(256, 'x'), std::string{"a "}, std::string{"a\nb"},
          std::string{"a\0b", 3}, std::string{"caf\xc3\xa9"}}) {
        CHECK(refused_field([&] { operation{name, {end}}; }) == "operation.name");
        CHECK(refused_field([&] { operation{"op", {once::in_database(name, answer_ok), end}}; }) ==
              "phase.name");
    }
    CHECK(refused_field([&] { operation{"op", {}}; }) == "phases");
    CHECK(refused_field([&] { operation{"op", {end, once::idempotent_remote("call", nothing)}}; }) ==
          "phases");
    CHECK(refused_field([&] { operation{"op", {end, end}}; }) == "phase.name");
    CHECK(refused_field([&] { operation{"op", {once::idempotent_remote("call", {}), end}}; }) == "phase");
    CHECK(refused_field([&] { operation{"op", std::vector<once::phase>(101, end)}; }) == "phases");
    using options = once::operation_options;
    auto const option = [&](options const& given) {
        return refused_field([&] { operation{"op", {end}, given}; });
    };
    CHECK(option({.lease = 99ms}) == "operation_options.lease");
    CHECK(option({.lease = 25h}) == "operation_options.lease");
    CHECK(option({.retention = 0s}) == "operation_options.retention");
    CHECK(option({.retention = 367 * 24h}) == "operation_options.retention");
    CHECK(option({.wait = -1ms}) == "operation_options.wait");
    CHECK(option({.max_attempts = 0}) == "operation_options.max_attempts");
    CHECK(option({.retry_after = -1ms}) == "operation_options.retry_after");
    CHECK(option({.retry_after = 2s, .max_retry_after = 1s}) == "operation_options.max_retry_after");
    CHECK(option({.transaction = {.deadline = 0ms}}) == "transaction_options.deadline");
    effects_database const server;
    once::database db{server.dsn()};
    fake_provider provider;
    CHECK(
        refused_field([&] {
            std::ignore =
                booking(once::effect::at_most_once, provider).run(db, {.fingerprint = once::no_fingerprint});
        }) == "request.scope");
    CHECK(refused_field([&] { once::operation_worker{db, {}}; }) == "kinds");
    auto const book = booking(once::effect::at_most_once, provider);
    CHECK(refused_field([&] { once::operation_worker{db, {book, book}}; }) == "kinds");
    CHECK(refused_field([&] { once::operation_worker{db, {book}, {.poll = 0ms}}; }) ==
          "operation_worker_options.poll");
    CHECK(refused_field([&] { once::operation_worker{db, {book}, {.batch = 0}}; }) ==
          "operation_worker_options.batch");
}
