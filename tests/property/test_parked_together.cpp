// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "support/database.hpp"
#include "support/session.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <algorithm>
#include <string>

using namespace once::testing;

// Messages of one key that are handed out together.

namespace {

/// Messages 1 to `count` of one key, of which the first was tried once and the others wait.
void park_one_key(session& db, int count, std::string const& options = "") {
    db.run("select subscribe('s', p_from => 'beginning'" + options + ")");
    db.run("select publish('t.x', 'k', to_json(n)) from generate_series(1, " + std::to_string(count) +
           ") as n");
    auto const all = next_batch(db, "s", count);
    db.run("select acknowledge('s', 0, '" + all.token + "', " + std::to_string(count) + ", " +
           std::to_string(count) +
           ", array_agg(n), array_agg(case n when 1 then 'retry' else 'behind' end::park_verdict)) " +
           "from generate_series(1, " + std::to_string(count) + ") as n");
}

/// What is due within a day, as "1 2 3"; empty: nothing.
std::string take(session& db, int limit = 100) {
    return db.ask("select coalesce(string_agg(id::text, ' '), '') from take_parked('s', 0, " +
                  std::to_string(limit) + ", p_now => clock_timestamp() + interval '1 day')");
}

void settle(session& db, std::string const& ids, std::string const& results) {
    db.run("select settle_parked('s', 0, '{" + ids + "}', " +
           messages_parked_at("'{" + ids + "}'::bigint[]") + ", '{" + results + "}')");
}

/// What is due is this message alone, and it is delivered.
void deliver(session& db, std::string const& id) {
    CHECK(take(db) == id);
    settle(db, id, "accepted");
}

/// As "3 retrying 1, 4 waiting 0".
std::string parked_rows(session& db) {
    return db.ask(
        "select coalesce(string_agg(id || ' ' || state || ' ' || attempts || case when started_at is not "
        "null then ' on its way' else '' end, ', ' order by id), '') from parked_message");
}

} // namespace

TEST_CASE("once the failed message of a key is delivered, those behind it come together and in order",
          "[outbox][parked]") {
    test_database const server;
    session db{server.dsn()};
    park_one_key(db, 6);
    deliver(db, "1"); // it shows whether the key has recovered
    CHECK(take(db, 4) == "2 3 4 5");
    CHECK(parked_rows(db) == "2 retrying 1 on its way, 3 waiting 0 on its way, 4 waiting 0 on its way, 5 "
                             "waiting 0 on its way, 6 waiting 0");
    settle(db, "2,3,4,5", "accepted,accepted,accepted,accepted");
    CHECK(take(db) == "6");
}

TEST_CASE("a message that fails behind another one holds back those behind it, and costs them no attempt",
          "[outbox][parked]") {
    test_database const server;
    session db{server.dsn()};
    park_one_key(db, 5, ", p_max_attempts => 2");
    deliver(db, "1");
    CHECK(take(db) == "2 3 4 5");
    SECTION("it comes again") {
        settle(db, "2,3,4,5", "accepted,retry,unavailable,unavailable");
        CHECK(parked_rows(db) == "3 retrying 1, 4 waiting 0, 5 waiting 0");
        CHECK(take(db) == "3");
        settle(db, "3", "retry");
        CHECK(parked_rows(db) == "3 dead 2, 4 waiting 0, 5 waiting 0");
        CHECK(take(db).empty());
        CHECK(db.ask("select redrive('s')") == "1");
        CHECK(take(db) == "3 4 5");
    }
    SECTION("it was rejected, and is given up") {
        settle(db, "2,3,4,5", "accepted,rejected,unavailable,unavailable");
        CHECK(parked_rows(db) == "3 dead 1, 4 waiting 0, 5 waiting 0");
        CHECK(db.ask("select discard('s', message_id) from parked_message where id = 3") == "t");
        CHECK(take(db) == "4 5");
    }
    SECTION("the receiver was away") {
        settle(db, "2,3,4,5", "accepted,unavailable,unavailable,unavailable");
        CHECK(parked_rows(db) == "3 retrying 0, 4 waiting 0, 5 waiting 0");
        CHECK(take(db) == "3 4 5");
    }
    SECTION("the first of them was not sent") {
        settle(db, "2,3,4,5", "unavailable,unavailable,unavailable,unavailable");
        CHECK(parked_rows(db) == "2 retrying 0, 3 waiting 0, 4 waiting 0, 5 waiting 0");
    }
    SECTION("the first of them is given up while they are on their way") {
        CHECK(db.ask("select discard('s', message_id) from parked_message where id = 2") == "t");
        settle(db, "2,3,4,5", "accepted,retry,unavailable,unavailable");
        CHECK(parked_rows(db) == "3 retrying 1, 4 waiting 0, 5 waiting 0");
    }
}

