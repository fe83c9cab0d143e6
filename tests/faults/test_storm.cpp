// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>

#include "faults/fault_sweep.hpp"
#include "faults/ledger.hpp"
#include "faults/workload.hpp"
#include "support/seed.hpp"

#include <catch2/catch_test_macros.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

using clock = std::chrono::steady_clock;

constexpr int threads = 8;
constexpr std::uint64_t keys = 3'000;

struct storm_log {
    std::mutex mutex{};
    std::map<std::string, std::vector<std::string>> answers{}; // by key
    std::map<std::string, int> starts{};                       // certain ones, by key
    std::vector<std::string> errors{};
    std::atomic<int> operations = 0;
    std::atomic<int> terminations = 0;
    std::atomic<int> in_doubt = 0;
    std::atomic<int> unknown = 0;
    std::atomic<int> in_progress = 0;
    std::atomic<int> deadline_exceeded = 0;
};

void one_call(once::database& db, std::string const& key, form how, once::isolation level, storm_log& log) {
    ++log.operations;
    try {
        auto const reply = run_workload(db, how, key,
                                        {.isolation_level = level,
                                         .wait = 500ms,
                                         .deadline = 3s,
                                         .reply_timeout = 1s,
                                         .max_attempts = 1000});
        log.in_doubt += reply.was_in_doubt();
        log.unknown += reply.unknown();
        log.in_progress += reply.in_progress();
        if (reply.has_response()) {
            std::lock_guard const lock{log.mutex};
            log.answers[key].push_back(reply.response().body.data());
            log.starts[key] += reply.done();
        }
    } catch (once::deadline_exceeded const&) {
        ++log.deadline_exceeded;
    } catch (std::exception const& e) {
        std::lock_guard const lock{log.mutex};
        log.errors.emplace_back(e.what());
    }
}

void hammer(once::database& db, std::uint64_t seed, clock::time_point end, storm_log& log) {
    std::mt19937_64 random{seed};
    while (clock::now() < end) {
        auto const key = "key-" + std::to_string(random() % keys);
        auto const how = random() % 2 == 0 ? form::callback : form::statements;
        // Mostly the default level: conflicts would drown the terminations.
        constexpr std::array levels{once::isolation::read_committed, once::isolation::read_committed,
                                    once::isolation::repeatable_read, once::isolation::serializable};
        one_call(db, key, how, levels[random() % levels.size()], log);
    }
}

/// Ends a random session of the database every 50 ms.
void terminate_sessions(workload_database const& where, std::uint64_t seed, clock::time_point end,
                        storm_log& log) {
    std::mt19937_64 random{seed};
    ledger admin{where.admin_dsn()};
    std::mutex mutex;
    std::unique_lock lock{mutex};
    std::condition_variable never;
    for (auto next = clock::now(); next < end; next += 50ms) {
        never.wait_until(lock, next, [] { return false; }); // a pace, not a wait for something
        auto const pick = std::to_string(random() % 1000);
        log.terminations +=
            admin.value("select pg_terminate_backend(pid) from (select pid, row_number() over (order by pid) "
                        "- 1 as n, "
                        "count(*) over () as all_of_them from pg_stat_activity where datname = '" +
                        where.name() + "' and application_name = 'once') as s where n = " + pick +
                        " % all_of_them") == "t";
    }
}

} // namespace

TEST_CASE("a storm of requests and terminated sessions leaves one effect and one answer for each key",
          "[faults][storm]") {
    workload_database const where;
    ledger book{where.dsn()};
    book.value("insert into account (key) select 'key-' || n from generate_series(0, " +
               std::to_string(keys - 1) + ") as n");
    once::database db{where.dsn(), {.max_connections = threads}};
    std::printf("storm: ONCE_SEED=%s\n", std::to_string(seed()).c_str());

    storm_log log;
    auto const end = clock::now() + (take_long() ? 60s : 8s);
    std::vector<std::thread> running;
    for (unsigned i = 0; i < threads; ++i) {
        running.emplace_back([&, i] { hammer(db, seed() + i, end, log); });
    }
    terminate_sessions(where, seed() + threads, end, log);
    for (auto& thread : running) {
        thread.join();
    }

    std::string complaints;
    int effects = 0;
    for (std::uint64_t i = 0; i < keys; ++i) {
        auto const key = "key-" + std::to_string(i);
        auto const entry = book.entry(key);
        effects += entry.effects;
        auto const& answers = log.answers[key];
        if (entry.effects > 1 || entry.balance != entry.effects ||
            (entry.effects == 1) != !entry.stored.empty() || (!answers.empty() && entry.effects != 1)) {
            complaints += key + ": " + std::to_string(entry.effects) + " effects, balance " +
                          std::to_string(entry.balance) + ", stored: " + entry.stored + '\n';
        }
        if (log.starts[key] > 1) {
            complaints += key + ": " + std::to_string(log.starts[key]) + " calls did the work\n";
        }
        for (auto const& answer : answers) {
            if (answer != entry.stored) {
                complaints.append(key)
                    .append(": an answer was ")
                    .append(answer)
                    .append(" but stored is ")
                    .append(entry.stored)
                    .append("\n");
            }
        }
    }
    for (auto const& error : log.errors) {
        complaints += "a call threw: " + error + '\n';
    }
    std::printf("storm: %d operations, %d terminations, %d effects, %d in doubt, %d unknown, %d in progress, "
                "%d deadlines exceeded\n",
                log.operations.load(), log.terminations.load(), effects, log.in_doubt.load(),
                log.unknown.load(), log.in_progress.load(), log.deadline_exceeded.load());
    CHECK(complaints == "");
    CHECK(log.terminations > 50);
    CHECK(effects > 100);
}
