// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// The migrations as real deployers apply them: without a transaction, twice at once, under any schema name, without
// rights to make roles.
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>
#include <once/identifier.hpp>

#include "integration/migration_checks.hpp"
#include "support/effects.hpp"
#include "support/login_role.hpp"
#include "support/migrations_folder.hpp"
#include "support/shell.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <pqxx/connection>
#include <pqxx/nontransaction>
#include <pqxx/transaction>

#include <algorithm>
#include <future>
#include <optional>
#include <string>
#include <vector>

using namespace once::testing;

namespace {

/// psql as a person calls it who has read nothing: no transaction, and it goes on after an error.
once::testing::shell_result apply_carelessly(std::string const& dsn, std::string const& name) {
    return run_in_shell("PGOPTIONS='-c search_path=once' psql -X -q -d " + shell_quoted(dsn) + " -f " +
                        shell_quoted(migration_path(name)) + " 2>&1");
}

} // namespace

TEST_CASE("a migration without a transaction goes in as a whole", "[migrations]") {
    empty_database const server;
    run(server.dsn(), "create schema once");
    for (auto const& name : migration_names(".up.sql")) {
        INFO(name);
        CHECK(apply_carelessly(server.dsn(), name).output == "");
    }
    CHECK_NOTHROW(once::database{server.dsn()}.check());
    auto down = migration_names(".down.sql");
    std::ranges::reverse(down);
    for (auto const& name : down) {
        INFO(name);
        CHECK(apply_carelessly(server.dsn(), name).output == "");
    }
    CHECK(objects(server.dsn()) == "NULL");
    CHECK(ask(server.dsn(), "select count(*) from pg_class where relnamespace = 'public'::regnamespace") ==
          "0");
}

TEST_CASE("a migration that fails anywhere leaves nothing and is not recorded, also without a transaction",
          "[migrations]") {
    empty_database const server;
    run(server.dsn(), "create schema once; create schema other");
    auto const up = migration_names(".up.sql");
    for (std::size_t i = 0; i < up.size(); ++i) {
        INFO(up[i]);
        // The end of a file, where all of its objects are there: 0001 has no end_migration() to break before it runs.
        if (i > 0) {
            auto const before = objects(server.dsn());
            run(server.dsn(), "alter function once.end_migration() set schema other");
            CHECK(apply_carelessly(server.dsn(), up[i]).output.find("end_migration() does not exist") !=
                  std::string::npos);
            run(server.dsn(), "alter function other.end_migration() set schema once");
            CHECK(objects(server.dsn()) == before);
            CHECK(ask(server.dsn(), "select once.installed_version()") == std::to_string(i));
        }
        apply(server.dsn(), up[i]);
    }
    run(server.dsn(), "create view other.uses as select * from once.lease");
    auto const before = objects(server.dsn());
    for (std::size_t i = up.size(); i-- > 5;) { // down to 0005, which the view keeps
        REQUIRE(apply_carelessly(server.dsn(), migration_names(".down.sql")[i]).output == "");
    }
    auto const with_lease = objects(server.dsn());
    CHECK(apply_carelessly(server.dsn(), migration_names(".down.sql")[4]).output.find("depend") !=
          std::string::npos);
    CHECK(objects(server.dsn()) == with_lease);
    CHECK(before != with_lease);
    CHECK(ask(server.dsn(), "select once.installed_version()") == "5");
}

TEST_CASE("of two that apply the same file the second waits, and is told that it is applied",
          "[migrations]") {
    empty_database const server;
    run(server.dsn(), "create schema once");
    for (auto const& name : migration_names(".up.sql")) {
        INFO(name);
        pqxx::connection first{server.dsn()};
        auto second = std::optional<std::future<shell_result>>{};
        {
            pqxx::work tx{first};
            tx.exec("set local search_path = once");
            tx.exec(migration_text(name));
            second = std::async(std::launch::async, [&] { return apply_carelessly(server.dsn(), name); });
            REQUIRE(wait_until([&] {
                return ask(server.dsn(),
                           "select count(*) from pg_locks where locktype = 'advisory' and not granted "
                           "and database = (select oid from pg_database "
                           "where datname = current_database())") == "1";
            }));
            tx.commit();
        }
        auto const told = second->get().output;
        CHECK(told.find(name.substr(0, name.find(".up.sql")) + " is applied already") != std::string::npos);
    }
    CHECK_NOTHROW(once::database{server.dsn()}.check());
}

TEST_CASE("a file that comes too early says which one is next", "[migrations]") {
    empty_database const server;
    run(server.dsn(), "create schema once; create schema app");
    auto const up = migration_names(".up.sql");
    apply(server.dsn(), up[0]);
    CHECK(apply_with_psql(server.dsn(), "once", up[3]).output.find("apply the file with the number 2") !=
          std::string::npos);
    auto const elsewhere = apply_with_psql(server.dsn(), "app, once", up[1]).output;
    INFO(elsewhere);
    CHECK(elsewhere.find("set search_path = once") != std::string::npos);
    CHECK(ask(server.dsn(), "select count(*) from pg_class where relnamespace = 'app'::regnamespace") == "0");
}

