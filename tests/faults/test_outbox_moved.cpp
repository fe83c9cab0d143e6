// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "faults/server_pair.hpp"
#include "support/session.hpp"
#include "support/shell.hpp"
#include "support/storm.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

using namespace once::testing;

// The outbox comes to live in another server: out of a dump, or by a failover that lost its newest commits.

namespace {

/// "subscription/slice": message ids in the order in which they were delivered.
using deliveries = std::map<std::string, std::vector<std::string>>;

struct part {
    std::string subscription;
    int slice;
    [[nodiscard]] std::string name() const { return subscription + "/" + std::to_string(slice); }
};
std::vector<part> const parts{{"whole", 0},  {"sliced", 0},  {"sliced", 1},
                              {"sliced", 2}, {"passing", 0}, {"idle", 0}};

void subscribe_all(session& db) {
    db.run("select subscribe('whole', p_from => 'beginning'), subscribe('sliced', p_from => 'beginning', "
           "p_slices => 3), "
           "subscribe('passing', p_from => 'beginning', p_dead_blocks_key => false), "
           "subscribe('idle', p_from => 'beginning')");
}

/// Reads one batch: every `park`th message fails, the rest is delivered. Returns how many there were.
int read_some(session& db, part const& from, deliveries& got, int limit, int park = 0) {
    auto const some = next_batch(db, from.subscription, limit, from.slice);
    std::string ids;
    std::string as;
    std::set<std::string> keys;
    for (int i = 0; i < some.size(); ++i) {
        auto const id = some.rows[i][0].as<std::string>();
        auto const key = some.rows[i][2].as<std::string>("");
        auto const fails = park > 0 && std::stol(id) % park == 0;
        auto const behind = some.rows[i][4].as<bool>() || keys.contains(key);
        if (!fails && !behind) {
            got[from.name()].push_back(some.rows[i][1].as<std::string>());
            continue;
        }
        if (!key.empty()) {
            keys.insert(key);
        }
        ids += (ids.empty() ? "" : ",") + id;
        as += (as.empty() ? "" : ",") + std::string{behind ? "behind" : "retry"};
    }
    auto const last = some.size() > 0 && (!some.whole || park > 0)
                          ? "'" + some.rows[some.size() - 1][0].as<std::string>() + "'"
                          : std::string{"null"};
    if (some.size() > 0 || some.worth_saving) {
        db.run("select acknowledge('" + from.subscription + "', " + std::to_string(from.slice) + ", '" +
               some.token + "', " + last + ", null, '{" + ids + "}', '{" + as + "}')");
    }
    return some.size() + (some.worth_saving ? 1 : 0);
}

/// Everything that is left, parked messages included.
void read_rest(session& db, part const& from, deliveries& got) {
    for (int idle = 0; idle < 2;) {
        auto const seen = read_some(db, from, got, 7);
        auto const taken = db.rows("select id, message_id from take_parked($1, $2, 100, p_now => "
                                   "clock_timestamp() + interval '1 day')",
                                   pqxx::params{from.subscription, from.slice});
        for (auto const& row : taken) {
            got[from.name()].push_back(row[1].as<std::string>());
            db.rows("select settle_parked($1, $2, array[$3::bigint], array[$4::uuid], '{accepted}')",
                    pqxx::params{from.subscription, from.slice, row[0].as<std::string>(),
                                 row[1].as<std::string>()});
        }
        idle = seen == 0 && taken.empty() ? idle + 1 : 0;
    }
}

/// Every committed message once in each subscription, and each key in the order of its row lock.
void check_all(session& db, deliveries const& got) {
    std::map<std::string, std::pair<std::string, long>> committed;
    for (auto const& row : db.rows("select message_id, key, seq from committed")) {
        committed[row[0].as<std::string>()] = {row[1].as<std::string>(""), row[2].as<long>(0)};
    }
    std::map<std::string, std::multiset<std::string>> by_subscription;
    for (auto const& from : parts) {
        std::map<std::string, long> newest;
        for (auto const& id : got.contains(from.name()) ? got.at(from.name()) : std::vector<std::string>{}) {
            by_subscription[from.subscription].insert(id);
            auto const found = committed.find(id);
            REQUIRE(found != committed.end());
            auto const& [key, seq] = found->second;
            if (!key.empty()) {
                INFO(from.name() << " key " << key << " " << seq << " after " << newest[key]);
                CHECK(seq > newest[key]);
                newest[key] = seq;
            }
        }
    }
    for (auto const* name : {"whole", "sliced", "passing", "idle"}) {
        INFO(name);
        auto const& all = by_subscription[name];
        CHECK(all.size() == committed.size());
        CHECK(std::set<std::string>(all.begin(), all.end()).size() == committed.size());
    }
}

void stage(session& db, int count) {
    for (int i = 0; i < count; ++i) {
        db.run("select stage(" + std::to_string(i % 9) + "), stage(null)");
    }
}

/// Moves the counter of transaction ids on.
void burn_ids(session& db, int count) {
    db.run("do $$ begin for i in 1 .. " + std::to_string(count) +
           " loop perform pg_current_xact_id(); commit; end loop; end $$");
}

/// A pg_dump that can read this server: its own, or the one of the PATH if that is not older. Some builds of the server
/// come without one.
std::string pg_dump_for(private_servers const& servers, std::string const& name) {
    std::ifstream file{servers.folder(name) + "/binaries"};
    std::string binaries;
    std::getline(file, binaries);
    auto own = binaries + "/pg_dump";
    if (std::filesystem::exists(own)) {
        return own;
    }
    auto const here = run_in_shell("pg_dump --version | grep -m 1 -oE '[0-9]+' | head -n 1");
    session db{servers.dsn(name)};
    auto const server = std::stoi(db.ask("select current_setting('server_version_num')::integer / 10000"));
    if (here.status != 0 || here.output.empty() || std::stoi(here.output) < server) {
        SKIP("NO PG_DUMP: neither " << own << " nor in the PATH one for a server of version " << server);
    }
    return "pg_dump";
}

void dump_and_restore(private_servers const& servers, std::string const& from, std::string const& to) {
    auto const pg_dump = pg_dump_for(servers, from);
    auto const admin = "host=" + servers.folder(to) + " port=5432 user=postgres dbname=postgres";
    session{admin}.run("drop database shop");
    session{admin}.run("create database shop");
    auto const command = pg_dump + " --dbname='" + servers.dsn(from) +
                         "' | psql -X -q -v ON_ERROR_STOP=1 -d '" + servers.dsn(to) + "' >/dev/null";
    auto const done = run_in_shell("bash -o pipefail -c " + shell_quoted(command));
    if (done.status != 0) {
        throw std::runtime_error{"this failed: " + command + ": " + done.output};
    }
}

} // namespace

