// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/database.hpp>
#include <once/execute.hpp>

#include "support/effects.hpp"
#include "support/login_role.hpp"

#include <catch2/catch_test_macros.hpp>

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
    CHECK(write_as(server.one, "first").started());
    CHECK(write_as(server.two, "second").started());
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
    CHECK(write_as(server.one, "first").started());
    auto const repeat = write_as(server.two, "second");
    CHECK(repeat.replayed());
    CHECK(repeat.response().body.data() == "first");
    CHECK(write_as(server.three, "third").started());
    CHECK(server.effects() == 2);
    CHECK(server.ask("select service from once.idempotency_record where service = 'shop'") == "shop");
}

TEST_CASE("SET ROLE does not change the service", "[services]") {
    with_roles const server;
    server.run("grant " + server.two.name() + " to " + server.one.name());
    CHECK(write_as(server.two, "second").started());
    CHECK(ask(server.one.dsn(), "set role " + server.two.name() + "; select once.current_service()") ==
          server.one.name());
}
