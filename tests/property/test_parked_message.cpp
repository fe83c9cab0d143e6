// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// More than 400 lines: the model of parked messages and the steps that are compared with it belong together.
#include "support/database.hpp"
#include "support/seed.hpp"
#include "support/session.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <algorithm>
#include <future>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace once::testing;

namespace {

constexpr int max_attempts = 3;

/// What the database should say about a parked message, kept by rules of our own.
struct parked {
    std::string key;
    int attempts{};
    bool dead{};
};

/// Random use of one subscription, compared with a model after each step.
class machine {
public:
    machine(std::string const& dsn, bool dead_blocks, std::uint64_t seed)
        : m_db{dsn}, m_dead_blocks{dead_blocks}, m_random{seed} {
        m_db.run("select subscribe('s', p_from => 'beginning', p_max_attempts => " +
                 std::to_string(max_attempts) + ", p_dead_blocks_key => " + (dead_blocks ? "true" : "false") +
                 ")");
    }

    void step() {
        switch (roll(8)) {
        case 0:
        case 1:
            publish(1 + roll(6));
            break;
        case 2:
        case 3:
            read(roll(8) == 0);
            break;
        case 4:
        case 5:
            retry();
            break;
        case 6:
            roll(3) == 0 ? redrive_all() : redrive_one();
            break;
        default:
            discard();
            break;
        }
        compare();
    }

    /// From now on everything is accepted: nothing may stay behind.
    void finish() {
        m_kind = true;
        for (int idle = 0; idle < 3;) {
            auto const before = m_delivered.size();
            redrive_all(); // the last attempt of some had begun
            read(false);
            retry();
            compare();
            idle = m_delivered.size() == before ? idle + 1 : 0;
        }
        CHECK(m_db.ask("select count(*) from parked_message") == "0");
        CHECK(m_delivered.size() + m_discarded.size() == m_published);
    }

    [[nodiscard]] std::size_t deaths() const { return m_deaths; }
    /// Messages that were handed out behind another one.
    [[nodiscard]] std::size_t together() const { return m_together; }

private:
    int roll(int sides) { return std::uniform_int_distribution<int>{0, sides - 1}(m_random); }

    void publish(int count) {
        for (int i = 0; i < count; ++i) {
            auto const key = roll(6) == 0 ? "null" : "'k" + std::to_string(roll(4)) + "'";
            m_db.run("select publish('t.x', " + key + ", '{}')");
            ++m_published;
        }
    }

    [[nodiscard]] bool key_blocked(std::string const& key) const {
        return !key.empty() && std::any_of(m_parked.begin(), m_parked.end(), [&](auto const& each) {
            return each.second.key == key && (m_dead_blocks || !each.second.dead);
        });
    }

    void deliver(long id, std::string const& key) {
        INFO("message " << id << " of " << key);
        CHECK(m_delivered.insert(id).second); // once
        CHECK(!m_discarded.contains(id));
        // In order; only what was dead already, and let others pass, comes later.
        if (!key.empty() && !m_passed.contains(id)) {
            CHECK(id > m_newest[key]);
            m_newest[key] = id;
        }
    }

    /// A batch: delivered, failed, rejected, or behind one that did. `crash`: the worker ends, its successor suspects
    /// all.
    void read(bool crash) {
        auto const found = next_batch(m_db, "s", 1 + roll(6));
        std::string ids;
        std::string as;
        for (int i = 0; i < found.size(); ++i) {
            auto const id = found.rows[i][0].as<long>();
            auto const key = found.rows[i][2].as<std::string>("");
            auto const blocked_before = found.rows[i][4].as<bool>();
            std::string parked_as;
            if (key_blocked(key)) {
                parked_as = "behind";
            } else if (m_kind) {
                CHECK(!blocked_before);
            } else if (crash) {
                parked_as = "suspect";
            } else if (roll(3) == 0) {
                parked_as = roll(3) == 0 ? "dead" : "retry";
            }
            if (parked_as.empty()) {
                deliver(id, key);
                continue;
            }
            m_parked[id] = {key, parked_as == "behind" ? 0 : 1, parked_as == "dead"};
            if (parked_as == "suspect") {
                m_started.insert(id);
            }
            ids += (ids.empty() ? "" : ",") + std::to_string(id);
            as += (as.empty() ? "" : ",") + parked_as;
            if (parked_as == "dead") {
                died(id);
            }
        }
        if (found.size() > 0) {
            auto const last = found.rows[found.size() - 1][0].as<std::string>();
            m_db.run("select acknowledge('s', 0, '" + found.token + "', " + last + ", null, '{" + ids +
                     "}', '{" + as + "}')");
        } else if (found.worth_saving) {
            acknowledge(m_db, "s", found); // the window is done; the next one is wider
        }
    }

