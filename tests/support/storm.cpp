// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "storm.hpp"

#include "support/wait_until.hpp"

#include <pqxx/except>

#include <deque>
#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <utility>

namespace once::testing {

namespace {

constexpr int keys = 16;

struct plan {
    std::string sql; ///< of one transaction, with its end
    int messages;    ///< that it stages when it commits
    bool prepared;
};

using dice = std::mt19937_64;

int roll(dice& random, int sides) {
    return std::uniform_int_distribution<int>{0, sides - 1}(random);
}

std::string stage(dice& random) {
    // One in eight has no key.
    return roll(random, 8) == 0 ? "select stage(null);"
                                : "select stage(" + std::to_string(roll(random, keys)) + ");";
}

std::string sleep(dice& random) {
    return "select pg_sleep(" + std::to_string(0.0005 * roll(random, 12)) + ");";
}

/// One transaction; `name` is for PREPARE TRANSACTION.
plan next_transaction(dice& random, std::string const& name) {
    std::string sql = "begin;";
    int messages = 1 + roll(random, 4);
    switch (roll(random, 10)) {
    case 0: // an id before others, messages after them
    case 1:
        return {sql + "select pg_current_xact_id();" + sleep(random) + stage(random) + stage(random) +
                    "commit",
                2, false};
    case 2: // a place in the log long before the commit
        return {sql + stage(random) + sleep(random) + stage(random) + "commit", 2, false};
    case 3:
        return {sql + "savepoint a;" + stage(random) + "rollback to a;" + stage(random) + "savepoint b;" +
                    stage(random) + "release b; commit",
                2, false};
    case 4:
        return {sql + stage(random) + stage(random) + "rollback", 0, false};
    case 5:
        if (roll(random, 4) == 0) {
            return {sql + "set local once.wake_readers = off;" + stage(random) + "prepare transaction '" +
                        name + "'",
                    1, true};
        }
        [[fallthrough]];
    default:
        for (int i = 0; i < messages; ++i) {
            sql += stage(random); // keys in any order: some of these meet
        }
        return {sql + (roll(random, 4) == 0 ? sleep(random) : "") + "commit", messages, false};
    }
}

} // namespace

std::string to_string(verdict const& found) {
    return "of " + std::to_string(found.expected) + " lost " + std::to_string(found.lost) + ", phantom " +
           std::to_string(found.phantom) + ", repeated " + std::to_string(found.repeated) +
           ", out of order " + std::to_string(found.disorder);
}

void prepare_storm(session& db) {
    db.run(R"sql(
        create schema proof;
        create table key_state (key integer primary key, seq bigint not null default 0) with (fillfactor = 20);
        insert into key_state select generate_series(0, 99);
        create table committed (message_id uuid not null, key text, seq bigint);
        -- The row lock makes an order of the messages of a key, and seq writes it down.
        create function stage(p_key integer) returns void language plpgsql as $$
        declare
            v_seq bigint;
        begin
            update key_state set seq = seq + 1 where key = p_key returning seq into v_seq;
            insert into committed
            values (once.publish('proof.staged', 'k' || p_key, json_build_object('seq', coalesce(v_seq, 0))),
                'k' || p_key, v_seq);
        end $$)sql");
}

storm::storm(std::string dsn, int writers, std::uint64_t seed)
    : m_dsn{std::move(dsn)}, m_writers{writers}, m_seed{seed} {}

storm::~storm() {
    for (auto const& each : m_readings) {
        each->thread.request_stop();
    }
}

std::size_t storm::add(reader read) {
    auto& mine = *m_readings.emplace_back(std::make_unique<reading>());
    mine.thread = std::jthread{[this, &mine, read = std::move(read)](std::stop_token const& stop) {
        try {
            session db{m_dsn};
            while (!stop.stop_requested()) {
                auto const some = read(db);
                std::lock_guard const hold{mine.guard};
                mine.got.insert(mine.got.end(), some.begin(), some.end());
                mine.idle = some.empty() ? mine.idle + 1 : 0;
            }
        } catch (...) {
            std::lock_guard const hold{mine.guard};
            mine.failure = std::current_exception();
        }
    }};
    return m_readings.size() - 1;
}

void storm::write(std::stop_token const& stop, std::uint64_t seed, int number) {
    dice random{seed};
    session db{m_dsn};
    db.run("set deadlock_timeout = '20ms'; set lock_timeout = '200ms'");
    std::deque<std::pair<std::string, int>> undecided;
    auto const decide = [&] {
        auto const [name, messages] = undecided.front();
        undecided.pop_front();
        auto const keep = roll(random, 3) != 0;
        db.run((keep ? "commit prepared '" : "rollback prepared '") + name + "'");
        m_committed += keep ? messages : 0;
    };
    for (int i = 0; !stop.stop_requested(); ++i) {
        auto const name =
            "p" + std::to_string(number) + "_" + std::to_string(i) + "_" + std::to_string(random());
        auto const next = next_transaction(random, name);
        try {
            db.run(next.sql);
            if (next.prepared) {
                undecided.emplace_back(name, next.messages);
            } else {
                m_committed += next.messages;
            }
        } catch (pqxx::sql_error const& e) {
            auto const state = std::string{e.sqlstate()};
            db.run("rollback");
            // Deadlock, lock timeout, too many prepared ones.
            if (state != "40P01" && state != "55P03" && state != "53400" && state != "53200") {
                throw;
            }
        }
        if (!undecided.empty() && roll(random, 3) == 0) {
            decide();
        }
    }
    while (!undecided.empty()) {
        decide();
    }
}

void storm::blow(long messages) {
    auto const goal = m_committed + messages;
    std::mutex guard;
    std::exception_ptr failure;
    std::vector<std::jthread> writers;
    for (int i = 0; i < m_writers; ++i) {
        writers.emplace_back([&, number = i, seed = m_seed++](std::stop_token const& stop) {
            try {
                write(stop, seed, number);
            } catch (...) {
                std::lock_guard const hold{guard};
                failure = std::current_exception();
            }
        });
    }
    auto const failed = [&] {
        std::lock_guard const hold{guard};
        return failure != nullptr;
    };
    auto const blown = wait_until([&] { return m_committed >= goal || failed(); }, std::chrono::minutes{20});
    writers.clear();
    if (failure) {
        std::rethrow_exception(failure);
    }
    if (!blown) {
        throw std::runtime_error{"the writers do not get on"};
    }
}

void storm::drain() {
    for (auto const& each : m_readings) {
        std::lock_guard const hold{each->guard};
        each->idle = 0;
    }
    for (auto const& each : m_readings) {
        auto const done = wait_until(
            [&] {
                std::lock_guard const hold{each->guard};
                if (each->failure) {
                    std::rethrow_exception(each->failure);
                }
                return each->idle >= 3;
            },
            std::chrono::minutes{5});
        if (!done) {
            throw std::runtime_error{"a reader does not come to an end"};
        }
    }
}

long storm::delivered(std::size_t reader_number) {
    auto& mine = *m_readings.at(reader_number);
    std::lock_guard const hold{mine.guard};
    if (mine.failure) {
        std::rethrow_exception(mine.failure);
    }
    return static_cast<long>(mine.got.size());
}

verdict storm::judge(std::size_t reader_number) {
    session db{m_dsn};
    std::set<std::string> missing;
    for (auto const& row : db.rows("select message_id from committed")) {
        missing.insert(row[0].as<std::string>());
    }
    verdict found{.expected = static_cast<long>(missing.size())};
    auto const all = missing;
    auto& mine = *m_readings.at(reader_number);
    std::lock_guard const hold{mine.guard};
    std::map<std::string, long> newest;
    for (auto const& each : mine.got) {
        if (!all.contains(each.message_id)) {
            ++found.phantom;
        } else if (missing.erase(each.message_id) == 0) {
            ++found.repeated;
        }
        if (!each.key.empty()) {
            found.disorder += each.seq < newest[each.key] ? 1 : 0;
            newest[each.key] = std::max(newest[each.key], each.seq);
        }
    }
    found.lost = static_cast<long>(missing.size());
    return found;
}

} // namespace once::testing
