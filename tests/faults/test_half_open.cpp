// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// A client that vanishes in the middle of an exchange leaves a session that waits for the next message, inside a
// transaction and without any timeout of the server.
#include <once/consumer.hpp>
#include <once/execute.hpp>
#include <once/publish.hpp>
#include <once/relay.hpp>
#include <once/subscription.hpp>

#include "faults/ledger.hpp"
#include "faults/workload.hpp"
#include "support/scripted_publisher.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <libpq-fe.h>
#include <pqxx/params>
#include <pqxx/transaction>

#include <chrono>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

/// Sends BEGIN and one statement, and never the rest: no COMMIT, no end of the exchange.
class vanished_client {
public:
    /// @param commits COMMIT is on its way, but for the message that carries it out
    vanished_client(std::string const& dsn, std::string const& sql, bool commits = false)
        : m_connection{PQconnectdb(dsn.c_str()), &PQfinish} {
        auto* const raw = m_connection.get();
        REQUIRE(PQstatus(raw) == CONNECTION_OK);
        REQUIRE(PQenterPipelineMode(raw) == 1);
        for (auto const& one : {std::string{"begin"}, sql}) {
            REQUIRE(PQsendQueryParams(raw, one.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0) == 1);
        }
        if (commits) {
            REQUIRE(PQsendPrepare(raw, "", "commit", 0, nullptr) == 1);
        }
        REQUIRE(PQsendFlushRequest(raw) == 1);
        REQUIRE(PQflush(raw) == 0);
        for (int statements = 0; statements < (commits ? 3 : 2); ++statements) {
            std::unique_ptr<PGresult, decltype(&PQclear)> const answer{PQgetResult(raw), &PQclear};
            INFO(PQerrorMessage(raw));
            REQUIRE(answer);
            auto const status = PQresultStatus(answer.get());
            CHECK((status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK));
            CHECK(PQgetResult(raw) == nullptr);
        }
    }

    [[nodiscard]] int pid() const { return PQbackendPID(m_connection.get()); }

private:
    std::unique_ptr<PGconn, decltype(&PQfinish)> m_connection;
};

/// Lines of the library's log.
class lines {
public:
    [[nodiscard]] auto receiver() {
        return [this](std::string_view line) {
            std::lock_guard const lock{m_mutex};
            m_all.append(line).append("\n");
        };
    }
    [[nodiscard]] bool contain(std::string const& what) {
        std::lock_guard const lock{m_mutex};
        return m_all.find(what) != std::string::npos;
    }

private:
    std::mutex m_mutex;
    std::string m_all;
};

std::string ended(vanished_client const& client) {
    return "ended session " + std::to_string(client.pid());
}

/// Whether the log says who was ended. The line may come after the work that this made possible; and on a busy machine
/// the answer can come too late for the reader, which says that instead.
bool told_of(lines& log, vanished_client const& client) {
    return wait_until([&] {
        return log.contain(ended(client)) ||
               log.contain("could not look for sessions that lost their clients");
    });
}

void subscribe_and_publish(once::database& db) {
    std::ignore = once::transact(db, [](once::transaction& tx) {
        once::subscribe(tx, "s", {.topics = {"t"}, .from = once::subscribe_from::beginning});
        tx.publish({.topic = "t", .key = "k", .payload = once::body::text("m")});
    });
}

constexpr once::reader_options impatient{.lease = 10s, .reply_timeout = 1s};

constexpr auto acquire =
    "/* once: acquire_lease */ select once.acquire_lease('subscription/s/0', interval '10 s')";

} // namespace

TEST_CASE("a client that vanished while it took the lease does not stop the readers", "[faults][half_open]") {
    workload_database const where;
    ledger book{where.dsn()};
    lines log;
    once::database db{where.dsn(), {.log = log.receiver()}};
    subscribe_and_publish(db);
    vanished_client const gone{where.dsn(), acquire};

    SECTION("a consumer") {
        once::consumer one{db,
                           "s",
                           [](once::delivery const& message, once::transaction& tx) {
                               tx.exec(insert_effect, pqxx::params{message.payload.data()});
                           },
                           {.reader = impatient, .deadline = 5s}};
        std::jthread const running{[&](std::stop_token const& stop) { one.run(stop); }};
        CHECK(wait_until([&] { return book.value("select count(*) from effect") == "1"; }));
    }
    SECTION("a relay") {
        scripted_publisher receiver;
        once::relay one{db, "s", receiver, {.reader = impatient}};
        std::jthread const running{[&](std::stop_token const& stop) { one.run(stop); }};
        CHECK(wait_until([&] { return !receiver.payloads().empty(); }));
    }
    CHECK(told_of(log, gone));
}