TEST_CASE("a dead message that lets others pass does not stop those that come together", "[outbox][parked]") {
    test_database const server;
    session db{server.dsn()};
    auto const blocks = GENERATE(true, false);
    INFO("dead messages block: " << blocks);
    park_one_key(db, 5, blocks ? "" : ", p_dead_blocks_key => false");
    db.run("update parked_message set state = 'dead', attempts = 1 where id = 4");
    deliver(db, "1");
    CHECK(take(db) == (blocks ? "2 3" : "2 3 5"));
}

TEST_CASE("those that come together end in front of one that has failed before", "[outbox][parked]") {
    test_database const server;
    session db{server.dsn()};
    park_one_key(db, 4, ", p_dead_blocks_key => false");
    CHECK(take(db) == "1");
    settle(db, "1", "rejected"); // which lets the others pass
    CHECK(take(db) == "2 3 4");
    settle(db, "2,3,4", "retry,unavailable,unavailable");
    CHECK(db.ask("select redrive('s')") == "1");
    CHECK(parked_rows(db) == "1 retrying 0, 2 waiting 1, 3 waiting 0, 4 waiting 0");
    deliver(db, "1");
    deliver(db, "2");
    CHECK(take(db) == "3 4");
}

TEST_CASE("of messages that come together, only the one that kills its worker is blamed",
          "[outbox][parked]") {
    auto const attempts = GENERATE(1, 2, 3);
    INFO("attempts " << attempts);
    test_database const server;
    session db{server.dsn()};
    park_one_key(db, 9, ", p_max_attempts => 3");
    db.run("update subscription set max_attempts = " + std::to_string(attempts));
    std::string delivered;
    int deaths = 0;
    // The worker that gets message 5 dies when it comes to it.
    for (std::string ids = take(db); !ids.empty(); ids = take(db)) {
        if (ids.find('5') != std::string::npos) {
            REQUIRE(++deaths <= attempts + 1);
            continue;
        }
        delivered += ids + " ";
        std::ranges::replace(ids, ' ', ',');
        db.run("select settle_parked('s', 0, '{" + ids + "}', " +
               messages_parked_at("'{" + ids + "}'::bigint[]") +
               ", array_fill('accepted'::delivery_result, array[" +
               std::to_string(1 + std::ranges::count(ids, ',')) + "]))");
    }
    CHECK(delivered == "1 2 3 4 ");
    CHECK(parked_rows(db).starts_with("5 dead " + std::to_string(attempts) + ", 6 waiting 0"));
    CHECK(db.ask("select sum(attempts) from parked_message") == std::to_string(attempts)); // nobody else's
    db.run("select discard('s', message_id) from parked_message where id = 5");
    deliver(db, "6"); // it may have been the one: it comes alone
    deliver(db, "7");
    deliver(db, "8");
    CHECK(take(db) == "9");
}

TEST_CASE("a round with parked messages reads no more of them than it hands out, however many wait",
          "[outbox][parked]") {
    test_database const server;
    session db{server.dsn()};
    park_one_key(db, 20'000);
    deliver(db, "1");
    session reader{server.dsn()}; // whose reads are counted
    auto const touched = [&] {
        return reader.ask("select (seq_scan = 0 and idx_tup_fetch < 1000)::text || ' ' || seq_scan || ' ' || "
                          "idx_tup_fetch from pg_stat_xact_user_tables where relname = 'parked_message'");
    };
    auto const messages = db.ask(
        "select array_agg(message_id::uuid order by id) from parked_message where id between 2 and 101");
    reader.run("begin");
    CHECK(reader.ask("select count(*) from take_parked('s', 0, 100)") == "100");
    reader.run("select settle_parked('s', 0, array_agg(n), '" + messages +
               "', array_agg(case when n < 50 then 'accepted' when n = 50 then 'retry' else 'unavailable' "
               "end::delivery_result)) "
               "from generate_series(2, 101) as n");
    INFO(touched());
    CHECK(touched().starts_with("true"));
    reader.run("commit");
}