    void died(long id) {
        ++m_deaths;
        if (!m_dead_blocks) {
            m_passed.insert(id);
        }
    }

    /// Handed out together with `head`: those behind it that were never tried, without a gap.
    [[nodiscard]] std::set<long> run_of(long head) const {
        std::set<long> run{head};
        auto const& first = m_parked.at(head);
        if (first.key.empty() || first.attempts > 0 || m_started.contains(head)) {
            return run;
        }
        for (auto each = m_parked.upper_bound(head); each != m_parked.end(); ++each) {
            auto const& [id, what] = *each;
            if (what.key != first.key || (what.dead && !m_dead_blocks)) {
                continue;
            }
            if (what.dead || what.attempts > 0 || m_started.contains(id)) {
                break;
            }
            run.insert(id);
        }
        return run;
    }

    void retry() {
        m_hours += !m_kind && roll(4) == 0 ? 0 : 1; // the longest pause is shorter
        auto const now = "clock_timestamp() + interval '" + std::to_string(m_hours) + " hours'";
        auto const due =
            m_db.ask("select count(*) from parked_message where next_attempt_at <= " + now) != "0";
        auto const limit = 1 + roll(9);
        auto const most_keys = 1 + roll(5);
        auto const taken =
            m_db.rows("select id, key, attempts from take_parked('s', 0, " + std::to_string(limit) + ", " +
                      std::to_string(most_keys) + ", p_now => " + now + ")");
        settle_ended();
        CHECK(taken.size() <= limit);
        std::string ids;
        std::string results;
        std::map<std::string, std::set<long>> runs; // what may come of a key, in order
        int heads = 0;
        for (auto const& row : taken) {
            auto const id = row[0].as<long>();
            auto const key = row[1].as<std::string>("");
            auto& mine = m_parked.at(id);
            INFO("taken: " << id << " of " << key);
            CHECK((!m_started.contains(id) || taken.size() == 1)); // a suspect is alone
            CHECK(!mine.dead);
            if (auto const run = runs.find(key); run != runs.end() && !key.empty()) {
                CHECK(row[2].as<int>() == 0); // nothing is counted for it yet
                REQUIRE(!run->second.empty());
                CHECK(*run->second.begin() == id);
                run->second.erase(run->second.begin());
                m_together += 1;
                ids += "," + std::to_string(id);
                continue;
            }
            ++heads;
            auto run = run_of(id);
            run.erase(id);
            runs[key] = std::move(run);
            CHECK(row[2].as<int>() == ++mine.attempts);
            CHECK((mine.attempts < max_attempts || taken.size() == 1)); // the last attempt is alone
            for (auto const& [other, what] : m_parked) {
                auto const before =
                    other < id && what.key == key && !key.empty() && (m_dead_blocks || !what.dead);
                CHECK((!before || m_passed.contains(other) || m_passed.contains(id)));
            }
            ids += (ids.empty() ? "" : ",") + std::to_string(id);
        }
        for (auto const& row : taken) {
            m_started.insert(row[0].as<long>());
        }
        CHECK(heads <= most_keys);
        CHECK((!due || !taken.empty() || m_ended));
        if (taken.empty() || (!m_kind && roll(5) == 0)) {
            return; // the worker ends
        }
        std::set<std::string> failed;
        for (auto const& row : taken) {
            auto const id = row[0].as<long>();
            auto& mine = m_parked.at(id);
            static char const* const all[] = {"accepted", "retry", "rejected", "unavailable"};
            auto const* const result = all[m_kind                      ? 0
                                           : failed.contains(mine.key) ? 3
                                                                       : std::max(0, roll(7) - 3)];
            if (result != all[0] && !mine.key.empty()) {
                failed.insert(mine.key);
            }
            results += (results.empty() ? "" : ",") + std::string{result};
            m_started.erase(id);
            if (result == all[0]) {
                deliver(id, mine.key);
                m_parked.erase(id);
            } else if (result == all[3]) {
                mine.attempts = std::max(mine.attempts - 1, 0);
            } else {
                mine.attempts = std::max(mine.attempts, 1);
                if (result == all[2] || mine.attempts >= max_attempts) {
                    mine.dead = true;
                    died(id);
                }
            }
        }
        m_db.run("select settle_parked('s', 0, '{" + ids + "}', " +
                 messages_parked_at("'{" + ids + "}'::bigint[]") + ", '{" + results + "}', null, null, " +
                 now + ")");
    }

