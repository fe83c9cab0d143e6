// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/repository.hpp>

#include "support/seed.hpp"
#include "support/shop.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/transaction>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <future>
#include <random>
#include <string>
#include <thread>
#include <variant>
#include <vector>

using once::testing::counter;
using once::testing::shop_database;
using once::testing::vote;

namespace {

/// Whether a backend waits for a lock.
bool somebody_waits(pqxx::connection& connection) {
    pqxx::work tx{connection};
    return tx.query_value<int>("select count(*) from pg_stat_activity "
                               "where datname = current_database() and wait_event_type = 'Lock'") > 0;
}

} // namespace

TEST_CASE("two users who vote 20 times in parallel leave one vote each", "[repository][races]") {
    shop_database const database;
    once::repository<vote> const votes{"shop.votes"};
    std::atomic<int> made = 0;
    std::atomic<int> failed = 0;
    constexpr int voters = 2;
    constexpr int times = 20;
    std::barrier start{std::ptrdiff_t{voters} * times};
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < voters * times; ++i) {
            threads.emplace_back([&, i] {
                try {
                    pqxx::connection connection{database.dsn()};
                    start.arrive_and_wait();
                    pqxx::work tx{connection};
                    auto const result = votes.insert(
                        tx, {.poll = 1, .voter = "voter" + std::to_string(i % voters), .choice = "yes"});
                    tx.commit();
                    made += result.inserted ? 1 : 0;
                } catch (std::exception const&) {
                    ++failed;
                    start.arrive_and_drop();
                }
            });
        }
    }
    pqxx::connection connection{database.dsn()};
    pqxx::work tx{connection};
    CHECK(failed == 0);
    CHECK(made == voters);
    CHECK(tx.query_value<int>("select count(*) from shop.votes") == voters);
}

TEST_CASE("an insert that waited for a rival reads the rival's row", "[repository][races]") {
    shop_database const database;
    once::repository<vote> const votes{"shop.votes"};
    pqxx::connection first{database.dsn()};
    pqxx::connection second{database.dsn()};
    pqxx::connection watcher{database.dsn()};
    pqxx::work winner{first};
    CHECK(votes.insert(winner, {.poll = 1, .voter = "alice", .choice = "yes"}).inserted);
    auto loser = std::async(std::launch::async, [&] {
        pqxx::work tx{second};
        return votes.insert(tx, {.poll = 1, .voter = "alice", .choice = "no"});
    });
    REQUIRE(once::testing::wait_until([&] { return somebody_waits(watcher); }));
    winner.commit();
    auto const result = loser.get();
    CHECK_FALSE(result.inserted);
    CHECK(result.row.choice == "yes");
}

TEST_CASE("an insert that waited for a rival who rolled back goes in", "[repository][races]") {
    shop_database const database;
    once::repository<vote> const votes{"shop.votes"};
    pqxx::connection first{database.dsn()};
    pqxx::connection second{database.dsn()};
    pqxx::connection watcher{database.dsn()};
    pqxx::work rival{first};
    CHECK(votes.insert(rival, {.poll = 1, .voter = "alice", .choice = "yes"}).inserted);
    auto waiting = std::async(std::launch::async, [&] {
        pqxx::work tx{second};
        return votes.insert(tx, {.poll = 1, .voter = "alice", .choice = "no"});
    });
    REQUIRE(once::testing::wait_until([&] { return somebody_waits(watcher); }));
    rival.abort();
    auto const result = waiting.get();
    CHECK(result.inserted);
    CHECK(result.row.choice == "no");
}

namespace {

template <class Transaction>
void lose_insert_race() {
    shop_database const database;
    once::repository<vote> const votes{"shop.votes"};
    pqxx::connection first{database.dsn()};
    pqxx::connection second{database.dsn()};
    Transaction late{second};
    late.exec("select 1 from shop.votes"); // takes its snapshot
    {
        pqxx::work winner{first};
        CHECK(votes.insert(winner, {.poll = 1, .voter = "alice", .choice = "yes"}).inserted);
        winner.commit();
    }
    CHECK_THROWS_AS(votes.insert(late, {.poll = 1, .voter = "alice", .choice = "no"}),
                    pqxx::serialization_failure);
}

template <class Transaction>
void lose_update_race() {
    shop_database const database;
    once::repository<counter> const counters{"shop.counters"};
    pqxx::connection first{database.dsn()};
    pqxx::connection second{database.dsn()};
    {
        pqxx::work tx{first};
        CHECK(counters.insert(tx, {.name = "a"}).inserted);
        tx.commit();
    }
    Transaction late{second};
    CHECK(counters.find(late, "a"));
    auto const increment = [](counter& row) { ++row.value; };
    {
        pqxx::work tx{first};
        CHECK(std::holds_alternative<once::modified<counter>>(counters.modify(tx, "a", increment)));
        tx.commit();
    }
    CHECK_THROWS_AS(counters.modify(late, "a", increment), pqxx::serialization_failure);
}

} // namespace

