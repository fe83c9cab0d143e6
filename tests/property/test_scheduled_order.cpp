// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "support/database.hpp"
#include "support/seed.hpp"
#include "support/session.hpp"

#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace once::testing;

namespace {

/// Schedules messages that are due already, in a random order; the payload says the place that each is due at.
void schedule_some(session& db, int keys, int messages) {
    db.run(
        "select count(schedule(now() - interval '1 hour' + n * interval '1 millisecond', 't.x', 'k' || n % " +
        std::to_string(keys) + ", n::text::json)) from (select n from generate_series(1, " +
        std::to_string(messages) + ") as n order by hashint4(n + " +
        std::to_string(static_cast<int>(seed() % 1000)) + ")) as m");
}

std::string out_of_order(session& db) {
    return db.ask(
        "select count(*) from (select payload_json::text::integer as n, "
        "lag(payload_json::text::integer) over (partition by key order by id) as before from outbox) as o "
        "where n < before");
}

} // namespace

TEST_CASE("messages that are due are released in due order for each key, however many readers do it",
          "[outbox][scheduled]") {
    test_database const server;
    INFO("ONCE_SEED=" << seed());
    session db{server.dsn()};
    int const messages = long_form() ? 20'000 : 6'000;
    schedule_some(db, 50, messages);
    std::atomic<int> left{messages};
    std::vector<std::jthread> readers;
    for (int i = 0; i < 4; ++i) {
        readers.emplace_back([&, i] {
            std::mt19937_64 random{seed() + static_cast<unsigned>(i)};
            session mine{server.dsn()};
            while (left > 0) {
                mine.run("begin");
                auto const limit = std::to_string(1 + random() % 300);
                auto const released = std::stoi(mine.ask("select released from release_due(" + limit + ")"));
                // One that is slow, and one that dies.
                if (random() % 4 == 0) {
                    mine.run("select pg_sleep(0.002)");
                }
                bool const dies = random() % 10 == 0;
                mine.run(dies ? "rollback" : "commit");
                left -= dies ? 0 : released;
            }
        });
    }
    readers.clear();
    CHECK(db.ask("select count(*) from scheduled_message") == "0");
    CHECK(db.ask("select count(*) from outbox") == std::to_string(messages));
    CHECK(out_of_order(db) == "0");
}

TEST_CASE("what one transaction holds of a key holds back the key, and no other key, service or reader",
          "[outbox][scheduled]") {
    test_database const server;
    session db{server.dsn()};
    session holder{server.dsn()};
    auto const schedule = [&](std::string const& key, int place) {
        return db.ask("select schedule(now() - interval '1 hour' + interval '1 second' * " +
                      std::to_string(place) + ", 't.x', '" + key + "', '" + std::to_string(place) + "')");
    };
    auto const first = schedule("a", 1);
    schedule("a", 2);
    schedule("b", 3);
    schedule("a", 4);
    db.run("insert into scheduled_message (service, message_id, due_at, topic, key, payload_json) "
           "values ('another', gen_random_uuid(), now() - interval '1 minute', 't.x', 'a', '5')");
    holder.run("begin; select cancel_scheduled('" + first + "')");
    CHECK(db.ask("select released from release_due()") == "2");
    CHECK(db.ask("select string_agg(payload_json::text, ' ' order by id) from outbox") == "3 5");
    // It looks again soon, not at once.
    auto const again =
        db.rows("select released, (extract(epoch from next_due_in) * 1000)::bigint from release_due()");
    CHECK(again[0][0].as<int>() == 0);
    CHECK(again[0][1].as<int>() > 0);
    holder.run("rollback");
    CHECK(db.ask("select released from release_due()") == "3");
    CHECK(db.ask("select string_agg(payload_json::text, ' ' order by id) from outbox where key = 'a' and "
                 "service <> 'another'") == "1 2 4");
    CHECK(db.refused("select release_due(0)") == "22023");
    CHECK(db.refused("select release_due(10001)") == "22023");
}

TEST_CASE("messages that are due at one time are released in the order in which they were scheduled, over "
          "any limit",
          "[outbox][scheduled]") {
    test_database const server;
    session db{server.dsn()};
    db.run("do $$ begin for n in 1 .. 500 loop perform schedule('2026-01-01', 't.x', 'k', n::text::json); "
           "end loop; end $$");
    while (db.ask("select released from release_due(7)") != "0") {
    }
    CHECK(db.ask("select count(*) from outbox") == "500");
    CHECK(out_of_order(db) == "0");
}
