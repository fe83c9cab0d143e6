// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// One test for each row of the table "What a crash or a failover can lose" in docs/operations.md, as far as others have
// none.
#include <once/execute.hpp>

#include "faults/ledger.hpp"
#include "faults/server_pair.hpp"
#include "faults/workload.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/result>
#include <pqxx/row>

#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

/// The answers of requests, to be asked for again after the worst has happened.
class answered {
public:
    void run(once::database& db, std::string const& key, once::call_options const& options = {}) {
        auto const reply = run_workload(db, form::callback, key, options);
        REQUIRE(reply.done());
        REQUIRE_FALSE(reply.committed_locally());
        m_all.push_back({key, reply.response().body.data()});
    }

    /// Each is there with its effect, and a repeat gets the same answer.
    void check_kept(std::string const& dsn) const {
        once::database db{dsn};
        ledger book{dsn};
        for (auto const& one : m_all) {
            INFO(one.key);
            auto const again = run_workload(db, form::callback, one.key, {});
            CHECK(again.replayed());
            CHECK(again.response().body.data() == one.body);
            auto const entry = book.entry(one.key);
            CHECK(entry.effects == 1);
            CHECK(entry.balance == 1);
        }
    }

private:
    struct answer {
        std::string key;
        std::string body;
    };
    std::vector<answer> m_all;
};

std::vector<std::string> open_accounts(std::string const& dsn, std::string const& prefix, int count) {
    ledger book{dsn};
    std::vector<std::string> keys;
    for (int n = 0; n < count; ++n) {
        keys.push_back(prefix + std::to_string(n));
        book.open_account(keys.back());
    }
    return keys;
}

void set(std::string const& dsn, std::string const& setting, std::string const& value) {
    ledger server{dsn};
    server.value("alter system set " + setting + " = '" + value + "'");
    server.value("select pg_reload_conf()");
}

/// What a transaction of the library commits with, where the server says `configured`.
std::string level_of_calls(std::string const& dsn, std::string const& configured) {
    ledger{dsn}.value("alter database shop set synchronous_commit = " + configured);
    once::database db{dsn};
    std::string level;
    std::ignore = once::transact(db, [&](once::transaction& tx) {
        auto const shown = tx.exec("show synchronous_commit");
        level = shown[0][0].as<std::string>();
    });
    return level;
}

void await_standbys(std::string const& dsn, std::string const& state, int count) {
    ledger server{dsn};
    REQUIRE(wait_until([&] {
        return server.value(
                   "select count(*) from pg_stat_replication where state = 'streaming' and sync_state = '" +
                   state + "'") == std::to_string(count);
    }));
}

void promote(std::string const& dsn) {
    REQUIRE(ledger{dsn}.value("select pg_promote(true, 60)") == "t");
}

} // namespace

TEST_CASE(
    "a crash takes no answered request, unless commits are not flushed on purpose: then with its effect",
    "[faults][failover]") {
    private_servers servers;
    servers.start_primary("one");
    auto const dsn = servers.dsn("one");
    set(dsn, "synchronous_commit", "off");
    set(dsn, "wal_writer_delay", "10s"); // nobody else flushes what a commit has not
    REQUIRE(wait_until([&] { return ledger{dsn}.value("show wal_writer_delay") == "10s"; }));
    auto const keys = open_accounts(dsn, "k", 5);
    ledger{dsn}.value("checkpoint");

    answered raised;
    {
        once::database db{dsn};
        raised.run(db, keys[0]);
        raised.run(db, keys[1]);
        answered().run(db, keys[2], {.durability = once::durability::as_configured});
    }
    servers.crash("one");
    servers.start_again("one");
    raised.check_kept(dsn);

    ledger book{dsn};
    auto const entry = book.entry(keys[2]);
    std::printf("commit that was not flushed: %s\n", entry.effects == 0 ? "lost with its effect" : "kept");
    CHECK(entry.effects == entry.balance);
    CHECK((entry.effects == 1) == !entry.stored.empty());
    once::database db{dsn};
    std::ignore = run_workload(db, form::callback, keys[2], {});
    CHECK(book.entry(keys[2]).effects == 1);
}

TEST_CASE("a failover to an asynchronous standby can lose answered requests, each with its effect",
          "[faults][failover]") {
    private_servers servers;
    servers.start_primary("one");
    auto const keys = open_accounts(servers.dsn("one"), "k", 4);
    servers.start_standby("two", "one");
    once::database old_primary{servers.dsn("one")};
    answered kept;
    kept.run(old_primary, keys[0]);
    {
        ledger standby{servers.dsn("two")};
        REQUIRE(wait_until([&] { return !standby.entry(keys[0]).stored.empty(); }));
    }
    servers.cut_off("two");
    answered lost;
    lost.run(old_primary, keys[1]);
    lost.run(old_primary, keys[2]);
    servers.crash("one");
    promote(servers.dsn("two"));

    kept.check_kept(servers.dsn("two"));
    ledger book{servers.dsn("two")};
    once::database new_primary{servers.dsn("two")};
    for (auto const& key : {keys[1], keys[2]}) {
        CHECK(book.entry(key).effects == 0);
        CHECK(book.entry(key).stored.empty());
        CHECK(run_workload(new_primary, form::callback, key, {}).done()); // the client's repeat does it again
        CHECK(book.entry(key).effects == 1);
    }
}

TEST_CASE(
    "a failover to a synchronous standby, alone or of a quorum, loses no answered request at any setting",
    "[faults][failover]") {
    private_servers servers;
    servers.start_primary("one");
    auto const dsn = servers.dsn("one");
    std::vector<std::vector<std::string>> keys;
    for (auto const* const level : {"off", "local", "remote_write", "on", "remote_apply"}) {
        keys.push_back(open_accounts(dsn, level, 3));
    }
    auto const quorum_keys = open_accounts(dsn, "quorum", 6);
    servers.start_standby("two", "one");
    set(dsn, "synchronous_standby_names", "*");
    await_standbys(dsn, "sync", 1);

    answered all;
    for (auto const& of_level : keys) {
        auto const configured = of_level.front().substr(0, of_level.front().size() - 1);
        INFO(configured);
        CHECK(level_of_calls(dsn, configured) == (configured == "remote_apply" ? "remote_apply" : "on"));
        once::database db{dsn};
        ledger standby{servers.dsn("two")};
        for (auto const& key : of_level) {
            all.run(db, key);
            if (configured == "remote_apply") {
                CHECK(standby.entry(key).effects == 1); // who asks the standby sees what was answered
            }
        }
    }

    // One of two is enough from here on, and the other one gets no more.
    servers.start_standby("three", "one");
    set(dsn, "synchronous_standby_names", "ANY 1 (*)");
    await_standbys(dsn, "quorum", 2);
    servers.cut_off("three");
    await_standbys(dsn, "quorum", 1);
    {
        once::database db{dsn};
        for (auto const& key : quorum_keys) {
            all.run(db, key);
        }
    }
    servers.crash("one");
    // An operator has to promote the one that has received more.
    auto const received = [&](std::string const& name) {
        return std::stoull(ledger{servers.dsn(name)}.value("select pg_last_wal_receive_lsn() - '0/0'"));
    };
    CHECK(received("two") > received("three"));
    CHECK(ledger{servers.dsn("three")}.entry(quorum_keys.back()).effects == 0);
    promote(servers.dsn("two"));
    all.check_kept(servers.dsn("two"));
}
