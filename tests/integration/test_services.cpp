// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/database.hpp>
#include <once/execute.hpp>

#include "support/effects.hpp"
#include "support/login_role.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/nontransaction>
#include <pqxx/transaction>

#include <future>
#include <string>

using namespace once::testing;

namespace {

once::reply write_as(login_role const& role, std::string const& answer) {
    once::database db{role.dsn()};
    return once::execute(db, request_of("k"), [&](once::transaction& tx) {
        add_effect(tx);
        return once::response{.body = once::body::text(answer)};
    });
}

struct with_roles : effects_database {
    login_role one{*this, "one"};
    login_role two{*this, "two"};
    login_role three{*this, "three"};

    with_roles() {
        for (auto const* role : {&one, &two, &three}) {
            role->grant_use();
            run("grant insert on effect to " + role->name());
        }
    }
};

} // namespace

TEST_CASE("services do not see each other's records under the same scope and key", "[services]") {
    with_roles const server;
    CHECK(write_as(server.one, "first").done());
    CHECK(write_as(server.two, "second").done());
    CHECK(write_as(server.one, "again").response().body.data() == "first");
    CHECK(write_as(server.two, "again").response().body.data() == "second");
    CHECK(server.effects() == 2);
    CHECK(server.ask("select string_agg(service, ' ' order by service) from once.idempotency_record") ==
          server.one.name() + " " + server.two.name());
}

TEST_CASE("roles of one service share its records", "[services]") {
    with_roles const server;
    server.run("insert into once.service_role (role, service) values ('" + server.one.name() +
               "', 'shop'), ('" + server.two.name() + "', 'shop')");
    CHECK(write_as(server.one, "first").done());
    auto const repeat = write_as(server.two, "second");
    CHECK(repeat.replayed());
    CHECK(repeat.response().body.data() == "first");
    CHECK(write_as(server.three, "third").done());
    CHECK(server.effects() == 2);
    CHECK(server.ask("select service from once.idempotency_record where service = 'shop'") == "shop");
}

TEST_CASE("a row of service_role counts for open sessions from its COMMIT on, and not before", "[services]") {
    with_roles const server;
    pqxx::connection session{server.one.dsn()};
    auto const service = [&] {
        pqxx::nontransaction tx{session};
        return tx.query_value<std::string>("select once.current_service()");
    };
    CHECK(service() == server.one.name());
    pqxx::connection administrator{server.dsn()};
    {
        pqxx::work tx{administrator};
        tx.exec("insert into once.service_role (role, service) values ('" + server.one.name() + "', 'shop')");
        CHECK(service() == server.one.name());
        tx.commit();
    }
    CHECK(service() == "shop");
    {
        pqxx::work tx{administrator};
        tx.exec("update once.service_role set service = 'bakery'");
    }
    CHECK(service() == "shop");
    server.run("update once.service_role set service = 'it''s \\ a $$ bakery'");
    CHECK(service() == "it's \\ a $$ bakery");
    server.run("truncate once.service_role");
    CHECK(service() == server.one.name());
}

TEST_CASE("two administrators who map roles at the same time both see their rows count", "[services]") {
    with_roles const server;
    pqxx::connection first{server.dsn()};
    pqxx::work one{first};
    one.exec("insert into once.service_role (role, service) values ('" + server.one.name() + "', 'shop')");
    auto later = std::async(std::launch::async, [&] {
        server.run("insert into once.service_role (role, service) values ('" + server.two.name() +
                   "', 'shop')");
    });
    REQUIRE(wait_until([&] {
        return server.ask("select count(*) from pg_stat_activity where datname = current_database() "
                          "and wait_event_type = 'Lock'") == "1";
    }));
    one.commit();
    later.get();
    for (auto const* role : {&server.one, &server.two}) {
        CHECK(ask(role->dsn(), "select once.current_service()") == "shop");
    }
    pqxx::work strict{first};
    strict.exec("set transaction isolation level repeatable read");
    CHECK_THROWS_AS(strict.exec("delete from once.service_role"), pqxx::sql_error);
}

