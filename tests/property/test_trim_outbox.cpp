// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "support/database.hpp"
#include "support/readers.hpp"
#include "support/seed.hpp"
#include "support/storm.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <vector>

using namespace once::testing;

namespace {

constexpr long slot_size = 1L << 20;

/// As if so many messages had come that the next one is the last but `before` of its slot.
void go_to_border(session& db, int before = 5) {
    db.run("select setval('once.outbox_id_seq', ((last_value >> 20) + 1) * 1048576 + 1048575 - " +
           std::to_string(before) + ") from once.outbox_id_seq");
}

struct ring : test_database {
    session db{dsn()};

    ring() { db.run("select subscribe('s', p_from => 'beginning')"); }
    void publish(int count = 1) {
        db.run("select publish_many(array_agg('t.x'::text), p_json => array_agg('1'::json)) from "
               "generate_series(1, " +
               std::to_string(count) + ")");
    }
    int read_all() {
        int got = 0;
        for (auto some = next_batch(db, "s", 1000); some.size() > 0 || some.worth_saving;
             some = next_batch(db, "s", 1000)) {
            acknowledge(db, "s", some);
            got += some.size();
        }
        return got;
    }
    std::string trim(std::string const& what, std::string const& arguments = "'0'") {
        return db.ask("select " + what + " from trim_outbox(" + arguments + ")");
    }
    std::string rows() { return db.ask("select count(*) from outbox"); }
    long bytes() {
        return std::stol(db.ask("select sum(pg_total_relation_size(i.inhrelid)) from pg_inherits as i "
                                "where i.inhparent = 'once.outbox'::regclass"));
    }
};

} // namespace

TEST_CASE("trimming all the time, around the ring and again, takes nothing that a reader needs",
          "[outbox][trim]") {
    test_database const server;
    INFO("ONCE_SEED=" << seed());
    session db{server.dsn()};
    prepare_storm(db);
    db.run("select subscribe('one', p_from => 'beginning'), subscribe('sliced', p_from => 'beginning', "
           "p_slices => 2)");
    storm weather{server.dsn(), 8, seed()};
    auto const one = weather.add(right_reader("one", seed()));
    auto const slice_0 = weather.add(right_reader("sliced", seed() + 1, 0));
    auto const slice_1 = weather.add(right_reader("sliced", seed() + 2, 1));
    std::atomic<int> slots{0};
    std::atomic<int> messages{0};
    weather.add([&, tries = 0](session& mine) mutable {
        if (++tries % 3 == 0) {
            go_to_border(mine, 40);
        }
        try {
            auto const done = mine.rows("select slots, messages from once.trim_outbox('0', 25)");
            slots += done[0][0].as<int>();
            messages += done[0][1].as<int>();
        } catch (pqxx::sql_error const& e) {
            if (std::string{e.sqlstate()} != "55P03") {
                throw;
            }
        }
        return std::vector<delivery>{};
    });
    weather.blow(long_form() ? 50'000 : 2'000);
    weather.drain();
    auto const found = weather.judge(one);
    INFO(to_string(found) << "; slots emptied " << slots << ", messages deleted " << messages);
    CHECK(found.clean());
    CHECK(weather.delivered(slice_0) + weather.delivered(slice_1) == found.expected);
    CHECK(slots > 0);
    CHECK(messages > 0);
    CHECK(std::stol(db.ask("select last_value from outbox_id_seq")) > 9 * slot_size); // more than once around
}

TEST_CASE("a slot is emptied when everybody has passed it, and its file with it", "[outbox][trim]") {
    ring here;
    here.publish(5000);
    CHECK(here.trim("slots + messages", "'0', 1") == "0"); // not delivered
    go_to_border(here.db, 1);
    here.publish(2); // one in the last place, one in the next slot
    CHECK(here.trim("slots + messages", "'0', 1") == "0");
    here.read_all();
    CHECK(here.trim("slots + messages", "'1 hour', 1") == "0"); // too young
    CHECK(here.trim("slots", "'0', 1") == "2");
    CHECK(here.rows() == "1");
    CHECK(here.db.ask("select pg_relation_size('outbox_0') + pg_relation_size('outbox_1')") == "0");
    here.publish(3);
    CHECK(here.read_all() == 3);
}

TEST_CASE("a message that is committed between the look and the lock is not emptied away", "[outbox][trim]") {
    ring here;
    session late{here.dsn()};
    late.run("begin; select publish('t.x', 'late', '1')"); // its id and its place are old
    here.publish(10);
    go_to_border(here.db);
    here.publish(20);
    here.read_all();
    auto const seen = here.db.ask("select pg_current_snapshot()");
    REQUIRE(here.db.ask("select slot_is_passed(0, now() + interval '1 day', '" + seen + "')") == "t");
    auto const empty = "select empty_slot(0, '" + seen + "')";
    CHECK(here.db.ask(empty) == "f"); // the writer has it
    late.run("commit");
    CHECK(here.db.ask(empty) == "f"); // and now there is more than was looked at
    CHECK(here.read_all() == 1);
    CHECK(here.trim("slots", "'0', 1") == "2");
}

