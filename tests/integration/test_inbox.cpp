// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>
#include <once/inbox.hpp>

#include "support/effects.hpp"
#include "support/login_role.hpp"
#include "support/refusal.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/subtransaction>
#include <pqxx/transaction>

#include <chrono>
#include <functional>
#include <future>
#include <string>
#include <tuple>

using namespace once::testing;
using namespace std::chrono_literals;
using once::incoming;
using once::message_id;
using once::receipt;

namespace {

incoming message(std::string const& bytes = "hello") {
    return {.id = message_id::random(), .fingerprint = once::fingerprint{bytes}};
}

/// Receives in a transaction of its own, works when the message is fresh, commits.
template <class Transaction = pqxx::work>
receipt consume(effects_database const& server, once::inbox const& inbox, incoming const& what) {
    pqxx::connection connection{server.dsn()};
    Transaction tx{connection};
    auto const made = inbox.receive(tx, what);
    if (made == receipt::fresh) {
        add_effect(tx);
    }
    tx.commit();
    return made;
}

} // namespace

TEST_CASE("a message takes effect at its first delivery and at no other", "[inbox]") {
    effects_database const server;
    once::inbox const inbox{"billing"};
    auto const one = message();
    CHECK(consume(server, inbox, one) == receipt::fresh);
    CHECK(consume(server, inbox, one) == receipt::seen);
    CHECK(consume<pqxx::transaction<pqxx::isolation_level::repeatable_read>>(server, inbox, one) ==
          receipt::seen);
    CHECK(consume<pqxx::transaction<pqxx::isolation_level::serializable>>(server, inbox, one) ==
          receipt::seen);
    CHECK(consume<pqxx::transaction<pqxx::isolation_level::serializable>>(server, inbox, message()) ==
          receipt::fresh);
    CHECK(server.effects() == 2);
}

TEST_CASE("a message whose transaction was rolled back is fresh again", "[inbox]") {
    effects_database const server;
    once::inbox const inbox{"billing"};
    auto const one = message();
    pqxx::connection connection{server.dsn()};
    {
        pqxx::work tx{connection};
        CHECK(inbox.receive(tx, one) == receipt::fresh);
        add_effect(tx);
    }
    {
        pqxx::work tx{connection};
        pqxx::subtransaction inner{tx};
        CHECK(inbox.receive(inner, one) == receipt::fresh);
        inner.abort();
        CHECK(inbox.receive(tx, one) == receipt::fresh);
    }
    CHECK(server.effects() == 0);
    CHECK(consume(server, inbox, one) == receipt::fresh);
}

TEST_CASE("the inbox works in a transaction of the library", "[inbox]") {
    effects_database const server;
    once::database db{server.dsn()};
    once::inbox const inbox{"billing"};
    auto const one = message();
    for (int delivery = 0; delivery < 3; ++delivery) {
        once::transact(db, [&](once::transaction& tx) {
            if (inbox.receive(tx, one) == receipt::fresh) {
                add_effect(tx);
            }
        }).expect_committed();
    }
    CHECK(server.effects() == 1);
}

TEST_CASE("the same id with other bytes takes no effect and leaves an alarm", "[inbox]") {
    effects_database const server;
    once::inbox const inbox{"billing"};
    auto one = message("the first");
    CHECK(consume(server, inbox, one) == receipt::fresh);
    CHECK(server.ask("select count(*) from once.inbox_alarm") == "0");
    one.fingerprint = once::fingerprint{"the second"};
    CHECK(consume(server, inbox, one) == receipt::altered);
    CHECK(consume(server, inbox, one) == receipt::altered);
    one.fingerprint = once::fingerprint{"the first"};
    CHECK(consume(server, inbox, one) == receipt::seen);
    CHECK(server.effects() == 1);
    CHECK(server.ask("select consumer || ' ' || altered_times from once.inbox_alarm where message_id = '" +
                     one.id.to_string() + "'") == "billing 2");
    CHECK(
        server.ask(
            "select altered_fingerprint <> fingerprint and altered_at > received_at from once.inbox_alarm") ==
        "t");
}

