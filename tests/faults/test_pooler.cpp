// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// Through PgBouncer: what works, what works otherwise, what is refused. The table in docs/operations.md says the same.
#include <once/consumer.hpp>
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>
#include <once/lease.hpp>
#include <once/publish.hpp>
#include <once/subscription.hpp>

#include "faults/pooler.hpp"
#include "support/effects.hpp"
#include "support/login_role.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <pqxx/connection>
#include <pqxx/except>

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <tuple>
#include <variant>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

pooled_server in_front_of(effects_database const& server) {
    pqxx::connection direct{server.dsn()};
    return {.host = direct.hostname(),
            .port = direct.get_var("port"),
            .user = direct.username(),
            .dbname = server.name()};
}

/// More clients than the server has sessions for them, so that each transaction can be on another session.
void check_requests(effects_database const& server, once::database& db) {
    constexpr int clients = 6;
    constexpr int each = 30;
    std::atomic<int> wrong = 0;
    std::mutex mutex;
    std::string why;
    {
        std::vector<std::jthread> running;
        for (int client = 0; client < clients; ++client) {
            running.emplace_back([&, client] {
                for (int n = 0; n < each; ++n) {
                    try {
                        // Pairs of clients have the same keys.
                        auto const key = std::to_string(client / 2) + "/" + std::to_string(n);
                        auto const once_more = [&] {
                            return n % 2 == 0
                                       ? once::execute(
                                             db, request_of(key),
                                             [](once::transaction& tx) {
                                                 add_effect(tx);
                                                 tx.publish({.topic = "t", .payload = once::body::text("p")});
                                                 return once::response{.body = once::body::text("a")};
                                             })
                                       : once::execute(db, request_of(key), {effect_statement()});
                        };
                        auto const first = once_more();
                        auto const second = once_more();
                        wrong += !second.replayed() || first.response() != second.response();
                    } catch (std::exception const& e) {
                        ++wrong;
                        std::lock_guard const lock{mutex};
                        why = e.what();
                    }
                }
            });
        }
    }
    INFO(why);
    CHECK(wrong == 0);
    CHECK(server.effects() == clients / 2 * each);
    CHECK(std::holds_alternative<once::lease>(once::acquire(db, "lease", 1min)));
}

once::subscription_options from_the_beginning() {
    once::subscription_options options;
    options.from = once::subscribe_from::beginning;
    return options;
}

/// A consumer that stays, messages that come while it waits, and one that is published through the pooler.
void check_messages(
    once::database& db, once::consumer_options const& options,
    std::function<bool()> const& waits = [] { return true; }) {
    std::atomic<std::size_t> handled = 0;
    once::consumer consumer{db, "s", [&](once::delivery const&, once::transaction&) { ++handled; }, options};
    std::jthread const running{[&](std::stop_token const& stop) { consumer.run(stop); }};
    REQUIRE(wait_until([&] { return handled >= 45; }));
    CHECK(wait_until([&] { return waits(); }));
    std::ignore = once::transact(
        db, [](once::transaction& tx) { tx.publish({.topic = "t", .payload = once::body::text("late")}); });
    CHECK(wait_until([&] { return handled == 46; }));
}

} // namespace

TEST_CASE("requests, messages and leases work through a pooler in transaction mode", "[faults][pooler]") {
    effects_database const server;
    pooler const between{in_front_of(server), "transaction", 3};
    listener ear;
    once::database db{between.dsn(), {.prepared_statements = false, .log = ear.log()}};
    std::ignore =
        once::transact(db, [](once::transaction& tx) { once::subscribe(tx, "s", from_the_beginning()); });
    check_requests(server, db);
    check_messages(db, {.reader = {.listen = false}});
    CHECK_FALSE(ear.heard("pooler"));
    // Nothing of a transaction stays on the server's sessions.
    pqxx::connection peer{between.dsn()};
    CHECK(ask(between.dsn(),
              "select string_agg(name, ' ') from pg_settings where source = 'session' and name not in "
              "('client_encoding', 'application_name', 'DateStyle', 'TimeZone', "
              "'standard_conforming_strings')") == "NULL");
    CHECK(ask(between.dsn(), "select count(*) from pg_prepared_statements") == "0");
    CHECK(ask(between.dsn(), "select count(*) from pg_listening_channels()") == "0");
}

