// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// This library as the previous one: the schema goes one step ahead of it, by a migration that only tests know.
#include <once/consumer.hpp>
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>
#include <once/lease.hpp>
#include <once/migrations.hpp>
#include <once/publish.hpp>
#include <once/subscription.hpp>

#include "integration/schema_verdict.hpp"
#include "support/effects.hpp"
#include "support/login_role.hpp"
#include "support/migrations_folder.hpp"

#include <catch2/catch_test_macros.hpp>

#include <chrono>
#include <string>
#include <tuple>
#include <variant>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

void require_done(shell_result const& done) {
    INFO(done.output);
    REQUIRE(done.status == 0);
}

std::string const known = std::to_string(once::migrations().size());

/// One of each thing that a service does, as a role with the rights of a service.
void check_everything(effects_database const& server, std::string const& dsn) {
    once::database db{dsn};
    once::subscription_options options;
    options.from = once::subscribe_from::beginning;
    std::ignore = once::transact(db, [&](once::transaction& tx) { once::subscribe(tx, "s", options); });

    for (int round = 0; round < 2; ++round) {
        auto const reply = once::execute(db, request_of("callback"), [](once::transaction& tx) {
            add_effect(tx);
            tx.publish({.topic = "t", .key = "k", .payload = once::body::text("p")});
            return once::response{.status = 201, .body = once::body::text("a")};
        });
        CHECK(reply.done() == (round == 0));
        CHECK(reply.response().body == once::body::text("a"));
        CHECK(once::execute(db, request_of("statements"), {effect_statement()}).done() == (round == 0));
    }
    CHECK(server.effects() == 2);

    once::consumer consumer{db, "s", [](once::delivery const&, once::transaction& tx) { add_effect(tx); }};
    CHECK(consumer.run_once().handled == 1);
    CHECK(consumer.run_once().handled == 0);
    CHECK(server.effects() == 3);

    CHECK(std::holds_alternative<once::lease>(once::acquire(db, "lease", 1min)));
    CHECK(std::holds_alternative<once::lease>(once::acquire(db, "lease", 1min)));
}

} // namespace

TEST_CASE("the previous library works on a schema one step ahead that serves it", "[schema]") {
    effects_database const server;
    login_role const service{server, "service"};
    service.grant_use();
    server.run("grant insert, select on effect to " + service.name());
    require_done(apply_next(server.dsn()));
    CHECK(server.ask("select once.installed_version() = " + known + " + 1") == "t");
    CHECK(server.ask("select once.serves_from()") == known);
    CHECK(verdict(service.dsn()) == "accepted");
    check_everything(server, service.dsn());
    require_done(take_back_next(server.dsn()));
    CHECK(server.ask("select once.serves_from()") == known);
    CHECK(verdict(service.dsn()) == "accepted");
}

TEST_CASE("a schema two steps ahead is refused with both versions and what to do", "[schema]") {
    effects_database const server;
    require_done(apply_next(server.dsn()));
    server.run(
        "insert into once.schema_version (version, name, serves_from) select max(version) + 1, 'one more', "
        "max(version) from once.schema_version");
    auto const text = verdict(server.dsn());
    INFO(text);
    CHECK(contains(text, "at version " + std::to_string(once::migrations().size() + 2)));
    CHECK(contains(text, "knows (" + known + ")"));
    CHECK(contains(text, "version " + std::to_string(once::migrations().size() + 1) + " or a later one"));
    CHECK(contains(text, "upgrade the library"));
    once::database db{server.dsn()};
    CHECK_THROWS_AS(once::execute(db, request_of("k"), [](once::transaction& tx) { add_effect(tx); }),
                    once::schema_error);
    CHECK(server.effects() == 0);
}

TEST_CASE("a newer file that serves no earlier library shuts out all of them, whatever the next one says",
          "[schema]") {
    effects_database const server;
    server.run("insert into once.schema_version (version, name) values (" + known + " + 1, 'breaks')");
    CHECK(contains(verdict(server.dsn()), "upgrade the library"));
    server.run("insert into once.schema_version (version, name, serves_from) values (" + known +
               " + 2, 'more', 1)");
    CHECK(contains(verdict(server.dsn()), "version " + std::to_string(once::migrations().size() + 1) +
                                              " or a later one: upgrade the library"));
}

TEST_CASE("a newer schema that says it serves a library and does not is found out", "[schema]") {
    effects_database const server;
    require_done(apply_next(server.dsn()));
    server.run("alter table once.idempotency_record rename column completed_at to done_at");
    CHECK(contains(verdict(server.dsn()), "column idempotency_record.completed_at is missing"));
}

TEST_CASE("a library that is newer than the schema is never served", "[schema]") {
    effects_database const server;
    server.run("delete from once.schema_version where version = " + known);
    CHECK(contains(verdict(server.dsn()), "too old"));
}