TEST_CASE("hundreds of roles of services are told apart as few are", "[services]") {
    with_roles const server;
    server.run("insert into once.service_role (role, service) values ('" + server.one.name() + "', 'shop')");
    for (char const* const change :
         {"insert into once.service_role (role, service) select 'role ' || n, 'service ' || n "
          "from generate_series(1, 300) as n",
          "delete from once.service_role where role like 'role %'"}) {
        server.run(change);
        CHECK(ask(server.one.dsn(), "select once.current_service()") == "shop");
        CHECK(ask(server.two.dsn(), "select once.current_service()") == server.two.name());
        CHECK(write_as(server.one, "first").committed());
    }
    CHECK(server.effects() == 1);
}

TEST_CASE("login roles that are rotated act for the service of their group", "[services]") {
    with_roles const server;
    auto const group = server.name() + "_group";
    login_role const orders{server, "group"};
    for (auto const* role : {&server.one, &server.two}) {
        server.run("grant " + group + " to " + role->name());
    }
    auto const service_of = [](login_role const& role) {
        return ask(role.dsn(), "select once.current_service()");
    };
    // A row for a group says nothing of its members, unless the group may execute service_by_membership().
    server.run("insert into once.service_role (role, service) values ('" + group + "', 'orders')");
    CHECK(service_of(server.one) == server.one.name());
    server.run("grant execute on function once.service_by_membership() to " + group);
    CHECK(service_of(server.one) == "orders");
    CHECK(service_of(server.three) == server.three.name());

    CHECK(write_as(server.one, "first").done());
    auto const repeat = write_as(server.two, "second");
    CHECK(repeat.replayed());
    CHECK(repeat.response().body.data() == "first");
    CHECK(server.effects() == 1);
    // Compiling the lookup would take a second for each of them, where the server does that.
    CHECK(server.ask(
              "select proconfig @> array['jit=off'] from pg_proc where proname = 'service_by_membership'") ==
          "t");
    // A session whose plans were made when no role was mapped learns of the first group.
    pqxx::connection open{server.two.dsn()};
    auto const claims_as = [&](std::string const& key) {
        pqxx::nontransaction tx{open};
        tx.exec("select once.claim('s', '" + key + "')");
        return server.ask("select service from once.idempotency_record where key = '" + key + "'");
    };
    server.run("create table kept as select * from once.service_role; truncate once.service_role");
    CHECK(claims_as("unmapped") == server.two.name());
    server.run("insert into once.service_role table kept");
    CHECK(claims_as("mapped") == "orders");
    // Every way to a key: one exchange, a lookup, messages.
    once::database db{server.two.dsn()};
    CHECK(once::execute(db, request_of("k"), {effect_statement()}).replayed());
    server.run("grant usage on sequence effect_id_seq to " + server.one.name());
    run(server.one.dsn(), "select once.subscribe('billing')");
    CHECK(ask(server.two.dsn(), "select once.pause_subscription('billing')") != "NULL");
    CHECK(server.ask("select string_agg(service, ' ') from once.subscription") == "orders");

    // Credentials that are gone lose the service, and a row of their own stands above the group.
    server.run("revoke " + group + " from " + server.one.name());
    CHECK(service_of(server.one) == server.one.name());
    server.run("insert into once.service_role (role, service) values ('" + server.two.name() +
               "', 'special')");
    CHECK(service_of(server.two) == "special");
}

TEST_CASE("a role in groups of two services is refused with the row that decides", "[services]") {
    with_roles const server;
    for (auto const* group : {&server.two, &server.three}) {
        server.run("insert into once.service_role (role, service) values ('" + group->name() + "', '" +
                   group->name() + "'); grant execute on function once.service_by_membership() to " +
                   group->name() + "; grant " + group->name() + " to " + server.one.name());
    }
    try {
        run(server.one.dsn(), "select once.claim('s', 'k')");
        FAIL("accepted");
    } catch (std::exception const& e) {
        std::string const text = e.what();
        INFO(text);
        CHECK(text.find("belongs to groups of several services") != std::string::npos);
        CHECK(text.find("insert into once.service_role") != std::string::npos);
    }
    // A superuser is a member of everything, and acts for itself.
    CHECK(server.ask("select once.current_service() = session_user") == "t");
}

TEST_CASE("SET ROLE does not change the service", "[services]") {
    with_roles const server;
    server.run("grant " + server.two.name() + " to " + server.one.name());
    CHECK(write_as(server.two, "second").done());
    CHECK(ask(server.one.dsn(), "set role " + server.two.name() + "; select once.current_service()") ==
          server.one.name());
}