TEST_CASE("a schema name works everywhere, or the first file and the library refuse it with one rule",
          "[migrations]") {
    effects_database const server;
    auto const quoted = [](std::string const& name) { return '"' + name + '"'; };
    auto const longest = "n" + server.name() + std::string(48 - server.name().size(), 'x');
    REQUIRE(longest.size() == 49);
    for (auto const& name : {longest, std::string{"user"}, std::string{"_x1"}}) {
        INFO(name);
        migrate(server.dsn(), quoted(name));
        once::database db{server.dsn(), {.schema = name}};
        CHECK_NOTHROW(db.check());
        CHECK(once::execute(db, request_of("k"), [](once::transaction& tx) { add_effect(tx); }).done());
        CHECK(once::execute(db, request_of("k"), [](once::transaction& tx) { add_effect(tx); }).replayed());
        // A setting has the name that the library gives it, whatever the schema is called.
        CHECK_THROWS_WITH(server.run("select " + quoted(name) + ".try_claim('s', 'forgotten')"),
                          Catch::Matchers::ContainsSubstring("not completed"));
        login_role const service{server, "service"};
        server.run("grant " + quoted(name + "_producer") + ", " + quoted(name + "_consumer") + " to " +
                   service.name());
        CHECK_NOTHROW(once::database{service.dsn(), {.schema = name}}.check());
        auto down = migration_names(".down.sql");
        std::ranges::reverse(down);
        server.run("drop owned by " + service.name());
        for (auto const& file : down) {
            auto const done = apply_with_psql(server.dsn(), quoted(name), file);
            INFO(file << ": " << done.output);
            REQUIRE(done.status == 0);
        }
    }
    for (std::string const name :
         {"ShipOrders", "ship-orders", "1ship", "ship orders", "caf\xc3\xa9", "o\"\"x", "public",
          "n2345678901234567890123456789012345678901234567890"}) {
        INFO(name);
        server.run("create schema if not exists " + quoted(name));
        auto const refused = apply_with_psql(server.dsn(), quoted(name), migration_names(".up.sql").front());
        CHECK(refused.status != 0);
        CHECK(refused.output.find(once::schema_name_rule) != std::string::npos);
        CHECK(server.ask("select count(*) from pg_proc where pronamespace = '" + quoted(name) +
                         "'::regnamespace") == "0");
        try {
            once::database const db{server.dsn(), {.schema = name}};
            FAIL("accepted");
        } catch (once::invalid_argument const& e) {
            CHECK(std::string{e.what()}.find(once::schema_name_rule) != std::string::npos);
        }
    }
}

TEST_CASE("default privileges of the deployer open nothing of the schema", "[migrations]") {
    empty_database const server;
    pqxx::connection connection{server.dsn()};
    pqxx::nontransaction session{connection};
    auto const anon = server.name() + "_anon";
    session.exec("create role " + anon);
    for (std::string const what : {"tables", "sequences", "functions", "schemas"}) {
        session.exec("alter default privileges grant all on " + what + " to " + anon);
    }
    migrate(server.dsn(), "once");
    REQUIRE(apply_next(server.dsn()).status == 0); // and what a later file makes
    CHECK(column(server.dsn(), "select relname::text from pg_class where relnamespace = 'once'::regnamespace "
                               "and relkind in ('r', 'p', 'v') and has_any_column_privilege('" +
                                   anon + "', oid, 'select, insert, update, references')") ==
          std::vector<std::string>{});
    CHECK(column(server.dsn(), "select relname::text from pg_class where relnamespace = 'once'::regnamespace "
                               "and case relkind when 'S' then has_sequence_privilege('" +
                                   anon + "', oid, 'usage, select, update') end") ==
          std::vector<std::string>{});
    CHECK(column(server.dsn(), "select oid::regprocedure::text from pg_proc where pronamespace = "
                               "'once'::regnamespace and has_function_privilege('" +
                                   anon + "', oid, 'execute')") == std::vector<std::string>{});
    CHECK(ask(server.dsn(), "select has_schema_privilege('" + anon + "', 'once', 'create')") == "f");
    session.exec("drop owned by " + anon + "; drop role " + anon);
}

TEST_CASE("a deployer without CREATEROLE is told once what somebody has to run, and it can be pasted",
          "[migrations]") {
    effects_database const server;
    login_role const deployer{server, "deployer"};
    auto const schema = "d_" + server.name();
    server.run("create schema " + schema + " authorization " + deployer.name());
    std::string said;
    for (auto const& name : migration_names(".up.sql")) {
        said = apply_with_psql(deployer.dsn(), schema, name).output;
    }
    INFO(said);
    auto const at = said.find("create role " + schema + "_producer");
    REQUIRE(at != std::string::npos);
    server.run(said.substr(at, said.find('\n', at) - at));
    auto const again = apply_with_psql(deployer.dsn(), schema, migration_names(".up.sql").back());
    INFO(again.output);
    CHECK(again.status == 0);
    login_role const service{server, "service"};
    server.run("grant " + schema + "_producer to " + service.name());
    CHECK_NOTHROW(once::database{service.dsn(), {.schema = schema}}.check());
    server.run("drop schema " + schema + " cascade");
    for (std::string const kind : {"_administrator", "_inspector", "_producer", "_consumer"}) {
        server.run("drop role " + schema + kind);
    }
}