TEST_CASE("trimming deletes what it may and no more than it was told, in the order of the log",
          "[outbox][trim]") {
    ring here;
    here.publish(100);
    auto const some = next_batch(here.db, "s", 60);
    acknowledge(here.db, "s", some);
    CHECK(here.trim("messages", "'0', 25") == "25");
    CHECK(here.db.ask("select min(id) from outbox") == "26");
    CHECK(here.trim("messages", "'0', 25") == "25");
    CHECK(here.trim("messages", "'0', 25") == "10");
    CHECK(here.trim("messages", "'0', 25") == "0");
    CHECK(here.read_all() == 40);
    CHECK(here.trim("messages", "'1 hour'") == "0");
    CHECK(here.trim("messages") == "40");
    here.db.run("begin isolation level repeatable read");
    CHECK(here.db.refused("select trim_outbox()") == "25001");
    here.publish(1);
    here.db.run("select pause_subscription('s')");
    CHECK(here.trim("messages") == "0"); // paused ones keep theirs
}

TEST_CASE("messages half a ring behind go whatever their age, or the ring would never be emptied",
          "[outbox][trim]") {
    ring here;
    here.publish(10);
    for (int i = 0; i < 3; ++i) {
        go_to_border(here.db);
        here.publish(1);
    }
    here.read_all();
    CHECK(here.trim("slots", "'1 day'") == "0");
    go_to_border(here.db);
    here.publish(1);
    CHECK(here.trim("slots", "'1 day'") == "1");
    CHECK(here.rows() == "4");
    CHECK(here.read_all() == 1);
}

TEST_CASE("a subscription that stands still keeps its messages until it expires", "[outbox][trim]") {
    ring here;
    here.db.run("select subscribe('still', p_from => 'beginning', p_expire_after => '1 hour')");
    here.publish(10);
    go_to_border(here.db);
    here.publish(10);
    here.read_all();
    CHECK(here.trim("slots + messages + expired") == "0");
    CHECK(here.trim("expired", "'0', 10000, now() + interval '2 hours'") == "1");
    CHECK(here.db.ask("select state from subscription where name = 'still'") == "expired");
    CHECK(here.db.refused("select * from next_batch('still')") == "ON061");
    CHECK(here.rows() == "0");
    CHECK(here.db.ask("select resume_expired('still')") == "t");
    here.publish(1);
    CHECK(here.db.ask("select count(id) from next_batch('still')") == "1");
    CHECK(here.read_all() == 1);
}

TEST_CASE("a subscription that is being made keeps what it was promised, and nothing else",
          "[outbox][trim]") {
    ring here;
    here.publish(3);
    here.read_all();
    session late{here.dsn()};
    late.run("begin; select publish('t.x', 'late', '1')");
    CHECK(here.trim("messages", "'1 hour'") == "0"); // looks when nobody makes one
    session maker{here.dsn()};
    maker.run("begin; select subscribe('new')");
    late.run("commit");
    here.publish(2);
    CHECK(here.read_all() == 3);
    CHECK(here.trim("messages") == "3"); // what had been committed before
    CHECK(here.trim("messages") == "0");
    maker.run("commit");
    CHECK(here.trim("messages") == "0");
    CHECK(here.db.ask("select count(id) from next_batch('new')") == "3");
    here.db.run("select unsubscribe('new')");
    CHECK(here.trim("messages") == "3");
}

TEST_CASE("a subscription with a snapshot from before the outbox was trimmed is made anew",
          "[outbox][trim]") {
    ring here;
    session maker{here.dsn()};
    maker.run("begin isolation level repeatable read; select 1");
    here.publish(3);
    here.read_all();
    CHECK(here.trim("messages") == "3");
    CHECK(maker.refused("select subscribe('new')") == "40001");
    maker.run("rollback; begin isolation level repeatable read; select 1");
    here.publish(2);
    here.read_all();
    maker.run("select subscribe('new')");
    CHECK(here.trim("messages") == "0");
    maker.run("commit");
    CHECK(here.db.ask("select count(id) from next_batch('new')") == "2");
}

TEST_CASE("an old snapshot neither slows readers down nor keeps the outbox from being emptied",
          "[outbox][trim]") {
    ring here;
    auto const round = [&] {
        here.publish(long_form() ? 100'000 : 5'000);
        auto const start = std::chrono::steady_clock::now();
        here.read_all();
        auto const took = std::chrono::steady_clock::now() - start;
        go_to_border(here.db, 0);
        here.publish(2);
        here.read_all();
        CHECK(here.trim("slots", "'0', 1") != "0");
        return took;
    };
    auto fresh = round();
    for (int i = 0; i < 2; ++i) {
        fresh = std::min(fresh, round());
    }
    auto const size = here.bytes();
    session old{here.dsn()};
    old.run("begin isolation level repeatable read; select count(*) from pg_class");
    auto aged = std::chrono::steady_clock::duration::max();
    for (int i = 0; i < 10; ++i) {
        aged = std::min(aged, round());
    }
    INFO("a drain took " << fresh.count() << " ns, with an old snapshot " << aged.count());
    CHECK(aged < 3 * fresh); // the best of each; a queue with dead rows would be at ten times by now
    CHECK(here.bytes() <= size + (1L << 20));
}
