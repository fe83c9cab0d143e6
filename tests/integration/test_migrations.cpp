// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/database.hpp>
#include <once/migrations.hpp>

#include "integration/migration_checks.hpp"
#include "support/effects.hpp"
#include "support/login_role.hpp"
#include "support/migrations_folder.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/nontransaction>
#include <pqxx/transaction>

#include <algorithm>
#include <string>
#include <vector>

using namespace once::testing;

TEST_CASE("the library needs exactly the files in the folder", "[migrations]") {
    std::vector<std::string> needed;
    for (auto const& step : once::migrations()) {
        needed.push_back(std::string{step.name} + ".up.sql");
    }
    CHECK(migration_names(".up.sql") == needed);
    auto reversed = migration_names(".down.sql");
    for (auto& name : reversed) {
        name.replace(name.find(".down.sql"), std::string::npos, ".up.sql");
    }
    CHECK(reversed == needed);
    CHECK(migration_names("").size() == 2 * needed.size());
}

TEST_CASE("migrations go up with psql, down to nothing, and up again to the same", "[migrations]") {
    empty_database const server;
    run(server.dsn(), "create schema once");
    std::string first;
    for (int round = 0; round < 2; ++round) {
        for (auto const& name : migration_names(".up.sql")) {
            apply(server.dsn(), name);
        }
        once::database db{server.dsn()};
        CHECK_NOTHROW(db.check());
        CHECK(ask(server.dsn(),
                  "select string_agg(version || ' ' || name, ', ' order by version) from once.schema_version")
                  .starts_with("1 schema_version, 2 service, 3 idempotency_record"));
        auto const now = objects(server.dsn());
        CHECK((first.empty() || first == now));
        first = now;

        auto down = migration_names(".down.sql");
        std::ranges::reverse(down);
        for (auto const& name : down) {
            apply(server.dsn(), name);
        }
        CHECK(objects(server.dsn()) == "NULL");
    }
}

TEST_CASE("a migration out of order is refused and leaves nothing", "[migrations]") {
    empty_database const server;
    run(server.dsn(), "create schema once");
    auto const up = migration_names(".up.sql");
    auto const down = migration_names(".down.sql");
    for (std::size_t applied = 0; applied < up.size(); ++applied) {
        auto const before = objects(server.dsn());
        for (std::size_t i = 0; i < up.size(); ++i) {
            // The first, the last, and the neighbours: all pairs would take minutes.
            if (i != 0 && i + 1 != up.size() && (i + 2 < applied || i > applied + 1)) {
                continue;
            }
            INFO("with " << applied << " files in: " << up[i]);
            if (i != applied) {
                CHECK(apply_with_psql(server.dsn(), "once", up[i]).status != 0);
            }
            if (i + 1 != applied) {
                CHECK(apply_with_psql(server.dsn(), "once", down[i]).status != 0);
            }
            CHECK(objects(server.dsn()) == before);
        }
        apply(server.dsn(), up[applied]);
    }
}

TEST_CASE("without a schema to work in the first migration says what to create", "[migrations]") {
    empty_database const server;
    auto const refused = apply_with_psql(server.dsn(), "nowhere", migration_names(".up.sql").front());
    CHECK(refused.status != 0);
    CHECK(refused.output.find("create schema once") != std::string::npos);
}