TEST_CASE("without a fingerprint the id alone decides", "[inbox]") {
    effects_database const server;
    once::inbox const inbox{"billing"};
    auto known = message("bytes");
    incoming const bare{.id = known.id, .fingerprint = once::no_fingerprint};
    CHECK(consume(server, inbox, known) == receipt::fresh);
    CHECK(consume(server, inbox, bare) == receipt::seen);
    incoming other{.id = message_id::random(), .fingerprint = once::no_fingerprint};
    CHECK(consume(server, inbox, other) == receipt::fresh);
    other.fingerprint = once::fingerprint{"bytes"};
    CHECK(consume(server, inbox, other) == receipt::seen);
    CHECK(server.ask("select count(*) from once.inbox_alarm") == "0");
}

TEST_CASE("each consumer sees each message once, and so does each service", "[inbox]") {
    effects_database const server;
    auto const one = message();
    CHECK(consume(server, once::inbox{"billing"}, one) == receipt::fresh);
    CHECK(consume(server, once::inbox{"shipping"}, one) == receipt::fresh);
    CHECK(consume(server, once::inbox{"billing"}, one) == receipt::seen);

    login_role const role{server, "other"};
    role.grant_use();
    pqxx::connection connection{role.dsn()};
    pqxx::work tx{connection};
    CHECK(once::inbox{"billing"}.receive(tx, one) == receipt::fresh);
    CHECK_THROWS_AS(tx.exec("select * from once.inbox"), pqxx::insufficient_privilege);
}

TEST_CASE("a message that another transaction holds is a value after the wait", "[inbox]") {
    effects_database const server;
    once::inbox const inbox{"billing", {.wait = 20ms}};
    auto const one = message();
    pqxx::connection first{server.dsn()};
    pqxx::connection second{server.dsn()};
    pqxx::work holder{first};
    CHECK(inbox.receive(holder, one) == receipt::fresh);
    pqxx::work tx{second};
    tx.exec("set local lock_timeout = '7s'");
    CHECK(inbox.receive(tx, one) == receipt::in_progress);
    CHECK(tx.exec("show lock_timeout")[0][0].as<std::string>() == "7s");
    CHECK(inbox.receive(tx, message()) == receipt::fresh);
    CHECK(tx.exec("show lock_timeout")[0][0].as<std::string>() == "7s");
    add_effect(tx);
    tx.commit();
    holder.abort();
    CHECK(consume(server, inbox, one) == receipt::fresh);
    CHECK(server.effects() == 2);
}

TEST_CASE("a redelivery that meets the first one running waits for its end", "[inbox]") {
    effects_database const server;
    once::inbox const patient{"billing", {.wait = 60s}};
    for (bool const commits : {true, false}) {
        auto const one = message();
        pqxx::connection first{server.dsn()};
        pqxx::work holder{first};
        CHECK(patient.receive(holder, one) == receipt::fresh);
        auto second = std::async(std::launch::async, [&] { return consume(server, patient, one); });
        REQUIRE(wait_until([&] {
            return server.ask("select count(*) from pg_stat_activity where datname = current_database() and "
                              "wait_event_type = 'Lock'") == "1";
        }));
        if (commits) {
            holder.commit();
        } else {
            holder.abort();
        }
        CHECK(second.get() == (commits ? receipt::seen : receipt::fresh));
    }
}

TEST_CASE("a message older than the memory of the inbox is not taken for a new one", "[inbox]") {
    effects_database const server;
    once::inbox const inbox{"billing", {.retention = 24h}};
    auto const now = std::chrono::system_clock::now();
    auto old = message();
    old.sent_at = now - 25h;
    CHECK(consume(server, inbox, old) == receipt::too_old);
    CHECK(server.effects() == 0);
    CHECK(server.ask("select count(*) from once.inbox") == "0");
    auto recent = message();
    recent.sent_at = now - 23h;
    CHECK(consume(server, inbox, recent) == receipt::fresh);
    // What is still in the inbox is known for certain, however old it is.
    recent.sent_at = now - 48h;
    CHECK(consume(server, inbox, recent) == receipt::seen);
    auto in_future = message();
    in_future.sent_at = now + 1h;
    CHECK(consume(server, inbox, in_future) == receipt::fresh);
}

