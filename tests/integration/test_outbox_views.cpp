// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "support/database.hpp"
#include "support/session.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

struct inspected : test_database {
    session db{dsn()};

    void publish(int count, std::string const& topic = "t.x") {
        db.run("select publish_many(array_agg('" + topic +
               "'::text), array_agg('k' || n), array_agg('1'::json)) "
               "from generate_series(1, " +
               std::to_string(count) + ") as n");
    }
    std::string lag(std::string const& columns, std::string const& which) {
        return db.ask("select concat_ws(' '," + columns + ") from subscription_lag where " + which);
    }
};

} // namespace

TEST_CASE("the lag counts what waits, per slice and topic, and says when it estimates", "[outbox][views]") {
    inspected here;
    here.db.run(
        "select subscribe('all', p_from => 'beginning'), subscribe('some', array['wanted.*'], 'beginning'), "
        "subscribe('sliced', p_from => 'beginning', p_slices => 2)");
    CHECK(here.lag("messages, estimated, coalesce(waiting_since::text, 'none')", "subscription = 'all'") ==
          "0 f none");
    here.publish(300);
    here.publish(7, "wanted.x");
    here.db.run("begin; select publish('t.x', 'k', '1'); rollback");
    CHECK(here.lag("messages, estimated, seconds >= 0, needs_rebase", "subscription = 'all'") == "307 f t f");
    CHECK(here.lag("messages, estimated", "subscription = 'some'") == "7 f");
    CHECK(here.db.ask("select sum(messages) from subscription_lag where subscription = 'sliced'") == "307");

    // One that is late, behind the position.
    session late{here.dsn()};
    late.run("begin; select publish('t.x', 'late', '1')");
    here.publish(10);
    for (auto some = next_batch(here.db, "all", 100); some.size() > 0 || some.worth_saving;
         some = next_batch(here.db, "all", 100)) {
        acknowledge(here.db, "all", some);
    }
    CHECK(here.lag("messages", "subscription = 'all'") == "0");
    late.run("commit");
    CHECK(here.lag("messages, estimated", "subscription = 'all'") == "1 f");

    here.publish(5000);
    auto const many = std::stol(here.lag("messages", "subscription = 'all' and estimated"));
    CHECK(many >= 5001);
    CHECK(many <= 5020);
    here.db.run("update subscription set system_identifier = '1'");
    CHECK(here.lag("needs_rebase", "subscription = 'all'") == "t");
}

TEST_CASE("parked messages and blocked keys are shown with their reason", "[outbox][views]") {
    inspected here;
    here.db.run("select subscribe('s', p_from => 'beginning'), subscribe('passing', p_from => 'beginning', "
                "p_dead_blocks_key => false)");
    here.db.run("select publish('t.x', 'a', '1'), publish('t.x', 'a', '2'), publish('t.x', 'b', '3'), "
                "publish('t.x', null, '4')");
    for (auto const* name : {"s", "passing"}) {
        auto const some = next_batch(here.db, name, 10);
        here.db.run(
            "select acknowledge('" + std::string{name} + "', 0, '" + some.token +
            "', 4, 4, '{1,2,3,4}', '{dead,behind,retry,retry}', '{no such order,null,timeout,timeout}')");
    }
    auto const keys = std::string{
        "select string_agg(concat_ws(' ', key, id, state, behind, last_error), ', ' order by key) "
        "from blocked_key where subscription = '"};
    CHECK(here.db.ask(keys + "s'") == "a 1 dead 1 no such order, b 3 retrying 0 timeout");
    // Where dead messages let others pass, the next one of the key is retrying by now.
    CHECK(here.db.ask(keys + "passing'") == "a 2 retrying 0, b 3 retrying 0 timeout");
    CHECK(here.db.ask(
              "select string_agg(concat_ws(' ', state, messages, keys, newest_error), ', ' order by state) "
              "from parked_summary where subscription = 's'") ==
          "retrying 2 1 timeout, waiting 1 1, dead 1 1 no such order");
}

