// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>
#include <once/lease.hpp>

#include "database/connection_pool.hpp"
#include "support/effects.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>
#include <pqxx/except>
#include <pqxx/nontransaction>
#include <pqxx/result>
#include <pqxx/row>

#include <chrono>
#include <string>
#include <tuple>
#include <vector>

using namespace std::chrono_literals;
using once::testing::add_effect;
using once::testing::effect_statement;
using once::testing::effects_database;
using once::testing::request_of;

namespace {

std::string setting(once::transaction& tx, std::string const& name) {
    return tx.exec("select setting from pg_settings where name = '" + name + "'")[0][0].as<std::string>();
}

/// Everything that is set in the one session of `db`, and what else would surprise the next user of a pooler.
std::string session_state(once::database& db) {
    auto const lease = once::detail::pool_of(db).take(std::chrono::steady_clock::now() + 10s);
    pqxx::nontransaction tx{lease->connection()};
    return tx
        .exec(
            "select 'synchronous_commit ' || current_setting('synchronous_commit') || E'\n' || "
            "(select coalesce(string_agg(name || '=' || setting, E'\n' order by name), '') from pg_settings "
            "where setting is distinct from reset_val) || E'\nsearch_path ' || "
            "current_setting('search_path') || "
            "E'\nlocks ' || "
            "(select count(*) from pg_locks where pid = pg_backend_pid() and locktype = 'advisory') || "
            "E'\ncursors ' || "
            "(select count(*) from pg_cursors where is_holdable) || E'\ntables ' || "
            "(select count(*) from pg_class where relpersistence = 't' and relkind = 'r' "
            "and relnamespace = pg_my_temp_schema()) || E'\nlistens ' || (select count(*) from "
            "pg_listening_channels())")[0][0]
        .as<std::string>();
}

} // namespace

TEST_CASE("synchronous_commit is raised when it is less than on, for the transaction only", "[session]") {
    for (std::string const configured : {"off", "local", "remote_write", "on", "remote_apply"}) {
        INFO(configured);
        effects_database const server;
        server.run("alter database " + server.name() + " set synchronous_commit = " + configured);
        once::database db{server.dsn(), {.max_connections = 1}};
        bool const raised = configured != "on" && configured != "remote_apply";
        std::string seen;
        auto const look = [&](once::transaction& tx) { seen = setting(tx, "synchronous_commit"); };
        std::ignore = once::execute(db, request_of("a"), look);
        CHECK(seen == (raised ? "on" : configured));
        once::transact(db, look).expect_committed();
        CHECK(seen == (raised ? "on" : configured));
        std::vector<once::statement> const asked{{"select current_setting('synchronous_commit') as it", {}}};
        CHECK(once::execute(db, request_of("c"), asked).as()["it"] == (raised ? "on" : configured));

        once::call_options const as_configured{.durability = once::durability::as_configured};
        std::ignore = once::execute(db, request_of("d"), look, as_configured);
        CHECK(seen == configured);
        CHECK(session_state(db).find("synchronous_commit " + configured + "\n") != std::string::npos);
    }
}

TEST_CASE("the idle timeout of the transaction is lowered to the call's deadline and never raised",
          "[session]") {
    effects_database const server;
    once::call_options const options{.deadline = 20s, .reply_timeout = 5s};
    for (auto const& [configured, expected] :
         {std::pair{"0", "25000"}, std::pair{"3s", "3000"}, std::pair{"1h", "25000"}}) {
        server.run("alter database " + server.name() + " set idle_in_transaction_session_timeout = '" +
                   configured + "'");
        once::database db{server.dsn()};
        std::string seen;
        auto const look = [&](once::transaction& tx) {
            seen = setting(tx, "idle_in_transaction_session_timeout");
        };
        std::ignore = once::execute(db, request_of(configured), look, options);
        CHECK(seen == expected);
        seen.clear();
        once::transact(db, look, options.transaction()).expect_committed();
        CHECK(seen == expected);
    }
}

