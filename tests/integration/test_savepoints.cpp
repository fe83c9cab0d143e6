// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/execute.hpp>
#include <once/publish.hpp>
#include <once/transaction.hpp>

#include "support/effects.hpp"
#include "support/seed.hpp"
#include "support/session.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/pqxx>

#include <random>
#include <string>
#include <vector>

using namespace once::testing;
using once::transaction;

namespace {

once::message staged(std::string const& key) {
    return {.topic = "t", .key = key, .payload = once::body::json_text("1")};
}

once::statement noted(std::string const& what) {
    return {"insert into proof.note (what) values ($1)", once::parameters{what}};
}

/// A database, and what was staged in it.
struct savepoint_ledger {
    effects_database server;
    once::database db{server.dsn()};

    savepoint_ledger() {
        server.run("create schema if not exists proof; create table proof.note (n bigint generated always as "
                   "identity, what text)");
    }
    [[nodiscard]] std::string messages() const {
        return server.ask("select coalesce(string_agg(key, ' ' order by id), '') from once.outbox");
    }
    [[nodiscard]] std::string notes() const {
        return server.ask("select coalesce(string_agg(what, ' ' order by n), '') from proof.note");
    }
};

} // namespace

TEST_CASE("what is staged in a subtransaction goes with it, and the rest keeps its order", "[savepoints]") {
    savepoint_ledger here;
    once::transact(here.db, [&](transaction& tx) {
        tx.publish(staged("a"));
        tx.at_commit(noted("a"));
        {
            pqxx::subtransaction gone{tx};
            gone.exec("insert into proof.note (what) values ('row')");
            tx.publish(staged("b"));
            tx.at_commit(noted("b"));
        } // rolled back
        tx.publish(staged("c"));
        tx.at_commit(noted("c"));
        {
            pqxx::subtransaction kept{tx};
            tx.publish(staged("d"));
            {
                pqxx::subtransaction inner{kept};
                tx.publish(staged("e"));
                tx.at_commit(noted("e"));
                inner.abort();
            }
            tx.publish(staged("f"));
            tx.at_commit(noted("f"));
            kept.commit();
        }
        tx.publish(staged("g"));
    }).expect_committed();
    CHECK(here.messages() == "a c d f g");
    CHECK(here.notes() == "a c f");
}

TEST_CASE("the last savepoint may be rolled back right before the end, or after a statement failed",
          "[savepoints]") {
    savepoint_ledger here;
    once::transact(here.db, [&](transaction& tx) {
        tx.publish(staged("a"));
        try {
            pqxx::subtransaction inner{tx};
            tx.publish(staged("b"));
            inner.exec("select 1/0");
        } catch (pqxx::sql_error const&) {
        }
    }).expect_committed();
    CHECK(here.messages() == "a");
    once::transact(here.db, [&](transaction& tx) {
        pqxx::subtransaction outer{tx};
        tx.publish(staged("c"));
        pqxx::subtransaction inner{outer};
        tx.publish(staged("d"));
        inner.commit();
        outer.abort(); // takes what was released into it
    }).expect_committed();
    CHECK(here.messages() == "a");
}

TEST_CASE(
    "a savepoint that plain SQL makes counts as one of libpqxx, whatever its name, several in one text too",
    "[savepoints]") {
    savepoint_ledger here;
    once::transact(here.db, [&](transaction& tx) {
        tx.publish(staged("a"));
        tx.exec("savepoint x");
        tx.publish(staged("b"));
        tx.exec("savepoint y; select 1");
        tx.publish(staged("c"));
        tx.exec("rollback to x"); // over y
        tx.publish(staged("d"));
        tx.exec("rollback to x"); // the same one again
        tx.publish(staged("e"));
        tx.exec("release x");
        tx.exec("do $$ begin perform 1/0; exception when others then null; end $$");
        tx.publish(staged("f"));
    }).expect_committed();
    CHECK(here.messages() == "a e f");
}

TEST_CASE("a setting of the session with the same name does not bring back what was rolled back",
          "[savepoints]") {
    savepoint_ledger here;
    once::transact(here.db, [&](transaction& tx) {
        tx.exec("select set_config('once.staged', '1', true)");
        {
            pqxx::subtransaction inner{tx};
            tx.publish(staged("a"));
        }
        tx.publish(staged("b"));
    }).expect_committed();
    CHECK(here.messages() == "b");
}

