// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// More than 400 lines: one claim for each way in which a request that is written once meets others.
//
// A request whose record is written once, at its end: the advisory lock spares work, the unique constraint guards.
#include <once/claim.hpp>
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>

#include "support/effects.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/result>
#include <pqxx/row>
#include <pqxx/transaction>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <variant>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

constexpr char const* as_if_by_hand = "insert into once.idempotency_record (service, scope, key, claimed_at, "
                                      "expires_at, completed_at, response_status, "
                                      "response_content_type, response_json) values (once.current_service(), "
                                      "'test', 'k', now(), now() + interval '1 "
                                      "day', now(), 200, 'application/json', '\"by hand\"')";

once::response write_one(once::transaction& tx) {
    add_effect(tx);
    return {.body = once::body::json_text("\"ours\"")};
}

/// Sessions that wait for an advisory lock.
int waiting(effects_database const& server) {
    return std::stoi(
        server.ask("select count(*) from pg_locks where locktype = 'advisory' and not granted and "
                   "database = (select oid from pg_database where datname = current_database())"));
}

std::string sql_state(std::function<void()> const& what) {
    try {
        what();
    } catch (pqxx::sql_error const& e) {
        return e.sqlstate();
    }
    return "";
}

/// Callers that all ask for one key while `holder` has it.
class crowd {
public:
    crowd(effects_database const& server, std::size_t callers)
        : m_db{server.dsn(), {.max_connections = callers}} {
        for (std::size_t i = 0; i < callers; ++i) {
            m_threads.emplace_back([this] {
                auto const reply = once::execute(m_db, request_of("k"), write_one, {.wait = 20'000ms});
                ++(reply.done() ? m_done : reply.replayed() ? m_replayed : m_other);
            });
        }
    }
    ~crowd() { join(); }
    crowd(crowd const&) = delete;
    crowd(crowd&&) = delete;
    crowd& operator=(crowd const&) = delete;
    crowd& operator=(crowd&&) = delete;

    void join() {
        for (auto& one : m_threads) {
            if (one.joinable()) {
                one.join();
            }
        }
    }
    [[nodiscard]] int done() const { return m_done; }
    [[nodiscard]] int replayed() const { return m_replayed; }

private:
    once::database m_db;
    std::vector<std::thread> m_threads;
    std::atomic<int> m_done = 0;
    std::atomic<int> m_replayed = 0;
    std::atomic<int> m_other = 0;
};

} // namespace

TEST_CASE("a request writes its record once, and leaves no dead row", "[execute][record_once]") {
    effects_database const server;
    once::database db{server.dsn()};
    for (char const* const key : {"a", "b", "c"}) {
        REQUIRE(once::execute(db, request_of(key), write_one).done());
    }
    REQUIRE(once::execute(db, request_of("d"), {effect_statement()}).done());
    // Neighbours in the page: nothing was written in between and taken back.
    CHECK(server.ask("select string_agg(key || ctid, ' ' order by key) from once.idempotency_record") ==
          "a(0,1) b(0,2) c(0,3) d(0,4)");
}

TEST_CASE("a repeat does not wait for another repeat that stalls after its answer",
          "[execute][record_once]") {
    effects_database const server;
    once::database db{server.dsn()};
    REQUIRE(once::execute(db, request_of("k"), write_one).done());
    pqxx::connection connection{server.dsn()};
    pqxx::work stalled{connection};
    REQUIRE(stalled.exec("select (once.begin_request('test', 'k')).outcome")[0][0].as<std::string>() ==
            "replayed");
    CHECK(once::execute(db, request_of("k"), write_one, {.wait = 0ms}).replayed());
    CHECK(once::execute(db, request_of("k"), {effect_statement()}, 200, {.wait = 0ms}).replayed());
}

TEST_CASE("one COMMIT answers all that wait for a key, and none of them holds it afterwards",
          "[execute][record_once]") {
    effects_database const server;
    pqxx::connection connection{server.dsn()};
    pqxx::work holder{connection};
    REQUIRE(holder.exec("select once.begin_request('test', 'k')")[0][0].is_null());
    crowd callers{server, 12};
    REQUIRE(wait_until([&] { return waiting(server) == 12; }));
    holder.exec(
        "select once.finish_request('test', 'k', null, 200, null, 'application/json', '\"held\"', null)");
    holder.commit();
    callers.join();
    CHECK(callers.replayed() == 12);
    CHECK(server.effects() == 0);
}

TEST_CASE("when the one that works rolls back, one of those that wait works, and the others get its answer",
          "[execute][record_once]") {
    effects_database const server;
    pqxx::connection connection{server.dsn()};
    {
        pqxx::work holder{connection};
        REQUIRE(holder.exec("select once.begin_request('test', 'k')")[0][0].is_null());
        crowd callers{server, 12};
        REQUIRE(wait_until([&] { return waiting(server) == 12; }));
        holder.abort();
        callers.join();
        CHECK(callers.done() == 1);
        CHECK(callers.replayed() == 11);
    }
    CHECK(server.effects() == 1);
}

TEST_CASE("a claim by a row and a request that is written once keep each other out",
          "[execute][record_once]") {
    effects_database const server;
    once::database db{server.dsn()};
    pqxx::connection connection{server.dsn()};
    {
        pqxx::work by_row{connection};
        REQUIRE(std::holds_alternative<once::started>(once::claim(by_row, request_of("k"))));
        CHECK(once::execute(db, request_of("k"), write_one, {.wait = 0ms}).in_progress());
        CHECK(once::execute(db, request_of("k"), write_one, {.wait = 50ms}).in_progress());
    }
    pqxx::work at_end{connection};
    REQUIRE(at_end.exec("select once.begin_request('test', 'k')")[0][0].is_null());
    pqxx::connection second{server.dsn()};
    pqxx::work by_row{second};
    CHECK(std::holds_alternative<once::in_progress>(once::claim(by_row, request_of("k"), {.wait = 0ms})));
    CHECK(std::holds_alternative<once::in_progress>(once::claim(by_row, request_of("k"), {.wait = 50ms})));
    for (auto const level : {once::isolation::repeatable_read, once::isolation::serializable}) {
        CHECK(once::execute(db, request_of("k"), write_one, {.isolation_level = level, .wait = 0ms})
                  .in_progress());
    }
}

TEST_CASE("a callback that claims the key of its own request is refused, and nothing took effect",
          "[execute][record_once]") {
    effects_database const server;
    once::database db{server.dsn()};
    CHECK_THROWS_AS(once::execute(db, request_of("k"),
                                  [](once::transaction& tx) {
                                      auto const result = once::claim(tx, request_of("k"));
                                      once::complete(tx, std::get<once::started>(result), write_one(tx));
                                      return once::response{};
                                  }),
                    once::misuse);
    CHECK(server.effects() == 0);
    CHECK(server.records() == 0);
}

TEST_CASE("a callback that ends the transaction and begins another one does not get its answer stored",
          "[execute][record_once]") {
    effects_database const server;
    once::database db{server.dsn()};
    for (std::string const end : {"rollback", "commit"}) {
        CHECK(sql_state([&] {
                  std::ignore = once::execute(db, request_of(end), [&](once::transaction& tx) {
                      add_effect(tx, end);
                      tx.exec(end);
                      tx.exec("begin");
                      return write_one(tx);
                  });
              }) == "ON002");
    }
    CHECK(server.ask("select string_agg(what, ' ') from effect") == "commit");
    // What was committed is not done a second time; what was rolled back is.
    CHECK(once::execute(db, request_of("commit"), write_one).in_progress());
    CHECK(once::execute(db, request_of("rollback"), write_one).done());
}

TEST_CASE("a statement that commits before the answer is stored is reported, and its key is kept",
          "[execute][record_once]") {
    effects_database const server;
    once::database db{server.dsn()};
    CHECK(sql_state([&] {
              std::ignore = once::execute(db, request_of("k"),
                                          {effect_statement(), {"commit", {}}, effect_statement()});
          }) == "ON002");
    CHECK(server.effects() == 1);
    CHECK(once::execute(db, request_of("k"), {effect_statement()}).in_progress());
    CHECK(server.effects() == 1);
}

TEST_CASE("an answer that another transaction stored without the lock counts, whatever became of our work",
          "[execute][record_once]") {
    once::response const theirs{.body = once::body::json_text("\"by hand\"")};
    auto const meanwhile = [&](std::function<once::response(once::transaction&)> const& rest) {
        effects_database const server;
        once::database db{server.dsn()};
        int runs = 0;
        auto const reply = once::execute(db, request_of("k"), [&](once::transaction& tx) {
            if (++runs == 1) {
                server.run(as_if_by_hand);
            }
            return rest(tx);
        });
        CHECK(runs == 1);
        CHECK(reply.replayed());
        CHECK(reply.response().body == theirs.body);
        CHECK(server.effects() == 0);
    };
    SECTION("that took effect") {
        meanwhile(write_one);
    }
    SECTION("that was rolled back for its answer") {
        meanwhile([](once::transaction& tx) {
            add_effect(tx);
            return once::response{.status = 409};
        });
    }
    SECTION("that failed") {
        meanwhile([](once::transaction& tx) -> once::response {
            add_effect(tx);
            throw std::runtime_error{"out of tea"};
        });
    }
    SECTION("that failed in the database") {
        meanwhile([](once::transaction& tx) -> once::response {
            tx.exec("select 1 / 0");
            return {};
        });
    }
}

TEST_CASE("in one round trip, too, an answer that was stored without the lock counts",
          "[execute][record_once]") {
    effects_database const server;
    once::database db{server.dsn()};
    server.run("create function by_hand() returns trigger language plpgsql as $$ begin "
               "perform dblink_exec($d$" +
               server.dsn() + "$d$, $i$" + std::string{as_if_by_hand} + "$i$); return new; end $$");
    if (server.ask("select count(*) from pg_available_extensions where name = 'dblink'") == "0") {
        SKIP("this server has no dblink (postgresql-contrib)");
    }
    server.run("create extension dblink");
    server.run("create trigger by_hand before insert on effect for each row execute function by_hand()");
    auto const reply = once::execute(db, request_of("k"), {effect_statement()});
    CHECK(reply.replayed());
    CHECK(reply.response().body.data() == "\"by hand\"");
    CHECK(server.effects() == 0);
}

TEST_CASE("a role of another service that holds the lock delays a key by its wait, and then the row decides",
          "[execute][record_once]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto const stranger = "stranger_of_" + server.name();
    server.run("create role " + stranger + " login");
    server.run("grant connect on database " + server.name() + " to " + stranger);
    pqxx::connection connection{server.dsn() + " user=" + stranger};
    std::string const number = server.ask("select once.request_lock('test', 'k', once.current_service())");
    for (char const* const lock : {"pg_advisory_xact_lock", "pg_advisory_xact_lock_shared"}) {
        pqxx::work held{connection};
        held.exec(std::string{"select "} + lock + "(" + number + ")");
        CHECK(server.ask("select role || ' ' || foreign_role::text from once.request_holder('test', 'k', "
                         "once.current_service())") == stranger + " true");
        auto const begin = std::chrono::steady_clock::now();
        CHECK(once::execute(db, request_of("k"), write_one, {.wait = 300ms}).done());
        CHECK(std::chrono::steady_clock::now() - begin >= 300ms);
        CHECK(once::execute(db, request_of("k"), write_one, {.wait = 0ms}).replayed());
        CHECK(once::execute(db, request_of("in one trip"), {effect_statement()}, 200, {.wait = 0ms}).done());
        server.run("delete from once.idempotency_record");
        server.run("delete from effect");
    }
}

TEST_CASE("the lock of a key tells services apart, and does not tell the roles of one service apart",
          "[record_once]") {
    effects_database const server;
    auto const number = [&](std::string const& service, std::string const& scope, std::string const& key) {
        return server.ask("select once.request_lock('" + scope + "', '" + key + "', '" + service + "')");
    };
    CHECK(number("a", "s", "k") == number("a", "s", "k"));
    CHECK(number("a", "s", "k") != number("b", "s", "k"));
    CHECK(number("a", "s", "k") != number("a", "sk", ""));
    CHECK(number("a", "bc", "d") != number("ab", "c", "d"));
}

TEST_CASE("a callback that resets every setting has its answer stored all the same",
          "[execute][record_once]") {
    effects_database const server;
    once::database db{server.dsn()};
    CHECK(once::execute(db, request_of("k"), [](once::transaction& tx) {
              tx.exec("reset all");
              return write_one(tx);
          }).done());
    CHECK(once::execute(db, request_of("k"), write_one).replayed());
    CHECK(server.effects() == 1);
}

TEST_CASE("finish_request is refused unless this transaction has begun that request", "[record_once]") {
    effects_database const server;
    pqxx::connection connection{server.dsn()};
    auto const finish = [](pqxx::work& tx, std::string const& key, std::string const& status = "200") {
        tx.exec("select once.finish_request('test', '" + key + "', null, " + status + ", null, " +
                (status == "null" ? "null, null" : "'application/json', '1'") + ", null)");
    };
    for (char const* const status : {"200", "null"}) {
        CHECK(sql_state([&] {
                  pqxx::work tx{connection};
                  finish(tx, "k", status);
              }) == "ON002");
        CHECK(sql_state([&] {
                  pqxx::work tx{connection};
                  tx.exec("select once.begin_request('test', 'other')");
                  finish(tx, "k", status);
              }) == "ON002");
    }
    pqxx::work tx{connection};
    for (std::string const key : {"one", "another"}) {
        tx.exec("select once.begin_request('test', '" + key + "')");
        finish(tx, key);
    }
    tx.commit();
    CHECK(server.records() == 2);
}

TEST_CASE("a transaction that claims thousands of keys takes 64 locks for them", "[claim][record_once]") {
    effects_database const server;
    pqxx::connection connection{server.dsn()};
    pqxx::work tx{connection};
    CHECK(tx.exec("select count(*) from generate_series(1, 3000) as n where (once.claim('test', "
                  "n::text)).outcome = "
                  "'started'")[0][0]
              .as<int>() == 3000);
    CHECK(server.ask("select count(*) from pg_locks where locktype = 'advisory' and pid = " +
                     std::to_string(connection.backendpid())) == "64");
    once::database db{server.dsn()};
    CHECK(once::execute(db, request_of("1"), write_one, {.wait = 0ms}).in_progress());
    // Beyond them the constraint alone keeps the key: our work is not stored until the other one has ended.
    CHECK_THROWS_AS(once::execute(db, request_of("2999"), write_one,
                                  {.wait = 0ms, .deadline = 6'000ms, .reply_timeout = 3'000ms}),
                    once::deadline_exceeded);
    tx.abort();
    CHECK(once::execute(db, request_of("2999"), write_one).done());
    CHECK(server.effects() == 1);
}

TEST_CASE("a prepared transaction holds its key, and what it stored is the answer after COMMIT PREPARED",
          "[record_once]") {
    effects_database const server;
    once::database db{server.dsn()};
    {
        pqxx::connection connection{server.dsn()};
        pqxx::work tx{connection};
        tx.exec("select once.begin_request('test', 'k')");
        tx.exec("select once.finish_request('test', 'k', null, 200, null, 'application/json', '\"later\"', "
                "null)");
        tx.exec("prepare transaction '" + server.name() + "'");
    }
    CHECK(once::execute(db, request_of("k"), write_one, {.wait = 50ms}).in_progress());
    CHECK(server.ask("select count(*) from once.request_holder('test', 'k', once.current_service()) "
                     "where process is null") == "1");
    server.run("commit prepared '" + server.name() + "'");
    CHECK(once::execute(db, request_of("k"), write_one).response().body.data() == "\"later\"");
    CHECK(server.effects() == 0);
}

TEST_CASE("what cannot be a record is refused in one line that shows no value", "[record_once]") {
    effects_database const server;
    pqxx::connection connection{server.dsn()};
    std::string const marker = "MARKER";
    std::vector<std::string> const calls{
        "once.claim('test', E'" + marker + "\\t')",
        "once.claim(repeat('" + marker + "', 43), 'k')",
        "once.claim('', 'k')",
        "once.claim('test', null)",
        "once.claim('test', 'k', '" + marker + "')",
        "once.claim('test', 'k', p_retention => '0 s')",
        "once.claim('test', 'k', p_wait => '-1 s')",
        "once.begin_request('test', null)",
        "once.begin_request(null, 'k')",
        "once.finish_request('test', 'k', null, 99, null, 'text/plain', null, '" + marker + "')",
        "once.finish_request('test', 'k', null, 200, null, 'text/plain', '1', '" + marker + "')",
        "once.finish_request('test', 'k', null, 200, null, '" + marker + "', null, null)",
        "once.finish_request('test', 'k', null, null, null, '" + marker + "', null, null)",
        "once.finish_request('test', 'k', '" + marker + "', 200, null, null, '1', null)",
        "once.finish_request('test', 'k', null, 200, null, null, '1', null, '367 days')",
        "once.finish_request_with_row('test', 'k', null, 600, '1')"};
    for (auto const& call : calls) {
        INFO(call);
        pqxx::work tx{connection};
        try {
            tx.exec("select " + call);
            FAIL_CHECK("it was taken");
        } catch (pqxx::sql_error const& e) {
            CHECK(std::string{e.sqlstate()} == "22023");
            CHECK(std::string{e.what()}.find(marker) == std::string::npos);
        }
    }
}