TEST_CASE("nothing of the session stays set after any kind of call", "[session]") {
    effects_database const server;
    server.run("alter database " + server.name() + " set synchronous_commit = off");
    once::database db{server.dsn(), {.max_connections = 1}};
    db.check();
    auto const before = session_state(db);
    REQUIRE(before.find("synchronous_commit off\n") != std::string::npos);

    auto const write = [](once::transaction& tx) { add_effect(tx); };
    std::ignore =
        once::execute(db, request_of("a"), write, {.isolation_level = once::isolation::serializable});
    CHECK(session_state(db) == before);
    std::ignore = once::execute(db, request_of("a"), write);
    CHECK(session_state(db) == before);
    CHECK(once::execute(db, request_of("b"), {effect_statement()}).done());
    CHECK(session_state(db) == before);
    CHECK(once::execute(db, request_of("b"), {effect_statement()}).replayed());
    CHECK(session_state(db) == before);
    CHECK_THROWS(once::execute(db, request_of("c"), [](once::transaction& tx) { tx.exec("select 1/0"); }));
    CHECK(session_state(db) == before);
    CHECK_THROWS(once::execute(db, request_of("c"), {{"select 1/0 as n", {}}}));
    CHECK(session_state(db) == before);
    once::transact(db, write).expect_committed();
    CHECK(session_state(db) == before);
    CHECK(server.effects() == 3);
}

TEST_CASE("prepared statements can be turned off, and nothing is then prepared", "[session]") {
    effects_database const server;
    for (bool const prepare : {true, false}) {
        once::database db{server.dsn(), {.max_connections = 1, .prepared_statements = prepare}};
        auto const name = std::to_string(static_cast<int>(prepare));
        std::ignore = once::execute(db, request_of(name), [](once::transaction& tx) { add_effect(tx); });
        CHECK(once::execute(db, request_of(name), [](once::transaction& tx) { add_effect(tx); }).replayed());
        CHECK(once::execute(db, request_of("p" + name), {effect_statement()}).done());
        CHECK(once::execute(db, request_of("p" + name), {effect_statement()}).replayed());
        auto const lease = once::detail::pool_of(db).take(std::chrono::steady_clock::now() + 10s);
        pqxx::nontransaction tx{lease->connection()};
        CHECK((tx.exec("select count(*) from pg_prepared_statements")[0][0].as<int>() > 0) == prepare);
    }
    CHECK(server.effects() == 4);
}

TEST_CASE("a name under which a statement did not get to be prepared is not used again", "[session]") {
    // PgBouncer, which keeps statements apart by their names, would end the session.
    effects_database const server;
    once::database db{server.dsn(), {.max_connections = 1}};
    auto const second_attempts = [&] {
        int found = -1;
        std::ignore = once::transact(db, [&](once::transaction& tx) {
            found = tx.query_value<int>("select count(*)::int from pg_prepared_statements "
                                        "where name ~ '^once_[0-9]+_[0-9]+_[0-9]+$'");
        });
        return found;
    };
    CHECK(second_attempts() == 0);
    CHECK_THROWS_AS(std::ignore = once::execute(db, request_of("k"), {{"select 1 / 0"}, effect_statement()}),
                    pqxx::sql_error);
    CHECK(once::execute(db, request_of("k"), {{"select 1"}, effect_statement()}).done());
    CHECK(second_attempts() > 0);
    CHECK(server.effects() == 1);
}

TEST_CASE("a session that forgot its prepared statements does no harm", "[session]") {
    effects_database const server;
    std::vector<std::string> lines;
    once::database db{server.dsn(), {.max_connections = 1, .log = [&](std::string_view line) {
                                         lines.emplace_back(line);
                                     }}};
    auto const write = [](once::transaction& tx) { add_effect(tx); };
    std::ignore = once::execute(db, request_of("warm"), write);
    CHECK(once::execute(db, request_of("warm"), {effect_statement()}).replayed());

    {
        auto const lease = once::detail::pool_of(db).take(std::chrono::steady_clock::now() + 10s);
        pqxx::nontransaction tx{lease->connection()};
        tx.exec("deallocate all");
    }
    auto const found = once::execute(db, request_of("a"), write);
    CHECK(found.done());
    CHECK(once::execute(db, request_of("b"), {effect_statement()}).done());
    CHECK(once::execute(db, request_of("b"), {effect_statement()}).replayed());
    CHECK(once::execute(db, request_of("a"), write).replayed());
    CHECK(server.effects() == 3);
}