TEST_CASE("a client that vanished while it acknowledged does not stop the next reader",
          "[faults][half_open]") {
    bool const commits = GENERATE(false, true);
    CAPTURE(commits);
    workload_database const where;
    ledger book{where.dsn()};
    lines log;
    once::database db{where.dsn(), {.log = log.receiver()}};
    subscribe_and_publish(db);
    auto const batch =
        book.value("select d.batch from once.next_batch('s') with ordinality as d order by ordinality desc");
    vanished_client const gone{
        where.dsn(), "/* once: acknowledge */ select once.acknowledge('s', 0, '" + batch + "')", commits};
    once::consumer one{db,
                       "s",
                       [](once::delivery const& message, once::transaction& tx) {
                           tx.exec(insert_effect, pqxx::params{message.payload.data()});
                       },
                       {.reader = impatient, .deadline = 5s}};
    std::jthread const running{[&](std::stop_token const& stop) { one.run(stop); }};
    CHECK(wait_until([&] {
        return book.value("select messages from once.subscription_lag where subscription = 's'") == "0";
    }));
    CHECK(book.value("select count(*) from effect") == "1");
    CHECK(told_of(log, gone));
}

TEST_CASE("a client that vanished in the middle of its claim gives the key back when its time is over",
          "[faults][half_open]") {
    workload_database const where;
    ledger book{where.dsn()};
    book.open_account("key");
    lines log;
    once::database db{where.dsn(), {.log = log.receiver()}};
    db.check();
    vanished_client const gone{
        where.dsn(),
        "/* once: begin_request */ select once.begin_request('POST /transfer', 'key', null, '1 s')"};
    once::call_options const options{.wait = 100ms, .deadline = 500ms, .reply_timeout = 500ms};
    CHECK(run_workload(db, form::callback, "key", options).in_progress());
    CHECK(wait_until([&] { return run_workload(db, form::callback, "key", options).committed(); }));
    CHECK(told_of(log, gone));
    CHECK(book.entry("key").effects == 1);
}

TEST_CASE("sessions at work, idle ones and those of other roles are not taken for half open",
          "[faults][half_open]") {
    workload_database const where;
    ledger book{where.dsn()};
    lines log;
    once::database db{where.dsn(), {.log = log.receiver()}};
    // Between two exchanges of a transaction: the idle timeout is for those.
    pqxx::connection idle{where.dsn()};
    pqxx::work holder{idle};
    holder.exec("/* once: begin_request */ select once.begin_request('POST /transfer', 'key', null, '1 s')");
    // The caller's own pipeline.
    vanished_client const of_the_caller{where.dsn(), "select 'once'"};
    auto const other_role = "neighbour_of_" + where.name();
    book.value("create role " + other_role + " superuser login");
    vanished_client const neighbour{
        where.dsn() + " user=" + other_role,
        "/* once: begin_request */ select once.begin_request('POST /transfer', 'other', null, '1 s')"};
    once::call_options const options{.wait = 1ms, .deadline = 1s, .reply_timeout = 100ms};
    CHECK(wait_until([&] {
        return book.value(
                   "select bool_and(state_change < clock_timestamp() - interval '2 s') from pg_stat_activity "
                   "where datname = current_database() and pid in (" +
                   std::to_string(of_the_caller.pid()) + ", " + std::to_string(neighbour.pid()) + ")") == "t";
    }));
    book.open_account("key");
    CHECK(run_workload(db, form::callback, "key", options).in_progress());
    holder.exec("select 1");
    CHECK(book.value("select count(*) from pg_stat_activity where pid in (" +
                     std::to_string(of_the_caller.pid()) + ", " + std::to_string(neighbour.pid()) + ")") ==
          "2");
    CHECK(!log.contain("ended session"));
    holder.abort();
    book.value("select pg_terminate_backend(" + std::to_string(neighbour.pid()) + "); drop role " +
               other_role);
}