TEST_CASE("nothing is staged in a savepoint whose statement failed, nor while a stream is open after one",
          "[savepoints]") {
    savepoint_ledger here;
    once::transact(here.db, [&](transaction& tx) {
        {
            pqxx::subtransaction inner{tx};
            CHECK_THROWS_AS(inner.exec("select 1/0"), pqxx::sql_error);
            CHECK_THROWS_AS(tx.publish(staged("a")), once::transaction_poisoned);
            CHECK_THROWS_AS(tx.at_commit(noted("a")), once::transaction_poisoned);
        }
        {
            auto stream = pqxx::stream_to::raw_table(tx, "proof.note", "what");
            CHECK_THROWS_AS(tx.publish(staged("b")), once::misuse);
            stream.write_values("streamed");
            stream.complete();
        }
        tx.publish(staged("c"));
    }).expect_committed();
    CHECK(here.messages() == "c");
    CHECK(here.notes() == "streamed");
}

TEST_CASE("a callback may end with a stream", "[savepoints]") {
    savepoint_ledger here;
    once::transact(here.db, [&](transaction& tx) {
        auto stream = pqxx::stream_to::raw_table(tx, "proof.note", "what");
        stream.write_values("streamed");
        stream.complete();
    }).expect_committed();
    CHECK(here.notes() == "streamed");
}

TEST_CASE(
    "a transaction without a savepoint stages at no round trip, and one with it at one for each savepoint",
    "[savepoints]") {
    savepoint_ledger here;
    once::transact(here.db, [&](transaction& tx) {
        auto const asked = [&] {
            // The last statement of the library's own that the server has prepared is the mark, or there is none.
            return tx.query_value<int>(
                "select count(*) from pg_prepared_statements where statement like '%set_staged_mark%'");
        };
        tx.publish(staged("a"));
        CHECK(asked() == 0);
        CHECK(
            tx.query_value<std::string>("select coalesce(current_setting('once.staged', true), '')").empty());
        tx.exec("savepoint x");
        tx.publish(staged("b"));
        auto const mark = tx.query_value<std::string>("select current_setting('once.staged', true)");
        CHECK(mark.ends_with("/1"));
        for (int i = 0; i < 10; ++i) {
            tx.publish(staged("c"));
        }
        CHECK(tx.query_value<std::string>("select current_setting('once.staged', true)") == mark);
    }).expect_committed();
}

// The server itself is the model: it keeps, in a table, what is published beside each message.
TEST_CASE("of any history of savepoints, messages stay exactly when rows do, in their order",
          "[savepoints]") {
    savepoint_ledger here;
    INFO("ONCE_SEED=" << seed());
    std::mt19937_64 random{seed()};
    for (int round = 0; round < 60; ++round) {
        std::string history;
        once::transact(here.db, [&](transaction& tx) {
            history.clear();
            std::vector<std::string> open;
            int next = 0;
            auto const stage = [&] {
                auto const key = std::to_string(round) + "." + std::to_string(next++);
                tx.exec("insert into proof.note (what) values ('" + key + "')");
                tx.publish(staged(key));
                history += " +" + key;
            };
            for (auto steps = 3 + random() % 25; steps > 0; --steps) {
                auto const choice = random() % 10;
                if (choice < 4) {
                    stage();
                } else if (choice < 6) {
                    open.push_back("s" +
                                   std::to_string(random() % 3)); // names come again, and hide each other
                    tx.exec("savepoint " + open.back());
                    history += " savepoint " + open.back();
                } else if (!open.empty()) {
                    auto const name = open[random() % open.size()];
                    bool const release = choice < 8;
                    tx.exec((release ? "release " : "rollback to ") + name);
                    history += (release ? " release " : " rollback ") + name;
                    while (open.back() != name) {
                        open.pop_back();
                    }
                    if (release) {
                        open.pop_back();
                    }
                }
            }
        }).expect_committed();
        INFO(history);
        REQUIRE(here.messages() == here.notes());
    }
    CHECK(here.messages().size() > 100);
}
