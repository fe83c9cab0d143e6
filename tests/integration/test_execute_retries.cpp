// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>

#include "support/effects.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>
#include <pqxx/except>
#include <pqxx/result>
#include <pqxx/row>

#include <atomic>
#include <chrono>
#include <future>
#include <latch>
#include <string>
#include <tuple>

using namespace std::chrono_literals;
using once::isolation;
using once::testing::add_effect;
using once::testing::effects_database;
using once::testing::request_of;

namespace {

struct two_rows : effects_database {
    two_rows() {
        run("create table tally (id int primary key, n int not null); insert into tally values (1, 0), (2, "
            "0)");
    }
};

int read(once::transaction& tx, int id) {
    return tx.exec("select n from tally where id = " + std::to_string(id))[0][0].as<int>();
}

void write(once::transaction& tx, int id, int n) {
    tx.exec("update tally set n = " + std::to_string(n) + " where id = " + std::to_string(id));
}

} // namespace

TEST_CASE("a serialization failure runs the callback again, and no increment is lost", "[retry]") {
    two_rows const server;
    once::database db{server.dsn()};
    for (auto const level : {isolation::repeatable_read, isolation::serializable}) {
        server.run("update tally set n = 0");
        std::latch both_have_read{2};
        auto const increment = [&](std::string const& key) {
            return std::async(std::launch::async, [&, key] {
                return once::execute(db, request_of(key),
                                     [&](once::transaction& tx) {
                                         auto const n = read(tx, 1);
                                         if (tx.attempt() == 1) {
                                             both_have_read.arrive_and_wait();
                                         }
                                         write(tx, 1, n + 1);
                                         return n + 1;
                                     },
                                     {.isolation_level = level});
            });
        };
        auto const level_name = std::to_string(static_cast<int>(level));
        auto one = increment("a" + level_name);
        auto two = increment("b" + level_name);
        auto const first = one.get();
        auto const second = two.get();
        CHECK(first.done());
        CHECK(second.done());
        CHECK(first.attempts() + second.attempts() >= 3);
        CHECK(server.ask("select n from tally where id = 1") == "2");
    }
}

TEST_CASE("a deadlock runs one of the callbacks again, and both take effect", "[retry]") {
    two_rows const server;
    once::database db{server.dsn()};
    std::latch both_hold_one{2};
    auto const cross = [&](std::string const& key, int from, int to) {
        return std::async(std::launch::async, [&, key, from, to] {
            return once::execute(db, request_of(key), [&](once::transaction& tx) {
                tx.exec("update tally set n = n + 1 where id = " + std::to_string(from));
                if (tx.attempt() == 1) {
                    both_hold_one.arrive_and_wait();
                }
                tx.exec("update tally set n = n + 1 where id = " + std::to_string(to));
            });
        });
    };
    auto one = cross("a", 1, 2);
    auto two = cross("b", 2, 1);
    // On a busy machine both can be found in the deadlock, or meet in another one.
    CHECK(one.get().attempts() + two.get().attempts() >= 3);
    CHECK(server.ask("select array_agg(n) from tally") == "{2,2}");
}

TEST_CASE("the callback is told which run it is, and every run begins from nothing", "[retry]") {
    effects_database const server;
    once::database db{server.dsn()};
    int runs = 0;
    auto const reply = once::execute(db, request_of("k"), [&](once::transaction& tx) {
        CHECK(tx.attempt() == ++runs);
        CHECK(tx.exec("select count(*) from effect")[0][0].as<int>() == 0);
        add_effect(tx);
        if (runs < 4) {
            tx.exec(runs % 2 == 0 ? "do $$ begin raise sqlstate '40P01'; end $$"
                                  : "do $$ begin raise sqlstate '40001'; end $$");
        }
    });
    CHECK(reply.attempts() == 4);
    CHECK(server.effects() == 1);
}

TEST_CASE("after max_attempts the last error comes out, and nothing took effect", "[retry]") {
    effects_database const server;
    once::database db{server.dsn()};
    for (int const most : {1, 3}) {
        int runs = 0;
        CHECK_THROWS_AS(once::execute(db, request_of("k"),
                                      [&](once::transaction& tx) {
                                          ++runs;
                                          add_effect(tx);
                                          tx.exec("do $$ begin raise sqlstate '40001'; end $$");
                                      },
                                      {.max_attempts = most}),
                        pqxx::serialization_failure);
        CHECK(runs == most);
    }
    CHECK(server.effects() == 0);
    CHECK(server.records() == 0);
}

TEST_CASE("other errors of the server come out at once", "[retry]") {
    effects_database const server;
    once::database db{server.dsn()};
    for (std::string const state : {"23505", "22012", "55P03", "57014", "P0001"}) {
        int runs = 0;
        try {
            std::ignore = once::execute(db, request_of("k"), [&](once::transaction& tx) {
                ++runs;
                tx.exec("do $$ begin raise sqlstate '" + state + "'; end $$");
            });
            FAIL("no error");
        } catch (pqxx::sql_error const& e) {
            CHECK(std::string{e.sqlstate()} == state);
        }
        CHECK(runs == 1);
    }
}

TEST_CASE("a unique violation that may be a lost race in disguise is run again once", "[retry]") {
    effects_database const server;
    once::database db{server.dsn()};
    int runs = 0;
    CHECK_THROWS_AS(once::execute(db, request_of("k"),
                                  [&](once::transaction& tx) {
                                      ++runs;
                                      tx.exec("do $$ begin raise sqlstate '23505'; end $$");
                                  },
                                  {.isolation_level = isolation::serializable}),
                    pqxx::unique_violation);
    CHECK(runs == 2);
}

TEST_CASE("the transaction has the isolation level of the call, whatever the server's default", "[execute]") {
    effects_database const server;
    server.run("alter database " + server.name() + " set default_transaction_isolation = 'repeatable read'");
    server.run("alter database " + server.name() + " set default_transaction_read_only = on");
    once::database db{server.dsn()};
    int key = 0;
    for (auto const& [level, name] : {std::pair{isolation::read_committed, "read committed"},
                                      std::pair{isolation::repeatable_read, "repeatable read"},
                                      std::pair{isolation::serializable, "serializable"}}) {
        auto const ask = [](once::transaction& tx) {
            add_effect(tx);
            return nlohmann::json(tx.exec("show transaction_isolation")[0][0].as<std::string>());
        };
        auto const reply =
            once::execute(db, request_of(std::to_string(++key)), ask, {.isolation_level = level});
        CHECK(reply.as<std::string>() == name);
        std::string seen;
        once::transact(db, [&](once::transaction& tx) { seen = ask(tx).get<std::string>(); },
                       {.isolation_level = level})
            .expect_committed();
        CHECK(seen == name);
        auto const work =
            std::vector<once::statement>{once::testing::effect_statement(),
                                         {"select current_setting('transaction_isolation') as level", {}}};
        auto const pipelined =
            once::execute(db, request_of(std::to_string(++key)), work, 200, {.isolation_level = level});
        CHECK(pipelined.as()["level"] == name);
    }
}