TEST_CASE("purging forgets what is past its retention, oldest first, and nothing else", "[inbox]") {
    effects_database const server;
    once::inbox const brief{"billing", {.retention = 1s}};
    once::inbox const lasting{"billing", {.retention = 24h * 3660}};
    for (int i = 0; i < 5; ++i) {
        CHECK(consume(server, brief, message()) == receipt::fresh);
    }
    auto const kept = message();
    CHECK(consume(server, lasting, kept) == receipt::fresh);
    CHECK(server.ask("select once.purge_inbox(1000, now() - interval '1 hour')") == "0");
    CHECK(server.ask("select once.purge_inbox(3, now() + interval '2 seconds')") == "3");
    CHECK(server.ask("select once.purge_inbox(3, now() + interval '2 seconds')") == "2");
    CHECK(server.ask("select once.purge_inbox(3, now() + interval '2 seconds')") == "0");
    CHECK(consume(server, lasting, kept) == receipt::seen);
    // Expired but not purged: still known.
    auto const one = message();
    CHECK(consume(server, brief, one) == receipt::fresh);
    server.run("update once.inbox set expires_at = now() - interval '1 day'");
    CHECK(consume(server, brief, one) == receipt::seen);
}

TEST_CASE("what an inbox must not be given is refused by name before anything is sent",
          "[inbox][bad input]") {
    for (std::string const& consumer :
         {std::string{}, std::string(256, 'x'), std::string{" a"}, std::string{"a\n"}, std::string{"a\0b", 3},
          std::string{"caf\xc3\xa9"}}) {
        CHECK(refused_field([&] { once::inbox{consumer}; }) == "consumer");
    }
    CHECK(refused_field([] { once::inbox{std::string(255, 'x')}; }) == "accepted");
    for (auto const retention :
         {-1ms, 0ms, 999ms, std::chrono::milliseconds{3660 * 24h} + 1ms, std::chrono::milliseconds::max()}) {
        CHECK(refused_field([&] { once::inbox("c", {.retention = retention}); }) ==
              "inbox_options.retention");
    }
    for (auto const wait : {-1ms, std::chrono::milliseconds{1h} + 1ms, std::chrono::milliseconds::min()}) {
        CHECK(refused_field([&] { once::inbox("c", {.wait = wait}); }) == "inbox_options.wait");
    }
}

TEST_CASE("the same rules hold for callers of the inbox in SQL", "[inbox][bad input]") {
    effects_database const server;
    auto const state = [&](std::string const& arguments) {
        return sqlstate_of([&] { server.run("select once.receive(" + arguments + ")"); });
    };
    std::string const id = "gen_random_uuid()";
    CHECK(state("'c', " + id) == "accepted");
    CHECK(state("'', " + id) == "23514");
    CHECK(state("repeat('x', 256), " + id) == "23514");
    CHECK(state("'caf\u00e9', " + id) == "23514");
    CHECK(state("null, " + id) == "22023");
    CHECK(state("'c', null") == "22023");
    CHECK(state("'c', 'order-17'") == "22P02");
    CHECK(state("'c', '00000000-0000-0000-0000-000000000000'") == "23514");
    CHECK(state("'c', " + id + ", 'short'") == "23514");
    CHECK(state("'c', " + id + ", p_retention => '0 seconds'") == "22023");
    CHECK(state("'c', " + id + ", p_retention => '3661 days'") == "22023");
    CHECK(state("'c', " + id + ", p_retention => null") == "22023");
    CHECK(state("'c', " + id + ", p_wait => '-1 seconds'") == "22023");
    CHECK(state("'c', " + id + ", p_wait => '2 hours'") == "22023");
    CHECK(sqlstate_of([&] { server.run("select once.purge_inbox(0)"); }) == "22023");
    CHECK(sqlstate_of([&] { server.run("select once.purge_inbox(null)"); }) == "22023");
    // PostgreSQL takes several spellings of one UUID for the same.
    CHECK(server.ask("select once.receive('c', '0192F0C1-8E4A-7ABC-8DEF-0123456789AB')") == "fresh");
    CHECK(server.ask("select once.receive('c', '{0192f0c1-8e4a-7abc-8def-0123456789ab}')") == "seen");
}

TEST_CASE("a lost race under a snapshot is 40001 and not a second effect", "[inbox]") {
    effects_database const server;
    once::inbox const inbox{"billing"};
    auto const one = message();
    pqxx::connection first{server.dsn()};
    pqxx::transaction<pqxx::isolation_level::repeatable_read> late{first};
    late.exec("select 1");
    CHECK(consume(server, inbox, one) == receipt::fresh);
    CHECK(sqlstate_of([&] { std::ignore = inbox.receive(late, one); }) == "40001");
}