    /// take_parked() says which of those that had begun are dead now: they had begun, and had no attempt left.
    void settle_ended() {
        m_ended = false;
        for (auto const& row : m_db.rows("select id from parked_message where state = 'dead'")) {
            auto const id = row[0].as<long>();
            auto& mine = m_parked.at(id);
            if (!mine.dead) {
                CHECK(m_started.erase(id) == 1);
                CHECK(mine.attempts == max_attempts);
                mine.dead = true;
                m_ended = true;
                died(id);
            }
        }
    }

    void revive(long id) {
        m_parked.at(id).dead = false;
        m_parked.at(id).attempts = 0;
    }
    void redrive_all() {
        auto dead = 0;
        for (auto const& [id, what] : m_parked) {
            dead += what.dead ? 1 : 0;
        }
        CHECK(m_db.ask("select redrive('s')") == std::to_string(dead));
        for (auto& each : m_parked) {
            if (each.second.dead) {
                revive(each.first);
            }
        }
    }
    std::string some_parked() {
        return m_db.ask("select id from parked_message order by md5(id::text || '" +
                        std::to_string(roll(1000)) + "') limit 1");
    }
    void redrive_one() {
        if (auto const id = some_parked(); !id.empty()) {
            auto const dead = m_parked.at(std::stol(id)).dead;
            CHECK(m_db.ask("select redrive('s', message_id) from parked_message where id = " + id) ==
                  (dead ? "1" : "0"));
            if (dead) {
                revive(std::stol(id));
            }
        }
    }
    void discard() {
        if (auto const id = some_parked(); !id.empty() && roll(2) == 0) {
            CHECK(m_db.ask("select discard('s', message_id) from parked_message where id = " + id) == "t");
            m_parked.erase(std::stol(id));
            m_started.erase(std::stol(id));
            m_discarded.insert(std::stol(id));
        }
    }

    void compare() {
        std::map<std::string, std::string> first;
        std::size_t seen = 0;
        for (auto const& row : m_db.rows(
                 "select id, key, state, attempts, started_at is not null from parked_message order by id")) {
            auto const id = row[0].as<long>();
            auto const key = row[1].as<std::string>("");
            auto const state = row[2].as<std::string>();
            INFO("parked: " << id << " of " << key << ", " << state);
            REQUIRE(m_parked.contains(id));
            CHECK(row[3].as<int>() == m_parked.at(id).attempts);
            CHECK((state == "dead") == m_parked.at(id).dead);
            ++seen;
            if (key.empty()) {
                CHECK(state != "waiting");
            } else if (state != "dead" || m_dead_blocks) {
                // The first of a key is never left waiting, and the others wait, unless they were on their way.
                auto const is_first = first.emplace(key, state).second;
                CHECK((!is_first || state != "waiting"));
                CHECK((is_first || state == "waiting" || state == "dead" || row[4].as<bool>()));
            }
        }
        CHECK(seen == m_parked.size());
    }

    session m_db;
    bool m_dead_blocks;
    std::mt19937_64 m_random;
    bool m_kind{false};
    bool m_ended{false};
    int m_hours{0};
    std::size_t m_published{0};
    std::size_t m_deaths{0};
    std::size_t m_together{0};
    std::map<long, parked> m_parked;
    std::set<long> m_started; ///< taken and not reported
    std::set<long> m_delivered;
    std::set<long> m_discarded;
    std::set<long> m_passed; ///< died where that lets others pass
    std::map<std::string, long> m_newest;
};

} // namespace

TEST_CASE("parked messages follow the model: once, in order of the key, dead ones block or are passed",
          "[outbox][parked]") {
    auto const dead_blocks = GENERATE(true, false);
    INFO("ONCE_SEED=" << seed() << ", dead messages block: " << dead_blocks);
    std::size_t deaths = 0;
    std::size_t together = 0;
    for (std::uint64_t run = 0; run < (long_form() ? 40U : 3U); ++run) {
        INFO("run " << run);
        test_database const server;
        machine it{server.dsn(), dead_blocks, seed() + run};
        for (int i = 0; i < 150; ++i) {
            INFO("step " << i);
            it.step();
        }
        it.finish();
        deaths += it.deaths();
        together += it.together();
    }
    CHECK(deaths > 0);
    CHECK(together > 0);
}