TEST_CASE("under repeatable read and serializable a lost insert is 40001", "[repository][races]") {
    lose_insert_race<pqxx::transaction<pqxx::isolation_level::repeatable_read>>();
    lose_insert_race<pqxx::transaction<pqxx::isolation_level::serializable>>();
}

TEST_CASE("under repeatable read and serializable a lost modify is 40001", "[repository][races]") {
    lose_update_race<pqxx::transaction<pqxx::isolation_level::repeatable_read>>();
    lose_update_race<pqxx::transaction<pqxx::isolation_level::serializable>>();
}

TEST_CASE("an update that waited for a rival is stale", "[repository][races]") {
    shop_database const database;
    once::repository<counter> const counters{"shop.counters"};
    pqxx::connection first{database.dsn()};
    pqxx::connection second{database.dsn()};
    pqxx::connection watcher{database.dsn()};
    counter row;
    {
        pqxx::work tx{first};
        row = counters.insert(tx, {.name = "a"}).row;
        tx.commit();
    }
    pqxx::work winner{first};
    auto theirs = row;
    theirs.value = 5;
    CHECK(std::holds_alternative<once::updated<counter>>(counters.update(winner, theirs)));
    auto loser = std::async(std::launch::async, [&] {
        pqxx::work tx{second};
        return counters.update(tx, row);
    });
    REQUIRE(once::testing::wait_until([&] { return somebody_waits(watcher); }));
    winner.commit();
    auto const result = loser.get();
    REQUIRE(std::holds_alternative<once::stale<counter>>(result));
    CHECK(std::get<once::stale<counter>>(result).current.value == 5);
}

TEST_CASE("two who add 1 a thousand times each make 2000", "[repository][races]") {
    shop_database const database;
    once::repository<counter> const counters{"shop.counters"};
    std::int64_t first = 0;
    {
        pqxx::connection connection{database.dsn()};
        pqxx::work tx{connection};
        first = counters.insert(tx, {.name = "a"}).row.version;
        tx.commit();
    }
    std::atomic<int> failed = 0;
    std::barrier start{2};
    auto const add = [&] {
        try {
            pqxx::connection connection{database.dsn()};
            start.arrive_and_wait();
            for (int i = 0; i < 1000; ++i) {
                pqxx::work tx{connection};
                auto const result = counters.modify(tx, "a", [](counter& row) { ++row.value; });
                if (!std::holds_alternative<once::modified<counter>>(result)) {
                    ++failed;
                }
                tx.commit();
            }
        } catch (std::exception const&) {
            ++failed;
            start.arrive_and_drop();
        }
    };
    {
        std::jthread const one{add};
        std::jthread const other{add};
    }
    pqxx::connection connection{database.dsn()};
    pqxx::work tx{connection};
    CHECK(failed == 0);
    auto const row = counters.find(tx, "a").value();
    CHECK(row.value == 2000);
    CHECK(row.version == first + 2000);
}

TEST_CASE("batches with the same keys in different orders do not deadlock", "[repository][races]") {
    shop_database const database;
    once::repository<vote> const votes{"shop.votes"};
    std::atomic<int> failed = 0;
    std::atomic<int> made = 0;
    constexpr int writers = 4;
    constexpr int rounds = 10;
    constexpr int size = 300;
    std::barrier start{writers};
    auto const seed = once::testing::seed();
    {
        std::vector<std::jthread> threads;
        for (int writer = 0; writer < writers; ++writer) {
            threads.emplace_back([&, writer] {
                std::mt19937_64 random{seed + static_cast<std::uint64_t>(writer)};
                try {
                    pqxx::connection connection{database.dsn()};
                    for (int round = 0; round < rounds; ++round) {
                        std::vector<vote> batch;
                        for (int i = 0; i < size; ++i) {
                            batch.push_back(
                                {.poll = round, .voter = "v" + std::to_string(i), .choice = "yes"});
                        }
                        std::ranges::shuffle(batch, random);
                        start.arrive_and_wait();
                        pqxx::work tx{connection};
                        auto const answers = votes.insert_many(tx, batch);
                        tx.commit();
                        for (std::size_t i = 0; i < batch.size(); ++i) {
                            made += answers[i].inserted ? 1 : 0;
                            failed += answers[i].row.voter == batch[i].voter ? 0 : 1;
                        }
                    }
                } catch (std::exception const&) {
                    ++failed;
                    start.arrive_and_drop();
                }
            });
        }
    }
    CHECK(failed == 0);
    CHECK(made == rounds * size);
}
