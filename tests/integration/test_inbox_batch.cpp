// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/inbox.hpp>

#include "support/effects.hpp"
#include "support/seed.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/transaction>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;
using once::incoming;
using once::message_id;
using once::receipt;

namespace {

std::vector<incoming> messages(std::size_t count) {
    std::vector<incoming> made;
    for (std::size_t i = 0; i < count; ++i) {
        made.push_back({.id = message_id::random(), .fingerprint = once::fingerprint{std::to_string(i)}});
    }
    return made;
}

} // namespace

TEST_CASE("a batch is answered message by message, in its order", "[inbox]") {
    effects_database const server;
    once::inbox const inbox{"billing", {.retention = 24h}};
    pqxx::connection connection{server.dsn()};
    auto const now = std::chrono::system_clock::now();
    auto known = messages(2);
    {
        pqxx::work tx{connection};
        CHECK(inbox.receive_many(tx, known) == std::vector{receipt::fresh, receipt::fresh});
        tx.commit();
    }
    auto batch = messages(6);
    batch[1] = known[1];                                // seen
    batch[2] = known[0];                                // altered
    batch[2].fingerprint = once::fingerprint{"forged"}; //
    batch[3] = batch[0];                                // twice in the batch
    batch[4].sent_at = now - 25h;                       // too old
    batch[5].id = batch[0].id;                          // twice, with other bytes
    pqxx::work tx{connection};
    CHECK(inbox.receive_many(tx, batch) == std::vector{receipt::fresh, receipt::seen, receipt::altered,
                                                       receipt::seen, receipt::too_old, receipt::altered});
    CHECK(inbox.receive_many(tx, {}).empty());
    tx.commit();
    CHECK(server.ask("select count(*) from once.inbox") == "3");
    CHECK(server.ask("select sum(altered_times) from once.inbox_alarm") == "2");
}

TEST_CASE("the batch form and the single form answer alike", "[inbox]") {
    effects_database const server;
    std::mt19937_64 random{seed()};
    once::inbox const single{"single", {.retention = 24h}};
    once::inbox const many{"many", {.retention = 24h}};
    auto pool = messages(12);
    for (std::size_t i = 0; i < pool.size(); i += 3) { // some were sent before the inbox remembers
        pool[i].sent_at = std::chrono::system_clock::now() - std::chrono::hours{i % 2 == 0 ? 25 : 23};
    }
    pqxx::connection connection{server.dsn()};
    for (int round = 0; round < 30; ++round) {
        std::vector<incoming> batch;
        for (auto left = random() % 15; left > 0; --left) {
            auto one = pool[random() % pool.size()];
            auto const variation = random() % 4;
            if (variation == 0) {
                one.fingerprint = once::fingerprint{"other"};
            } else if (variation == 1) {
                one.fingerprint = once::no_fingerprint;
            }
            batch.push_back(std::move(one));
        }
        pqxx::work tx{connection};
        std::vector<receipt> expected;
        for (auto const& one : batch) {
            expected.push_back(single.receive(tx, one));
        }
        CHECK(many.receive_many(tx, batch) == expected);
        tx.commit();
    }
    CHECK(server.ask("select count(distinct s) from (select consumer, array_agg(row(message_id, fingerprint, "
                     "altered_times, altered_fingerprint) order by message_id)::text as s from once.inbox "
                     "group by consumer) as q") == "1");
}

TEST_CASE("the new ones of many ids come back in their order, each once", "[inbox]") {
    effects_database const server;
    once::inbox const inbox{"billing"};
    pqxx::connection connection{server.dsn()};
    auto const a = message_id::parse("ffffffff-0000-4000-8000-000000000000");
    auto const b = message_id::parse("00000000-0000-4000-8000-000000000001");
    auto const c = message_id::random();
    pqxx::work tx{connection};
    CHECK(inbox.new_ones(tx, std::vector{c}) == std::vector{c});
    CHECK(inbox.new_ones(tx, std::vector{a, c, b, a}) == std::vector{a, b});
    CHECK(inbox.new_ones(tx, std::vector{a, b, c}).empty());
    CHECK(inbox.new_ones(tx, {}).empty());
}