TEST_CASE("a message that is parked behind one which is discarded at that moment does not wait for ever",
          "[outbox][parked]") {
    test_database const server;
    session db{server.dsn()};
    session watch{server.dsn()};
    db.run("select subscribe('s', p_from => 'beginning')");
    db.run("select publish('t.x', 'k', '1'), publish('t.x', 'k', '2')");
    auto const first = next_batch(db, "s", 1);
    db.run("select acknowledge('s', 0, '" + first.token + "', 1, 1, '{1}', '{dead}')");
    auto const second = next_batch(db, "s", 1);
    REQUIRE(second.rows[0][4].as<bool>()); // blocked
    db.run("begin; select acknowledge('s', 0, '" + second.token + "', 2, 1, '{2}', '{behind}')");
    auto discarded = std::async(std::launch::async, [&] {
        return session{server.dsn()}.ask(
            "select once.discard('s', message_id) from once.parked_message where id = 1 /* waits */");
    });
    CHECK(wait_until([&] {
        return watch.ask("select count(*) from pg_stat_activity where datname = current_database() "
                         "and wait_event_type = 'Lock' and query like '%/* waits */'") == "1";
    }));
    db.run("commit");
    CHECK(discarded.get() == "t");
    CHECK(db.ask("select string_agg(id || ' ' || state, ',') from parked_message") == "2 retrying");
}

TEST_CASE("a batch that ends its worker kills nobody who is innocent", "[outbox][parked]") {
    auto const attempts = GENERATE(1, 2, 3);
    INFO("attempts " << attempts);
    test_database const server;
    session db{server.dsn()};
    db.run("select subscribe('s', p_from => 'beginning', p_max_attempts => " + std::to_string(attempts) +
           ")");
    db.run("select publish('t.x', null, to_json(n)) from generate_series(1, 5) as n");
    auto const all = next_batch(db, "s", 5);
    db.run("select acknowledge('s', 0, '" + all.token +
           "', 5, 5, '{1,2,3,4,5}', '{suspect,suspect,suspect,suspect,suspect}')");
    // The worker that gets message 3 dies.
    for (int i = 0; i < 100; ++i) {
        auto const taken =
            db.rows("select id from take_parked('s', 0, 100, p_now => clock_timestamp() + interval '1 day')");
        std::string ids;
        for (auto const& row : taken) {
            ids += (ids.empty() ? "" : ",") + row[0].as<std::string>();
        }
        if (ids.find('3') == std::string::npos && !ids.empty()) {
            db.run("select settle_parked('s', 0, '{" + ids + "}', " +
                   messages_parked_at("'{" + ids + "}'::bigint[]") +
                   ", array_fill('accepted'::delivery_result, array[" + std::to_string(taken.size()) + "]))");
        }
    }
    CHECK(db.ask("select string_agg(id || ' ' || state || ' ' || attempts, ',') from parked_message") ==
          "3 dead " + std::to_string(attempts));
}

TEST_CASE("what was handed out can be reported while the subscription is paused", "[outbox][parked]") {
    test_database const server;
    session db{server.dsn()};
    db.run("select subscribe('s', p_from => 'beginning'); select publish('t.x', 'k', '1'), publish('t.x', "
           "'l', '1')");
    auto const some = next_batch(db, "s", 5);
    db.run("select acknowledge('s', 0, '" + some.token + "', 1, 1, '{1}', '{suspect}')");
    db.run("select take_parked('s')");
    auto const rest = next_batch(db, "s", 5);
    db.run("select pause_subscription('s')");
    db.run("select settle_parked('s', 0, '{1}', " + messages_parked_at("'{1}'::bigint[]") +
           ", '{accepted}')");
    db.run("select acknowledge('s', 0, '" + rest.token + "', 2, 1, '{2}', '{retry}')");
    CHECK(db.refused("select take_parked('s')") == "ON061");
    CHECK(db.refused("select * from next_batch('s')") == "ON061");
    CHECK(db.ask("select string_agg(id::text, ' ') from parked_message") == "2");
}