TEST_CASE("every object of the schema says what it is for", "[migrations]") {
    test_database const server;
    auto const silent = column(server.dsn(), R"sql(
        -- A partition's columns and indexes are those of its table.
        select 'relation ' || relname from pg_class
        where relnamespace = 'once'::regnamespace and relkind in ('r', 'v', 'i', 'S', 'm', 'p', 'I')
          and not (relispartition and relkind = 'i') and obj_description(oid, 'pg_class') is null
          and not exists (select from pg_constraint where conindid = pg_class.oid)
        union all
        select 'column ' || relname || '.' || attname
        from pg_attribute join pg_class on pg_class.oid = attrelid
        where relnamespace = 'once'::regnamespace and relkind in ('r', 'v', 'c', 'p') and not relispartition
          and attnum > 0 and not attisdropped and col_description(attrelid, attnum) is null
        union all
        select 'constraint ' || conname from pg_constraint
        -- The trigger says it for a constraint trigger, whose own comment pg_dump would lose.
        where connamespace = 'once'::regnamespace and contype not in ('n', 't')
          and obj_description(oid, 'pg_constraint') is null
          and not exists (select from pg_class where pg_class.oid = conrelid and relispartition)
        union all
        select 'function ' || oid::regprocedure from pg_proc
        where pronamespace = 'once'::regnamespace and obj_description(oid, 'pg_proc') is null
        union all
        select 'type ' || typname from pg_type
        where typnamespace = 'once'::regnamespace and obj_description(oid, 'pg_type') is null
          and typelem = 0 and (typtype <> 'c' or exists (select from pg_class where oid = typrelid and relkind = 'c'))
        union all
        select 'role ' || rolname from pg_roles
        where rolname in ('once_producer', 'once_consumer', 'once_inspector', 'once_administrator')
          and shobj_description(oid, 'pg_authid') is null)sql");
    CHECK(silent == std::vector<std::string>{});
    CHECK(ask(server.dsn(), "select count(*) from pg_proc where pronamespace = 'once'::regnamespace") != "0");
}

TEST_CASE("nothing of the schema is open to everybody", "[migrations]") {
    effects_database const server;
    login_role const anybody{server, "anybody"};
    server.run("grant usage on schema once to " + anybody.name());
    CHECK(column(server.dsn(),
                 "select oid::regprocedure::text from pg_proc where pronamespace = 'once'::regnamespace "
                 "and has_function_privilege('" +
                     anybody.name() + "', oid, 'execute')") == std::vector<std::string>{});
    CHECK(column(server.dsn(),
                 "select relname::text from pg_class where relnamespace = 'once'::regnamespace "
                 "and relkind in ('r', 'v') and has_table_privilege('" +
                     anybody.name() +
                     "', oid, 'select, insert, update, delete, truncate, references, trigger')") ==
          std::vector<std::string>{});
}

TEST_CASE("the texts in the library make a schema and take it away, as their header says", "[migrations]") {
    effects_database const database;
    pqxx::connection connection{database.dsn()};
    pqxx::nontransaction{connection}.exec("create schema billing");
    auto const send = [&](std::string_view text) {
        pqxx::work tx{connection};
        tx.exec("set local search_path = billing");
        tx.exec(std::string{text});
        tx.commit();
    };
    auto const steps = once::migrations();
    for (auto const& step : steps) {
        send(step.up);
        CHECK(ask(database.dsn(), "select billing.installed_version()") == std::to_string(step.version));
    }
    CHECK(ask(database.dsn(), "select outcome from billing.claim('s', 'k')") == "started");
    for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
        send(step->down);
    }
    pqxx::nontransaction{connection}.exec("drop schema billing"); // refused if anything were left in it
}

TEST_CASE("a role that is no superuser applies all files, and takes back all of them with their roles",
          "[migrations]") {
    effects_database const server;
    login_role const migrator{server, "migrator"};
    // A schema of its own name has group roles of its own, which no other database uses.
    auto const schema = "m_" + server.name();
    server.run("alter role " + migrator.name() + " createrole");
    server.run("create schema " + schema + " authorization " + migrator.name());
    auto const group_roles = [&] {
        return server.ask("select count(*) from pg_roles where rolname like '" + schema + "\\_%'");
    };
    auto const step = [&](std::string const& name) {
        auto const done = apply_with_psql(migrator.dsn(), schema, name);
        INFO(name << ": " << done.output);
        REQUIRE(done.status == 0);
    };
    for (auto const& name : migration_names(".up.sql")) {
        step(name);
    }
    CHECK(group_roles() == "4");
    CHECK(server.ask("select count(*) from pg_roles where rolname like '" + schema +
                     "\\_%' and shobj_description(oid, 'pg_authid') like 'once: %'") == "4");
    login_role const service{server, "service"};
    server.run("grant " + schema + "_producer, " + schema + "_consumer to " + service.name());
    CHECK_NOTHROW(once::database{service.dsn(), {.schema = schema}}.check());

    auto down = migration_names(".down.sql");
    std::ranges::reverse(down);
    for (auto const& name : down) {
        step(name);
    }
    CHECK(group_roles() == "0");
    server.run("drop schema " + schema);
}