TEST_CASE("two batches of the same messages in other orders never wait in a circle", "[inbox]") {
    effects_database const server;
    once::inbox const inbox{"billing", {.wait = 60s}};
    std::mt19937_64 random{seed()};
    std::atomic<int> fresh = 0;
    std::atomic<int> altered = 0;
    for (int round = 0; round < 20; ++round) {
        auto batch = messages(50);
        if (round % 2 == 1) { // all of them altered: the alarms must not wait in a circle either
            pqxx::connection connection{server.dsn()};
            pqxx::work tx{connection};
            static_cast<void>(inbox.receive_many(tx, batch));
            tx.commit();
            for (auto& one : batch) {
                one.fingerprint = once::fingerprint{"other"};
            }
        }
        std::vector<std::thread> threads;
        std::array<std::string, 4> failures;
        for (int i = 0; i < 4; ++i) {
            std::ranges::shuffle(batch, random);
            threads.emplace_back([&, i, mine = batch] {
                try {
                    pqxx::connection connection{server.dsn()};
                    pqxx::work tx{connection};
                    auto const answers = inbox.receive_many(tx, mine);
                    tx.commit();
                    fresh += static_cast<int>(std::ranges::count(answers, receipt::fresh));
                    altered += static_cast<int>(std::ranges::count(answers, receipt::altered));
                } catch (std::exception const& e) {
                    failures[static_cast<std::size_t>(i)] = e.what();
                }
            });
        }
        for (auto& thread : threads) {
            thread.join();
        }
        REQUIRE(failures == std::array<std::string, 4>{});
    }
    CHECK(fresh == 10 * 50);
    CHECK(altered == 10 * 4 * 50);
    CHECK(server.ask("select sum(altered_times) from once.inbox_alarm") == "2000");
}

TEST_CASE("a batch with a message that is held is 55P03 after the wait", "[inbox]") {
    effects_database const server;
    once::inbox const inbox{"billing", {.wait = 20ms}};
    auto const batch = messages(3);
    pqxx::connection first{server.dsn()};
    pqxx::connection second{server.dsn()};
    pqxx::work holder{first};
    CHECK(inbox.receive(holder, batch[1]) == receipt::fresh);
    {
        pqxx::work tx{second};
        try {
            static_cast<void>(inbox.receive_many(tx, batch));
            FAIL("no error");
        } catch (pqxx::sql_error const& e) {
            CHECK(e.sqlstate() == "55P03");
        }
    }
    holder.commit();
    pqxx::work tx{second};
    CHECK(inbox.receive_many(tx, batch) == std::vector{receipt::fresh, receipt::seen, receipt::fresh});
}

TEST_CASE("a batch has a limit, and what is no batch is refused", "[inbox][bad input]") {
    effects_database const server;
    once::inbox const inbox{"billing"};
    pqxx::connection connection{server.dsn()};
    pqxx::work tx{connection};
    CHECK_THROWS_AS(inbox.receive_many(tx, messages(once::max_inbox_batch + 1)), once::invalid_argument);
    CHECK(std::ranges::count(inbox.receive_many(tx, messages(once::max_inbox_batch)), receipt::fresh) ==
          static_cast<int>(once::max_inbox_batch));
    std::vector<message_id> const too_many(once::max_inbox_batch + 1, message_id::random());
    CHECK_THROWS_AS(inbox.new_ones(tx, too_many), once::invalid_argument);

    for (std::string const arguments :
         {"'c', null", "'c', array[null]::uuid[]", "'c', array[gen_random_uuid(), null]",
          "'c', array[gen_random_uuid()], array[]::bytea[]",
          "'c', array[gen_random_uuid()], null, array[now(), now()]",
          "'c', (select array_agg(gen_random_uuid()) from generate_series(1, 10001))"}) {
        INFO(arguments);
        try {
            server.run("select once.receive_many(" + arguments + ")");
            FAIL("no error");
        } catch (pqxx::sql_error const& e) {
            CHECK(e.sqlstate() == "22023");
        }
    }
}
