// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// A failover that loses what the old primary committed last, while clients keep their connections: PgBouncer leads them
// from one server to the other. What they carry from one exchange to the next was read on another timeline then, where
// the same numbers mean something else.
#include <once/error.hpp>
#include <once/execute.hpp>
#include <once/publish.hpp>
#include <once/relay.hpp>
#include <once/subscription.hpp>

#include "faults/ledger.hpp"
#include "faults/pooler.hpp"
#include "faults/server_pair.hpp"
#include "faults/workload.hpp"
#include "support/scripted_publisher.hpp"
#include "support/session.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stop_token>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

// Each in a transaction of its own, so that the transaction ids of the two timelines cover each other, too.
void publish_many(std::string const& dsn, std::string const& what, int count) {
    session db{dsn};
    for (int n = 0; n < count; ++n) {
        db.run("select publish('t', 'k" + std::to_string(n % 5) + "', p_bytes => '" + what +
               std::to_string(n) + "')");
    }
}

/// A primary, a standby that has got nothing since `fall_behind`, and a link that leads to the one in charge.
class failing_pair {
public:
    failing_pair() {
        servers.start_primary("one");
        servers.start_standby("two", "one");
        servers.point("link", "one");
    }

    [[nodiscard]] std::string at_link() const { return servers.folder("link"); }

    /// From now on the standby hears nothing; what it has is what the primary had at this call.
    void fall_behind() {
        auto const lsn = ledger{servers.dsn("one")}.value("select pg_current_wal_lsn()");
        REQUIRE(wait_until([&] {
            return ledger{servers.dsn("two")}.value("select pg_last_wal_replay_lsn() >= '" + lsn + "'") ==
                   "t";
        }));
        servers.cut_off("two");
    }

    void fail_over() {
        servers.crash("one");
        ledger{servers.dsn("two")}.value("select pg_promote(true, 60)");
        servers.point("link", "two");
    }

    private_servers servers;
};

std::string delivered(scripted_publisher const& receiver, std::string const& what, int count) {
    auto const payloads = receiver.payloads();
    int missing = 0;
    for (int n = 0; n < count; ++n) {
        missing += std::ranges::find(payloads, what + std::to_string(n)) == payloads.end() ? 1 : 0;
    }
    return std::to_string(missing) + " missing";
}

} // namespace

TEST_CASE("a relay behind a pooler delivers all that the new primary committed, after a failover that lost "
          "messages",
          "[faults][failover][pooler]") {
    failing_pair pair;
    pooler const between{{.host = pair.at_link()}, "transaction", 5, {"server_login_retry = 1"}};
    once::database db{between.dsn(), {.prepared_statements = false}};
    std::ignore = once::transact(db, [](once::transaction& tx) {
        once::subscribe(tx, "s", {.from = once::subscribe_from::beginning});
    });
    publish_many(pair.servers.dsn("one"), "first", 5);
    std::atomic<bool> holds = false;
    std::atomic<bool> go = false;
    std::atomic<bool> hold_next = false;
    scripted_publisher receiver;
    receiver.before = [&](std::span<once::delivery const>) -> std::optional<once::publish_report> {
        if (hold_next.exchange(false)) {
            holds = true;
            CHECK(wait_until([&] { return go.load(); }));
        }
        return std::nullopt;
    };
    once::relay relay{db, "s", receiver, {.reader = {.lease = 60s, .listen = false}}};
    std::jthread const running{[&](std::stop_token const& stop) { relay.run(stop); }};
    REQUIRE(wait_until([&] { return delivered(receiver, "first", 5) == "0 missing"; }));
    REQUIRE(wait_until([&] {
        return ledger{pair.servers.dsn("one")}.value(
                   "select number from once.checkpoint order by number desc limit 1") != "0";
    }));

    pair.fall_behind();
    hold_next = true;
    publish_many(pair.servers.dsn("one"), "lost", 200);
    REQUIRE(wait_until([&] { return holds.load(); })); // its batch was read on the old primary

    pair.fail_over();
    publish_many(pair.servers.dsn("two"), "kept", 60);
    CHECK(ledger{pair.servers.dsn("two")}.value("select max(id) < 200 from once.outbox") ==
          "t"); // the same numbers
    go = true;
    CHECK(wait_until([&] { return delivered(receiver, "kept", 60) == "0 missing"; }));
    CHECK(wait_until([&] {
        return ledger{pair.servers.dsn("two")}.value("select messages from once.subscription_lag") == "0";
    }));
}