TEST_CASE("the oldest transaction is shown with whether it matters", "[outbox][views]") {
    inspected here;
    auto const mine = std::string{" from oldest_transaction where database = current_database()"};
    // Elsewhere on this server many are older, and must not hide them.
    empty_database const elsewhere;
    std::vector<std::unique_ptr<session>> crowd;
    for (int i = 0; i < 21; ++i) {
        crowd.push_back(std::make_unique<session>(elsewhere.dsn()));
        crowd.back()->rows("begin; select pg_current_xact_id()");
    }
    CHECK(here.db.ask("select count(*) from oldest_transaction where database <> current_database()") ==
          "20");
    session writer{here.dsn()};
    writer.run("set application_name = 'writer'; begin; select publish('t.x', 'k', '1')");
    session reader{here.dsn()};
    reader.run("set application_name = 'looker'; begin; select count(*) from outbox");
    session other{here.dsn()};
    other.run("set application_name = 'other'; begin; select 1");
    CHECK(here.db.ask(
              "select string_agg(concat_ws(' ', application_name, stages, uses_slot), ', ' order by since)" +
              mine) == "writer t t, looker f t, other f f");
    auto const name = "held_" + here.name();
    writer.run("prepare transaction '" + name + "'");
    CHECK(here.db.ask("select concat_ws(' ', stages, state, matters)" + mine + " and gid = '" + name + "'") ==
          "t prepared its own messages wait for its commit, no others");
    writer.run("rollback prepared '" + name + "'");
}

TEST_CASE("throughput and ring usage are shown", "[outbox][views]") {
    inspected here;
    here.db.run("select subscribe('s', p_from => 'beginning')");
    here.publish(100);
    acknowledge(here.db, "s", next_batch(here.db, "s", 60));
    acknowledge(here.db, "s", next_batch(here.db, "s", 60));
    CHECK(here.db.ask("select concat_ws(' ', sum(batches), sum(messages), max(readers)) from "
                      "subscription_throughput") == "2 100 1");
    here.db.run("select setval('outbox_id_seq', 1048576 * 8 - 1)");
    here.publish(3);
    auto const slot = [&](int number) {
        return here.db.ask("select concat_ws(' ', oldest_id, newest_id, is_written, is_full, is_lapped) from "
                           "ring_usage where slot = " +
                           std::to_string(number));
    };
    CHECK(slot(0) == "1 8388610 t f t");
    CHECK(slot(1) == "f f f");
    CHECK(here.db.ask("select count(*) from ring_usage where bytes > 0") == "8");
}

TEST_CASE("looking at the outbox does not scan it", "[outbox][views]") {
    inspected here;
    here.db.run("select subscribe('s', p_from => 'beginning'), subscribe('t', p_slices => 4)");
    here.publish(50'000);
    here.db.run("analyze outbox");
    auto const read = [&] {
        return std::stol(here.db.ask("select coalesce(sum(seq_tup_read + idx_tup_fetch), 0)::bigint "
                                     "from pg_stat_xact_user_tables where relname ~ '^outbox_[0-7]$'"));
    };
    here.db.run("begin");
    auto const before = read();
    for (auto const* view : {"subscription_lag", "parked_summary", "blocked_key", "subscription_throughput",
                             "oldest_transaction", "ring_usage"}) {
        here.db.run(std::string{"select * from "} + view);
    }
    CHECK(read() - before < 15'000); // 1000 or two for each of five slices
    here.db.run("select count(*) from outbox");
    CHECK(read() - before >= 50'000); // a scan would have been seen
}

TEST_CASE("who stages messages in another database is not to blame for a subscription of this one",
          "[outbox][views]") {
    // Copies of one template: the table has the same number in both.
    inspected here;
    inspected elsewhere;
    std::string const blamed =
        "select count(*) from explain_stall() where reason = 'an open transaction has staged messages'";
    session writer{elsewhere.dsn()};
    writer.run("begin; select publish('t.x', 'k', '1')");
    REQUIRE(wait_until([&] { return elsewhere.db.ask(blamed) == "1"; }, 60s));
    CHECK(here.db.ask(blamed) == "0");
    writer.run("rollback");
}
