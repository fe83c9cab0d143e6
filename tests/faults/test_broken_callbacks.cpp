// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>

#include "faults/ledger.hpp"
#include "faults/workload.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>
#include <pqxx/except>
#include <pqxx/subtransaction>

#include <stdexcept>
#include <string>

using namespace once::testing;

namespace {

/// A request with the key "key", and what is left of it.
class broken_call {
public:
    broken_call() { m_book.open_account("key"); }

    /// Runs a callback that inserts an effect and then does `more`.
    template <class More>
    once::reply run(More const& more) {
        return once::execute(m_db, workload_request("key"), [&](once::transaction& tx) {
            tx.exec(insert_effect, pqxx::params{"key"});
            more(tx);
            return nlohmann::json{{"done", true}};
        });
    }

    [[nodiscard]] int effects() { return m_book.entry("key").effects; }
    [[nodiscard]] std::string records() {
        return m_book.value("select count(*) from once.idempotency_record");
    }

    /// Nothing was written, and the key can be used on the same connection.
    void check_key_free() {
        CHECK(effects() == 0);
        CHECK(records() == "0");
        CHECK(run_workload(m_db, form::callback, "key", {}).done());
        CHECK(effects() == 1);
        CHECK(m_book.value("select count(*) from pg_stat_activity where datname = current_database() and "
                           "state like 'idle in transaction%'") == "0");
    }

private:
    workload_database m_where;
    ledger m_book{m_where.dsn()};
    once::database m_db{m_where.dsn(), {.max_connections = 1}};
};

} // namespace

TEST_CASE("a callback that swallows an SQL error is told, and nothing is written", "[faults][callback]") {
    broken_call call;
    CHECK_THROWS_AS(call.run([](once::transaction& tx) {
        try {
            tx.exec("select 1 / 0");
        } catch (pqxx::sql_error const&) { // NOLINT(bugprone-empty-catch): this is the mistake
        }
    }),
                    once::transaction_poisoned);
    call.check_key_free();
}

TEST_CASE("an SQL error in a subtransaction of the callback may be swallowed", "[faults][callback]") {
    broken_call call;
    auto const reply = call.run([](once::transaction& tx) {
        pqxx::subtransaction inner{tx};
        try {
            inner.exec("select 1 / 0");
        } catch (pqxx::sql_error const&) { // NOLINT(bugprone-empty-catch): the subtransaction rolls back
        }
    });
    CHECK(reply.done());
    CHECK(call.effects() == 1);
}

TEST_CASE("a callback that throws leaves nothing behind, and its exception comes out", "[faults][callback]") {
    broken_call call;
    CHECK_THROWS_AS(call.run([](once::transaction&) { throw std::out_of_range{"no such account"}; }),
                    std::out_of_range);
    call.check_key_free();
}

TEST_CASE("a callback that commits is refused before anything is committed", "[faults][callback]") {
    broken_call call;
    CHECK_THROWS_AS(call.run([](once::transaction& tx) { tx.commit(); }), once::misuse);
    call.check_key_free();
}

TEST_CASE("a callback that swallows the refusal of its commit is refused again", "[faults][callback]") {
    broken_call call;
    CHECK_THROWS_AS(call.run([](once::transaction& tx) {
        try {
            tx.commit();
        } catch (std::exception const&) { // NOLINT(bugprone-empty-catch): this is the mistake
        }
    }),
                    once::misuse);
    call.check_key_free();
}

TEST_CASE("a callback that aborts is told to throw instead", "[faults][callback]") {
    broken_call call;
    CHECK_THROWS_AS(call.run([](once::transaction& tx) { tx.abort(); }), once::misuse);
    call.check_key_free();
}

TEST_CASE("a callback that rolls back in SQL is reported, and nothing is written", "[faults][callback]") {
    broken_call call;
    CHECK_THROWS_AS(call.run([](once::transaction& tx) { tx.exec("rollback"); }), once::misuse);
    call.check_key_free();
}

TEST_CASE("a callback that commits in SQL is reported, and its key is not used up by a wrong answer",
          "[faults][callback]") {
    broken_call call;
    CHECK_THROWS_AS(call.run([](once::transaction& tx) { tx.exec("commit"); }), once::misuse);
    // What it committed stands, the claim with it: a repeat is not run a second time.
    CHECK(call.effects() == 1);
    CHECK(call.run([](once::transaction&) {}).in_progress());
    CHECK(call.effects() == 1);
}