TEST_CASE("nothing that a SQL reader got on one timeline is taken on another one", "[faults][failover]") {
    failing_pair pair;
    session old{pair.servers.dsn("one")};
    std::string const owner = "5f0c0000-0000-4000-8000-000000000001";
    old.run("select subscribe('s', p_from => 'beginning'), subscribe('p', p_from => 'beginning', "
            "p_backoff_base => '1ms', "
            "p_backoff_cap => '1ms')");
    // One message of the subscription p is parked on both sides; the next one only on the old primary.
    publish_many(pair.servers.dsn("one"), "both", 1);
    old.run("select begin_operation('op', 'k', null, 'n', array['a', 'b'], null, '{}', '" + owner +
            "', '1 hour')");
    pair.fall_behind();
    publish_many(pair.servers.dsn("one"), "lost", 100);
    auto const batch = next_batch(old, "s", 1000);
    auto const parked = next_batch(old, "p", 1000);
    old.run("select acknowledge('p', 0, '" + parked.token +
            "', null, null, array(select id from outbox order by id), "
            "array_fill('retry'::park_verdict, array[101]))");
    REQUIRE(wait_until([&] { return old.ask("select parked_due('p') = '0'") == "t"; }));
    auto const taken = old.rows("select id, message_id from take_parked('p', 0, 1000)");
    REQUIRE(taken.size() >= 5); // one of each key
    auto const fence = old.ask("select (acquire_lease('l', '1 hour')).fence");
    auto const retaken = old.ask("select (retake_operation('op', 'k', '" + owner + "', '1 hour')).fence");

    pair.fail_over();
    session now{pair.servers.dsn("two")};
    publish_many(pair.servers.dsn("two"), "kept", 60);
    auto const acknowledge_old = "select acknowledge('s', 0, '" + batch.token + "')";
    CHECK(now.refused(acknowledge_old) == "ON069");
    CHECK(now.refused("select acknowledge('p', 0, '" + parked.token + "')") == "ON069");
    CHECK(next_batch(now, "s", 1000).size() == 61);

    // Other messages have those places now. What the old ones came to says nothing about them.
    auto const fresh = next_batch(now, "p", 1000);
    now.run("select acknowledge('p', 0, '" + fresh.token +
            "', null, null, array(select id from outbox order by id), "
            "array_fill('retry'::park_verdict, array[61]))");
    REQUIRE(wait_until([&] { return now.ask("select parked_due('p') = '0'") == "t"; }));
    for (auto const& row : taken) {
        for (auto const* const result : {"rejected", "accepted"}) {
            now.rows("select settle_parked('p', 0, array[$1::bigint], array[$2::uuid], "
                     "array[$3::delivery_result])",
                     pqxx::params{row[0].as<std::string>(), row[1].as<std::string>(), result});
        }
    }
    CHECK(
        now.ask(
            "select count(*) filter (where state <> 'dead') from parked_message where subscription = 'p'") >=
        "60");
    CHECK(now.ask("select count(*) from parked_message where encode(payload_bytes, 'escape') like 'kept%' "
                  "and state <> "
                  "'dead'") == "60");

    CHECK(now.refused("select assert_fence('l', " + fence + ")") == "ON010");
    CHECK(now.ask("select renew_lease('l', " + fence + ", '1 hour') is null") == "t");
    CHECK(now.refused("select advance_operation('op', 'k', " + retaken +
                      ", 'a', 'b', null, '{}', '1 hour')") == "ON040");
}

TEST_CASE(
    "a pooler that leads back to the old primary gets no effect from a service that has seen the new one",
    "[faults][failover][pooler]") {
    failing_pair pair;
    for (auto const* const key : {"before", "callback", "statements"}) {
        ledger{pair.servers.dsn("one")}.open_account(key);
    }
    pair.fall_behind();
    pooler const between{{.host = pair.at_link()}, "transaction", 5, {"server_login_retry = 1"}};
    once::database db{between.dsn(), {.prepared_statements = false}};
    auto const lead_to = [&](std::string const& name) {
        pair.servers.point("link", name);
        between.command("RECONNECT shop");
    };
    auto const look = [&] {
        return once::transact(db, [](once::transaction& tx) { tx.exec("select 1"); }).committed();
    };
    CHECK(run_workload(db, form::callback, "before", {}).committed());
    ledger{pair.servers.dsn("two")}.value("select pg_promote(true, 60)");
    lead_to("two");
    CHECK(look()); // on a connection to the pooler that it had before

    lead_to("one");
    once::call_options const quick{.deadline = 1'500ms, .reply_timeout = 1s};
    auto const refused = [&](auto const& call) {
        std::string why;
        try {
            call();
        } catch (once::deadline_exceeded const& e) {
            why = e.what();
        }
        INFO(why);
        CHECK(why.find("timeline") != std::string::npos);
    };
    refused([&] { std::ignore = run_workload(db, form::callback, "callback", quick); });
    refused([&] { std::ignore = run_workload(db, form::statements, "statements", quick); });
    refused([&] {
        std::ignore = once::transact(
            db, [](once::transaction& tx) { tx.exec(insert_effect, pqxx::params{"callback"}); },
            quick.transaction());
    });
    CHECK(ledger{pair.servers.dsn("one")}.entry("callback").effects == 0);
    CHECK(ledger{pair.servers.dsn("one")}.entry("statements").effects == 0);

    lead_to("two");
    CHECK(look());
}