TEST_CASE("a role that another client of a pooler left in its session carries out no call of ours",
          "[faults][pooler]") {
    effects_database const server;
    login_role const tenant{server, "tenant"};
    tenant.grant_use();
    server.run("alter table effect add who text default current_user; grant all on effect to " +
               tenant.name());
    pooler const between{in_front_of(server), "transaction", 1};
    once::database db{between.dsn(), {.prepared_statements = false}};
    db.check();
    std::ignore = ask(between.dsn(), "select set_config('role', '" + tenant.name() + "', false)");
    REQUIRE(ask(between.dsn(), "select current_user") == tenant.name());
    CHECK(once::execute(db, request_of("a"), [](once::transaction& tx) { add_effect(tx); }).done());
    CHECK(once::execute(db, request_of("b"), {effect_statement()}).done());
    CHECK(once::transact(db, [](once::transaction& tx) { add_effect(tx); }).done());
    CHECK(server.effects() == 3);
    CHECK(server.ask("select string_agg(distinct who, ',') from effect") ==
          server.ask("select session_user"));
    // What the other client set is its own affair.
    CHECK(ask(between.dsn(), "select current_user") == tenant.name());
}

TEST_CASE("prepared statements through a pooler that mixes them up are refused at the start",
          "[faults][pooler]") {
    if (pooler::keeps_statements_apart()) {
        effects_database const server;
        pooler const between{in_front_of(server), "transaction", 3, {"max_prepared_statements = 100"}};
        once::database db{between.dsn()};
        std::ignore =
            once::transact(db, [](once::transaction& tx) { once::subscribe(tx, "s", from_the_beginning()); });
        check_requests(server, db);
        return;
    }
    effects_database const server;
    pooler const between{in_front_of(server), "transaction", 3};
    once::database db{between.dsn()};
    std::string why;
    try {
        db.check();
    } catch (once::configuration_error const& e) {
        why = e.what();
    }
    INFO(why);
    CHECK(why.find("prepared_statements = false") != std::string::npos);
    CHECK(why.find("max_prepared_statements") != std::string::npos);
    CHECK_THROWS_AS(once::execute(db, request_of("k"), {effect_statement()}), once::configuration_error);
    CHECK(server.effects() == 0);
}

TEST_CASE("a reader that wants to be woken through a pooler says that it asks instead, and misses nothing",
          "[faults][pooler]") {
    auto const* const mode = GENERATE("transaction", "session");
    effects_database const server;
    pooler const between{in_front_of(server), mode, 12};
    listener ear;
    once::database db{between.dsn(), {.prepared_statements = false, .log = ear.log()}};
    std::ignore =
        once::transact(db, [](once::transaction& tx) { once::subscribe(tx, "s", from_the_beginning()); });
    for (int n = 0; n < 45; ++n) {
        std::ignore = once::transact(
            db, [](once::transaction& tx) { tx.publish({.topic = "t", .payload = once::body::text("p")}); });
    }
    // A sleep of this length would let the test fail.
    check_messages(db, {.reader = {.longest_sleep = 1min}},
                   [&] { return ear.heard("a pooler stands between"); });
}

TEST_CASE("everything works through a pooler in session mode, prepared statements, too", "[faults][pooler]") {
    effects_database const server;
    pooler const between{in_front_of(server), "session", 20};
    once::database db{between.dsn()};
    std::ignore =
        once::transact(db, [](once::transaction& tx) { once::subscribe(tx, "s", from_the_beginning()); });
    check_requests(server, db);
    check_messages(db, {});
}

TEST_CASE("without a pooler nobody is told about one, and readers sleep", "[faults][pooler]") {
    effects_database const server;
    listener ear;
    once::database db{server.dsn(), {.log = ear.log()}};
    std::ignore =
        once::transact(db, [](once::transaction& tx) { once::subscribe(tx, "s", from_the_beginning()); });
    check_requests(server, db);
    check_messages(db, {.reader = {.longest_sleep = 1min}});
    CHECK_FALSE(ear.heard("pooler"));
}
