// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>

#include "support/effects.hpp"
#include "support/refusal.hpp"
#include "support/session.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

using namespace once::testing;

namespace {

std::string what_starting_says(effects_database const& server) {
    try {
        once::database db{server.dsn()};
        once::transact(db, [](once::transaction&) {}).expect_committed();
        return "";
    } catch (once::schema_error const& e) {
        return e.what();
    }
}

// Also behind a window that was open.
int read_rest(session& db, std::string const& subscription) {
    int got = 0;
    for (int i = 0; i < 3; ++i) {
        auto const some = next_batch(db, subscription, 100);
        got += some.size();
        acknowledge(db, subscription, some);
    }
    return got;
}

} // namespace

TEST_CASE("a sequence that is behind its rows stops publishers and readers, and rebase loses nothing",
          "[copied]") {
    effects_database const server;
    session db{server.dsn()};
    db.run("select subscribe('s', p_from => 'beginning'); select subscribe('late', p_from => 'beginning')");
    for (int i = 0; i < 20; ++i) {
        db.run("select publish('t', 'k', '" + std::to_string(i) + "')");
    }
    acknowledge(db, "s", next_batch(db, "s", 100));
    CHECK(what_starting_says(server).empty());
    CHECK(db.ask("select count(*) from copied_apart()") == "0");

    session{server.dsn()}.run("select setval('outbox_id_seq', 1)");
    // A session that has published, one that has not, and one that was cleaned meanwhile.
    for (int which = 0; which < 3; ++which) {
        session other{server.dsn()};
        auto& writer = which == 1 ? other : db;
        if (which == 2) {
            db.run("reset all; set search_path = once");
        }
        CHECK(writer.refused("select publish('t', 'k', '1')") == "ON067");
        CHECK(writer.refused("select publish_many(array['t'], null, array['1']::json[])") == "ON067");
        CHECK(writer.refused(
                  "select schedule(now() - interval '1 minute', 't', 'k', '1'); select release_due()") ==
              "ON067");
    }
    CHECK(db.refused("select next_batch('s')") == "ON067");
    CHECK_THAT(what_starting_says(server), Catch::Matchers::ContainsSubstring("outbox_id_seq is behind") &&
                                               Catch::Matchers::ContainsSubstring("once.rebase()"));
    CHECK(db.ask("select fix from copied_apart()") == "select * from once.rebase()");
    CHECK(db.ask("select reason from explain_stall('s')") == "outbox_id_seq is behind the messages");

    db.run("select * from rebase()");
    CHECK(db.ask("select count(*) from copied_apart()") == "0");
    CHECK(what_starting_says(server).empty());
    db.run("select publish('t', 'k', '20')");
    CHECK(read_rest(db, "s") == 1);
    CHECK(read_rest(db, "late") == 21);
}

TEST_CASE("a sequence that is behind a reader's position is noticed also when the messages are gone",
          "[copied]") {
    effects_database const server;
    session db{server.dsn()};
    db.run("select subscribe('s', p_from => 'beginning')");
    for (int i = 0; i < 20; ++i) {
        db.run("select publish('t', 'k', '1')");
    }
    // A window's end becomes the next one's start.
    for (int i = 0; i < 3; ++i) {
        acknowledge(db, "s", next_batch(db, "s", 100));
    }
    db.run("select trim_outbox('0')");
    REQUIRE(db.ask("select count(*) from outbox") == "0");
    session{server.dsn()}.run("select setval('outbox_id_seq', 1)");
    CHECK(session{server.dsn()}.refused("select publish('t', 'k', '1')") == "ON067");
    CHECK(db.refused("select next_batch('s')") == "ON067");
    db.run("select * from rebase()");
    db.run("select publish('t', 'k', '1')");
    CHECK(read_rest(db, "s") == 1);
}

TEST_CASE(
    "a slice without its checkpoint is an error that names it, not a subscription that has nothing to do",
    "[copied]") {
    effects_database const server;
    session db{server.dsn()};
    db.run("select subscribe('s', p_slices => 2); select subscribe('t')");
    db.run("delete from checkpoint where subscription = 's' and slice = 1");
    CHECK(db.refused("select next_batch('s', 1)") == "ON067");
    CHECK(db.refused("select next_batch('s', 0)").empty());
    CHECK_THAT(db.ask("select what from copied_apart()"),
               Catch::Matchers::StartsWith("slice 1 of subscription s of service"));
    // What is printed runs.
    db.run(db.ask("select fix from copied_apart()"));
    CHECK(db.ask("select count(*) from copied_apart()") == "0");
    db.run("delete from lease_floor");
    CHECK(db.ask("select what from copied_apart()") == "lease_floor has no row");
}

// The look goes by what a session sees, and the sequence by what anybody does: in the wrong order that is an alarm.
TEST_CASE("writers on new sessions, all at the same time, raise no false alarm", "[copied]") {
    effects_database const server;
    std::atomic<int> refused{0};
    std::atomic<int> published{0};
    {
        std::vector<std::jthread> writers;
        for (int i = 0; i < 6; ++i) {
            writers.emplace_back([&] {
                for (int round = 0; round < 40; ++round) {
                    session mine{server.dsn()};
                    for (int n = 0; n < 5; ++n) {
                        mine.run("select set_config('once.place_' || 'once.outbox'::regclass::oid, '', "
                                 "false)"); // look anew
                        auto const state = mine.refused("select publish('t', null, '1')");
                        ++(state.empty() ? published : refused);
                    }
                }
            });
        }
    }
    CHECK(refused == 0);
    CHECK(published == 6 * 40 * 5);
}