TEST_CASE("after a dump and a restore into another cluster exactly the undelivered messages come",
          "[faults][outbox][restore]") {
    // The ids of the new cluster are lower than those of the old one, or higher.
    auto const lower = GENERATE(true, false);
    INFO("the new cluster's transaction ids are lower: " << lower);
    private_servers servers;
    servers.start_primary("old");
    servers.start_primary("new");
    deliveries got;
    {
        session db{servers.dsn("old")};
        prepare_storm(db);
        subscribe_all(db);
        if (lower) {
            burn_ids(db, 5000);
        }
        stage(db, 20);
        // A transaction that is late: the readers are past its place when it commits.
        session late{servers.dsn("old")};
        late.run("begin; select stage(50), stage(51), stage(null)");
        session later{servers.dsn("old")};
        later.run("begin; select stage(52)");
        stage(db, 20);
        for (auto const& from : parts) {
            if (from.subscription != "idle") {
                read_some(db, from, got, 9, 5);
                read_some(db, from, got, 60, 7);
                read_some(db, from, got, 60, 0);
                read_some(db, from, got, 60, 0);
            }
        }
        late.run("commit");
        stage(db, 10);
        // An open window for some.
        read_some(db, parts[0], got, 3);
        read_some(db, parts[2], got, 2);
        later.run("commit");
        stage(db, 5);
        dump_and_restore(servers, "old", "new");
    }

    session db{servers.dsn("new")};
    db.run("set search_path = proof, once");
    if (!lower) {
        burn_ids(db, 20'000);
    }
    CHECK(db.refused("select * from next_batch('whole')") == "ON062");
    CHECK(db.refused("select take_parked('whole')") == "ON062");
    CHECK(db.refused("select subscribe('another')") == "ON062");
    stage(db, 4); // writers did not wait for the operator
    db.run("select trim_outbox('0')");
    std::map<std::string, long> left;
    for (auto const& row : db.rows("select subscription, sum(to_deliver) from rebase() group by 1")) {
        left[row[0].as<std::string>()] = row[1].as<long>();
    }
    CHECK(left.size() == 4);
    CHECK(left["idle"] == std::stol(db.ask("select count(*) from committed")));
    CHECK(db.ask("select count(*) from rebase()") == "0");
    stage(db, 4);
    for (auto const& from : parts) {
        read_rest(db, from, got);
    }
    check_all(db, got);
    CHECK(db.ask("select count(*) from parked_message") == "0");
}

TEST_CASE("a failover that loses the newest commits takes position and log back together",
          "[faults][outbox][failover]") {
    private_servers servers;
    servers.start_primary("one");
    session db{servers.dsn("one")};
    prepare_storm(db);
    subscribe_all(db);
    servers.start_standby("two", "one");
    deliveries kept;
    stage(db, 10);
    for (auto const& from : parts) {
        read_some(db, from, kept, 7, 5);
    }
    auto const committed = db.ask("select count(*) from committed");
    auto const checkpoints = db.ask("select count(*) from checkpoint");
    {
        session standby{servers.dsn("two")};
        REQUIRE(wait_until([&] {
            return standby.ask("select count(*) from checkpoint") == checkpoints &&
                   standby.ask("select count(*) from committed") == committed;
        }));
        // Snapshots of a standby know nothing of what runs; its reader would skip it.
        CHECK(standby.refused("select * from next_batch('whole')") == "25006");
        // From here on nothing arrives.
        standby.run("alter system set primary_conninfo = ''");
        standby.run("select pg_reload_conf()");
        REQUIRE(wait_until([&] { return standby.ask("select count(*) from pg_stat_wal_receiver") == "0"; }));
    }

    // The lost tail: staged, delivered and acknowledged, as far as the old primary knows.
    std::set<std::string> lost;
    stage(db, 15);
    deliveries tail;
    for (auto const& from : parts) {
        for (int i = 0; i < 4; ++i) {
            read_some(db, from, tail, 20);
        }
    }
    for (auto const& row : db.rows("select message_id from committed")) {
        lost.insert(row[0].as<std::string>());
    }

    session standby{servers.dsn("two")};
    standby.run("select pg_promote(true, 60)");
    CHECK(standby.ask("select count(*) from committed") == committed);
    for (auto const& row : standby.rows("select message_id from committed")) {
        lost.erase(row[0].as<std::string>());
    }
    CHECK(lost.size() == 30);
    stage(standby, 15);
    for (auto const& from : parts) {
        read_rest(standby, from, kept);
    }
    check_all(standby, kept); // no hole, nothing twice
    for (auto const& row : standby.rows("select message_id from committed")) {
        CHECK(!lost.contains(row[0].as<std::string>())); // places come again, ids do not
    }
}
