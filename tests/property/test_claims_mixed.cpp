// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// Requests that are written once, claims by a row and claims on a transaction of the caller, on a few keys, at three
// isolation levels, while sessions are killed and records expire.
#include <once/claim.hpp>
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>

#include "support/effects.hpp"
#include "support/seed.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/result>
#include <pqxx/row>
#include <pqxx/transaction>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <variant>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

constexpr int keys = 6;
constexpr int callers = 5;
constexpr int calls_each = 60;

/// What the callers were told, and what was done to the records.
class told {
public:
    void answer(std::string const& key, std::string const& text) {
        std::lock_guard const lock{m_mutex};
        m_answers[key].insert(text);
    }
    void expired(std::string const& key) {
        std::lock_guard const lock{m_mutex};
        ++m_expired[key];
    }
    void count(std::string const& what) {
        std::lock_guard const lock{m_mutex};
        ++m_counts[what];
    }
    /// A call is over, or the last one was.
    void next_call() {
        ++m_calls;
        m_calls.notify_all();
    }
    [[nodiscard]] int calls() const { return m_calls; }
    /// Returns when more than `seen` calls are over.
    void wait_for_more_calls(int seen) const { m_calls.wait(seen); }
    [[nodiscard]] std::map<std::string, std::set<std::string>> const& answers() const { return m_answers; }
    [[nodiscard]] int expired_times(std::string const& key) const {
        auto const found = m_expired.find(key);
        return found == m_expired.end() ? 0 : found->second;
    }
    [[nodiscard]] std::string counts() const {
        std::string text;
        for (auto const& [what, times] : m_counts) {
            text += what + ' ' + std::to_string(times) + ", ";
        }
        return text;
    }

private:
    std::mutex m_mutex;
    std::atomic<int> m_calls = 0;
    std::map<std::string, std::set<std::string>> m_answers;
    std::map<std::string, int> m_expired;
    std::map<std::string, int> m_counts;
};

/// One caller: its calls, each in a form that chance chooses. Each effect is named by its key and a number of its own.
class caller {
public:
    caller(std::string dsn, told& book, std::uint64_t seed, int number)
        : m_dsn{std::move(dsn)},
          m_db{m_dsn, {.max_connections = 1}},
          m_book{book},
          m_random{seed},
          m_number{number} {}

    void run() {
        for (int n = 0; n < calls_each; ++n) {
            std::string const key{static_cast<char>('a' + chance(keys))};
            std::string const effect = key + ' ' + std::to_string(m_number) + ' ' + std::to_string(n);
            try {
                call(key, effect);
            } catch (once::deadline_exceeded const&) {
                m_book.count("deadline exceeded");
            } catch (std::exception const&) {
                m_book.count("failed");
            }
            m_book.next_call();
        }
    }

private:
    int chance(int below) { return std::uniform_int_distribution{0, below - 1}(m_random); }