TEST_CASE("a statement outside of a call is asked again when the session forgot its prepared statements",
          "[session]") {
    effects_database const server;
    std::vector<std::string> lines;
    once::database db{server.dsn(), {.max_connections = 1, .log = [&](std::string_view line) {
                                         lines.emplace_back(line);
                                     }}};
    CHECK(std::holds_alternative<once::lease>(once::acquire(db, "warm", 60s)));
    {
        auto const taken = once::detail::pool_of(db).take(std::chrono::steady_clock::now() + 10s);
        pqxx::nontransaction tx{taken->connection()};
        tx.exec("deallocate all");
    }
    CHECK(std::holds_alternative<once::lease>(once::acquire(db, "report", 60s)));
    CHECK(server.ask("select count(*) from once.lease") == "2");
    auto const said = lines.size();
    CHECK(said > 0);
    CHECK(std::holds_alternative<once::lease>(once::acquire(db, "another", 60s)));
    CHECK(lines.size() == said); // nothing is prepared any more
}

TEST_CASE("a callback that makes the session forget its statements takes effect once", "[session]") {
    effects_database const server;
    once::database db{server.dsn(), {.max_connections = 1}};
    auto const write = [](once::transaction& tx) {
        add_effect(tx);
        tx.exec("deallocate all");
    };
    std::ignore = once::execute(db, request_of("warm"), [](once::transaction& tx) { add_effect(tx); });
    auto const reply = once::execute(db, request_of("k"), write);
    CHECK(reply.done());
    CHECK(once::execute(db, request_of("k"), write).replayed());
    CHECK(server.effects() == 2);
}

TEST_CASE("a callback's own trouble with prepared statements comes out and is not run again", "[session]") {
    effects_database const server;
    once::database db{server.dsn()};
    for (std::string const sql : {"execute nobody_prepared_this", "prepare p as select 1"}) {
        int runs = 0;
        CHECK_THROWS_AS(once::execute(db, request_of("k"),
                                      [&](once::transaction& tx) {
                                          ++runs;
                                          add_effect(tx);
                                          tx.exec(sql);
                                          tx.exec(sql);
                                      }),
                        pqxx::sql_error);
        CHECK(runs == 1);
        CHECK(server.effects() == 0);
    }
}

TEST_CASE("more texts than the library prepares still run", "[session]") {
    effects_database const server;
    once::database db{server.dsn(), {.max_connections = 1}};
    for (int i = 0; i < 300; ++i) {
        auto const reply =
            once::execute(db, request_of(std::to_string(i)),
                          {{"select " + std::to_string(i) + " as n, $1::text as t", once::parameters{"x"}}});
        if (!reply.done() || reply.as()["n"] != i) {
            FAIL("text " << i);
        }
    }
    CHECK(server.records() == 300);
    auto const lease = once::detail::pool_of(db).take(std::chrono::steady_clock::now() + 10s);
    pqxx::nontransaction tx{lease->connection()};
    CHECK(tx.exec("select count(*) from pg_prepared_statements")[0][0].as<int>() <= 256);
}

TEST_CASE("a callback that ends the transaction itself is told so, and its key stays usable", "[execute]") {
    effects_database const server;
    once::database db{server.dsn()};
    using call = void (*)(once::transaction&);
    struct row {
        char const* what;
        call callback;
        int effects;
    };
    std::vector<row> const rows{
        {"commit()",
         [](once::transaction& tx) {
             add_effect(tx);
             tx.commit();
         },
         0},
        {"swallowed commit()",
         [](once::transaction& tx) {
             add_effect(tx);
             try {
                 tx.commit();
             } catch (std::exception const&) {
                 SUCCEED("swallowed");
             }
         },
         0},
        {"abort()",
         [](once::transaction& tx) {
             add_effect(tx);
             tx.abort();
         },
         0},
        {"ROLLBACK",
         [](once::transaction& tx) {
             add_effect(tx);
             tx.exec("rollback");
         },
         0},
        {"swallowed error",
         [](once::transaction& tx) {
             add_effect(tx);
             try {
                 tx.exec("select 1/0");
             } catch (pqxx::sql_error const&) {
                 SUCCEED("swallowed");
             }
         },
         0},
    };
    int key = 0;
    for (auto const& row : rows) {
        INFO(row.what);
        auto const request = request_of("k" + std::to_string(++key));
        CHECK_THROWS_AS(once::execute(db, request, row.callback), once::misuse);
        CHECK(server.effects() == key - 1);
        CHECK_THROWS_AS(once::transact(db, row.callback), once::misuse);
        CHECK(server.effects() == key - 1);
        CHECK(once::execute(db, request, [](once::transaction& tx) { add_effect(tx); }).done());
    }
}
