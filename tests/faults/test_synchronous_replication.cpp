// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "faults/ledger.hpp"
#include "faults/server_pair.hpp"
#include "faults/workload.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>

#include <chrono>
#include <future>
#include <optional>
#include <string>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

// A worker of autovacuum may wait, too.
constexpr auto waits = "select pid from pg_stat_activity "
                       "where wait_event = 'SyncRep' and backend_type = 'client backend' limit 1";

/// A server whose COMMITs wait for a standby that never comes.
class lonely_primary {
public:
    lonely_primary() {
        m_servers.start_primary("one");
        m_book.emplace(m_servers.dsn("one"));
        m_book->open_account("callback");
        m_book->open_account("statements");
        start_waiting();
    }

    void start_waiting() { configure("alter system set synchronous_standby_names = 'nobody'", "nobody"); }

    void stop_waiting() { configure("alter system reset synchronous_standby_names", ""); }

    [[nodiscard]] std::string dsn() const { return m_servers.dsn("one"); }
    [[nodiscard]] ledger& book() { return *m_book; }

    /// The session whose COMMIT waits, as soon as there is one.
    [[nodiscard]] std::string waiting() {
        std::string pid;
        REQUIRE(wait_until([&] { return !(pid = m_book->value(waits)).empty(); }));
        return pid;
    }

private:
    void configure(std::string const& sql, std::string const& expected) {
        m_book->value(sql);
        m_book->value("select pg_reload_conf()");
        REQUIRE(wait_until([&] { return m_book->value("show synchronous_standby_names") == expected; }));
        // Whether a COMMIT waits is decided by what the checkpointer has read, and it reads before it does its work.
        m_book->value("checkpoint");
    }

    private_servers m_servers;
    std::optional<ledger> m_book;
};

/// Makes a call whose COMMIT waits for the standby, and ends that wait by `function`, which is given the session.
once::reply end_the_wait(lonely_primary& server, once::database& db, form how, std::string const& function) {
    server.start_waiting();
    auto call = std::async(std::launch::async, [&] { return run_workload(db, how, to_string(how), {}); });
    server.book().value("select " + function + "(" + server.waiting() + ")");
    return call.get();
}

void check_one_effect(lonely_primary& server, form how, once::reply const& reply) {
    auto const entry = server.book().entry(to_string(how));
    CHECK(entry.effects == 1);
    CHECK(entry.balance == 1);
    CHECK(reply.response().body.data() == entry.stored);
}

} // namespace

TEST_CASE("a cancelled wait for the synchronous standby is reported as committed locally",
          "[faults][replication]") {
    lonely_primary server;
    once::database db{server.dsn()};
    for (auto const how : {form::callback, form::statements}) {
        auto const reply = end_the_wait(server, db, how, "pg_cancel_backend");
        CHECK(reply.done());
        CHECK(reply.committed());
        CHECK(reply.committed_locally());
        CHECK_FALSE(reply.was_in_doubt());
        check_one_effect(server, how, reply);
        server.stop_waiting();
        auto const again = run_workload(db, how, to_string(how), {});
        CHECK(again.replayed());
        CHECK_FALSE(again.committed_locally());
    }
}

TEST_CASE("a session terminated while it waits for the synchronous standby is resolved by the key",
          "[faults][replication]") {
    lonely_primary server;
    once::database db{server.dsn()};
    for (auto const how : {form::callback, form::statements}) {
        auto const reply = end_the_wait(server, db, how, "pg_terminate_backend");
        CHECK(reply.replayed());
        CHECK(reply.was_in_doubt());
        check_one_effect(server, how, reply);
        server.stop_waiting();
    }
}

TEST_CASE("a wait for the synchronous standby longer than the reply timeout is one effect when it ends",
          "[faults][replication]") {
    lonely_primary server;
    once::database db{server.dsn()};
    auto call = std::async(std::launch::async, [&] {
        return run_workload(db, form::callback, "callback",
                            {.wait = 200ms, .deadline = 30s, .reply_timeout = 300ms});
    });
    static_cast<void>(server.waiting());
    // The retry asks for the key and has to wait for the old session.
    REQUIRE(wait_until(
        [&] { return server.book().value("select count(*) from pg_locks where not granted") != "0"; }));
    server.stop_waiting();
    auto const reply = call.get();
    CHECK(reply.replayed());
    CHECK(reply.was_in_doubt());
    check_one_effect(server, form::callback, reply);
}

TEST_CASE(
    "a wait for the synchronous standby that outlasts the deadline is unknown, and the repeat finds out",
    "[faults][replication]") {
    lonely_primary server;
    once::database db{server.dsn()};
    auto const reply = run_workload(db, form::callback, "callback",
                                    {.wait = 200ms, .deadline = 1'500ms, .reply_timeout = 300ms});
    CHECK(reply.unknown());
    CHECK(reply.was_in_doubt());
    server.stop_waiting();
    auto const again = run_workload(db, form::callback, "callback", {.wait = 10s});
    CHECK(again.replayed());
    check_one_effect(server, form::callback, again);
}