    void call(std::string const& key, std::string const& effect) {
        constexpr std::array levels{once::isolation::read_committed, once::isolation::read_committed,
                                    once::isolation::repeatable_read, once::isolation::serializable};
        once::call_options const options{.isolation_level = levels.at(static_cast<std::size_t>(chance(4))),
                                         .wait = std::chrono::milliseconds{chance(3) * 200},
                                         .deadline = 8'000ms};
        switch (chance(3)) {
        case 0:
            note(key, once::execute(
                          m_db, request_of(key),
                          [&](once::transaction& tx) {
                              add_effect(tx, effect);
                              if (chance(8) == 0) {
                                  return once::response{.status = 409};
                              }
                              return once::response{.body = once::body::text(effect)};
                          },
                          options));
            return;
        case 1:
            note(key, once::execute(m_db, request_of(key), {effect_statement(effect)}, 200, options));
            return;
        default:
            borrowed(key, effect, options.isolation_level);
        }
    }

    // In the one-trip form the answer is the row of the effect; the name of the effect is in it.
    void note(std::string const& key, once::reply const& reply) {
        m_book.count(std::string{once::to_string(reply.outcome())});
        if (reply.committed() && reply.has_response()) {
            m_book.answer(key, reply.response().body.data());
        }
    }

    void borrowed(std::string const& key, std::string const& effect, once::isolation level) {
        pqxx::connection connection{m_dsn};
        pqxx::work tx{connection};
        if (level == once::isolation::serializable) {
            tx.exec("set transaction isolation level serializable");
        }
        auto const result = once::claim(tx, request_of(key), {.wait = 100ms});
        if (auto const* const started = std::get_if<once::started>(&result)) {
            add_effect(tx, effect);
            if (chance(4) == 0) {
                return; // rolled back
            }
            once::complete(tx, *started, once::response{.body = once::body::text(effect)});
            tx.commit();
            m_book.count("borrowed done");
            m_book.answer(key, effect);
        } else if (auto const* const replayed = std::get_if<once::replayed>(&result)) {
            m_book.count("borrowed replayed");
            m_book.answer(key, replayed->response->body.data());
        }
    }

    std::string m_dsn;
    once::database m_db;
    told& m_book;
    std::mt19937_64 m_random;
    int m_number;
};

/// Kills a session, or lets a record expire, now and then.
void disturb(effects_database const& server, told& book, std::uint64_t seed, std::atomic<bool> const& over) {
    std::mt19937_64 random{seed};
    pqxx::connection connection{server.dsn()};
    for (int seen = book.calls(); !over; seen = book.calls()) {
        pqxx::work tx{connection};
        if (random() % 3 == 0) {
            auto const killed =
                tx.exec("select pg_terminate_backend(pid) from pg_stat_activity where datname = "
                        "current_database() and pid <> pg_backend_pid() order by random() limit 1");
            if (!killed.empty()) {
                book.count("killed");
            }
        } else {
            std::string const key{static_cast<char>('a' + random() % keys)};
            auto const done =
                tx.exec("update once.idempotency_record set expires_at = clock_timestamp() - interval '1 s' "
                        "where key = '" +
                        key +
                        "' and expires_at > clock_timestamp() + interval '1 s' "
                        "and completed_at is not null");
            if (done.affected_rows() == 1) {
                book.expired(key);
                book.count("expired");
            }
        }
        tx.commit();
        book.wait_for_more_calls(seen);
    }
}

} // namespace

TEST_CASE(
    "claims of both kinds, with kills and expiry at three isolation levels, give each key one effect a life",
    "[property][record_once]") {
    effects_database const server;
    told book;
    std::mt19937_64 seeds{seed()};
    std::atomic<bool> over = false;
    std::thread disturber{[&, chosen = seeds()] { disturb(server, book, chosen, over); }};
    {
        std::vector<std::thread> threads;
        for (int i = 0; i < callers; ++i) {
            threads.emplace_back([&, i, chosen = seeds()] { caller{server.dsn(), book, chosen, i}.run(); });
        }
        for (auto& one : threads) {
            one.join();
        }
    }
    over = true;
    book.next_call();
    disturber.join();

    INFO(book.counts());
    std::printf("%s\n", book.counts().c_str());
    for (char name = 'a'; name < 'a' + keys; ++name) {
        std::string const key{name};
        auto const effects =
            std::stoi(server.ask("select count(*) from effect where what like '" + key + " %'"));
        INFO("key " << key << ": " << effects << " effects, expired " << book.expired_times(key) << " times");
        CHECK(effects <= book.expired_times(key) + 1);
        auto const found = book.answers().find(key);
        if (found != book.answers().end()) {
            for (auto const& answer : found->second) {
                INFO("the answer " << answer);
                CHECK(server.ask("select count(*) from effect where what = '" + answer + "' or '" + answer +
                                 "' like '%\"' || what || '\"%'") == "1");
            }
        }
        // The answer that stands belongs to an effect that stands.
        CHECK(server.ask("select count(*) from once.idempotency_record as r where key = '" + key +
                         "' and completed_at is not null and not exists (select from effect as e where "
                         "coalesce(response_json::text, convert_from(response_bytes, 'UTF8')) in (e.what, "
                         "e.what) or response_json::text like '%\"' || e.what || '\"%')") == "0");
    }
}
