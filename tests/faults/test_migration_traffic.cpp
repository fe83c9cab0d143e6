// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// Migrations go in and out while services are at work. No request may fail; how long one was held up is printed.
#include <once/consumer.hpp>
#include <once/database.hpp>
#include <once/execute.hpp>
#include <once/publish.hpp>
#include <once/subscription.hpp>

#include "support/effects.hpp"
#include "support/login_role.hpp"
#include "support/migrations_folder.hpp"
#include "support/seed.hpp"
#include "support/session.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <mutex>
#include <random>
#include <stop_token>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

using clock = std::chrono::steady_clock;
using milliseconds = std::chrono::milliseconds;

/// What all workers came to. Any thread.
class observer {
public:
    void done(clock::duration took) {
        ++m_requests;
        auto longest = m_longest.load();
        while (took.count() > longest && !m_longest.compare_exchange_weak(longest, took.count())) {
        }
    }
    void failed(std::string const& why) {
        std::lock_guard const lock{m_mutex};
        m_failures.push_back(why);
    }
    [[nodiscard]] long requests() const { return m_requests; }
    /// The longest request since the last call.
    [[nodiscard]] milliseconds take_longest() {
        return std::chrono::duration_cast<milliseconds>(clock::duration{m_longest.exchange(0)});
    }
    [[nodiscard]] std::string failures() const {
        std::lock_guard const lock{m_mutex};
        std::string text =
            m_failures.empty() ? "" : std::to_string(m_failures.size()) + " failures, the first: ";
        return m_failures.empty() ? text : text + m_failures.front();
    }
    /// Until `more` further requests are through, or one has failed.
    void await_requests(long more) {
        auto const enough = m_requests + more;
        REQUIRE(wait_until([&] { return m_requests >= enough || !failures().empty(); }, 60s));
    }

private:
    std::atomic<long> m_requests = 0;
    std::atomic<clock::rep> m_longest = 0;
    mutable std::mutex m_mutex;
    std::vector<std::string> m_failures;
};

/// A service that makes one request after the other, until it is stopped or one fails.
class worker {
public:
    worker(observer& watch, std::function<void(int)> request)
        : m_thread{[&watch, request = std::move(request)](std::stop_token const& stop) {
              for (int n = 0; !stop.stop_requested(); ++n) {
                  auto const begin = clock::now();
                  try {
                      request(n);
                  } catch (std::exception const& e) {
                      watch.failed(e.what());
                      return;
                  }
                  watch.done(clock::now() - begin);
              }
          }} {}

private:
    std::jthread m_thread;
};

/// What services can call when so many files are in: plain SQL, since the library wants all of them.
class traffic_by_hand {
public:
    traffic_by_hand(std::string dsn, observer& watch) : m_dsn{std::move(dsn)}, m_watch{watch} {}

    void migrated_to(int version) {
        if (version == 3) {
            start([](session& db, int n) { request(db, n, ""); });
        } else if (version == 8) {
            start([](session& db, int n) {
                request(db, n, "select once.publish('orders.placed', 'k', '{}')");
            });
        } else if (version == 12) {
            run(m_dsn, "select once.subscribe('s', p_from => 'beginning')");
            start([](session& db, int) { acknowledge(db, "s", next_batch(db, "s", 100)); });
        }
    }

private:
    static void request(session& db, int n, std::string const& further) {
        auto const key = "'scope', '" + std::to_string(n) + " of ' || pg_backend_pid()";
        db.run("begin");
        if (auto const outcome = db.ask("select outcome from once.claim(" + key + ")");
            outcome != "started") {
            throw std::runtime_error{"a new key was answered " + outcome};
        }
        db.run("insert into public.effect (what) values ('written')");
        if (!further.empty()) {
            db.run(further);
        }
        db.run("select once.complete(" + key + ", 201, null, 'application/json', '{}', null)");
        db.run("commit");
    }

    void start(std::function<void(session&, int)> what) {
        auto const db = std::make_shared<session>(m_dsn);
        m_workers.push_back(
            std::make_unique<worker>(m_watch, [db, what = std::move(what)](int n) { what(*db, n); }));
    }

    std::string m_dsn;
    observer& m_watch;
    std::vector<std::unique_ptr<worker>> m_workers;
};

void report(char const* what, milliseconds migration, milliseconds longest) {
    std::printf("%-28s took %5lld ms; longest request meanwhile %5lld ms\n", what,
                static_cast<long long>(migration.count()), static_cast<long long>(longest.count()));
}

/// Applies a step between requests, and while some are on their way.
void apply_under_traffic(std::string const& dsn, std::string const& name, observer& watch) {
    std::ignore = watch.take_longest();
    auto const begin = clock::now();
    auto const done = apply_with_psql(dsn, "once", name);
    auto const took = std::chrono::duration_cast<milliseconds>(clock::now() - begin);
    INFO(name << ": " << done.output);
    REQUIRE(done.status == 0);
    report(name.c_str(), took, watch.take_longest());
}

/// Services with the library, on a schema that is complete.
class traffic_by_library {
public:
    traffic_by_library(effects_database const& server, std::string const& dsn, observer& watch)
        : m_db{dsn, {.max_connections = 4}} {
        once::subscription_options options;
        options.from = once::subscribe_from::beginning;
        std::ignore = once::transact(m_db, [&](once::transaction& tx) { once::subscribe(tx, "s", options); });
        server.run("create table handled (id uuid primary key)");
        server.run("grant insert on handled to public");
        m_workers.push_back(std::make_unique<worker>(watch, [this](int n) {
            expect_started(
                once::execute(m_db, request_of("c" + std::to_string(n)), [](once::transaction& tx) {
                    add_effect(tx);
                    tx.publish({.topic = "t", .key = "k", .payload = once::body::text("p")});
                    return once::response{.status = 201, .body = once::body::text("a")};
                }));
        }));
        m_workers.push_back(std::make_unique<worker>(watch, [this](int n) {
            expect_started(once::execute(m_db, request_of("s" + std::to_string(n)), {effect_statement()}));
        }));
        m_consumer =
            std::make_unique<once::consumer>(m_db, "s", [](once::delivery const& d, once::transaction& tx) {
                tx.exec("insert into handled values ('" + d.id.to_string() + "')");
            });
        m_workers.push_back(std::make_unique<worker>(watch, [this](int) {
            auto const did = m_consumer->run_once();
            m_handled += did.handled;
            if (did.retried + did.rejected + did.behind != 0) {
                throw std::runtime_error{"a message failed"};
            }
        }));
    }
    [[nodiscard]] long started() const { return m_started; }

    /// Everything that was published is handled.
    void finish(effects_database const& server) {
        m_workers.clear();
        while (m_consumer->run_once().handled > 0) {
        }
        CHECK(server.effects() == m_started);
        CHECK(server.ask("select count(*) from handled") ==
              server.ask("select count(*) from once.idempotency_record where key like 'c%'"));
    }

private:
    void expect_started(once::reply const& reply) {
        if (!reply.done()) {
            throw std::runtime_error{"a new key was not started"};
        }
        ++m_started;
    }

    once::database m_db;
    std::atomic<long> m_started = 0;
    std::atomic<std::size_t> m_handled = 0;
    std::unique_ptr<once::consumer> m_consumer;
    std::vector<std::unique_ptr<worker>> m_workers;
};

} // namespace

TEST_CASE("each migration goes in while what is there already is in use, and no request fails",
          "[faults][migrations]") {
    empty_database const server;
    run(server.dsn(), "create schema once");
    run(server.dsn(), "create table public.effect (id bigint generated always as identity, what text)");
    observer watch;
    {
        traffic_by_hand traffic{server.dsn(), watch};
        auto const files = migration_names(".up.sql");
        for (std::size_t i = 0; i < files.size(); ++i) {
            if (i >= 3) {
                watch.await_requests(20);
            }
            apply_under_traffic(server.dsn(), files[i], watch);
            traffic.migrated_to(static_cast<int>(i) + 1);
            REQUIRE(watch.failures() == "");
        }
        // And out again, as far as nothing that the requests use goes with it.
        auto down = migration_names(".down.sql");
        std::ranges::reverse(down);
        for (auto const& name : down) {
            if (name < "0013") {
                break;
            }
            watch.await_requests(20);
            apply_under_traffic(server.dsn(), name, watch);
            REQUIRE(watch.failures() == "");
        }
    }
    CHECK(watch.failures() == "");
    CHECK(ask(server.dsn(), "select count(*) from public.effect") ==
          ask(server.dsn(), "select count(*) from once.idempotency_record where completed_at is not null"));
    std::printf("%ld requests\n", watch.requests());
}

TEST_CASE(
    "the step after the newest one goes in and out under the library's own traffic, and no request fails",
    "[faults][migrations]") {
    std::printf("migration under traffic: ONCE_SEED=%s\n", std::to_string(seed()).c_str());
    std::mt19937_64 random{seed()};
    effects_database const server;
    login_role const service{server, "service"};
    service.grant_use();
    server.run("grant insert, select on effect to " + service.name());
    observer watch;
    traffic_by_library traffic{server, service.dsn(), watch};
    milliseconds longest{0};
    int steps = 0;
    int given_up = 0;

    auto const step = [&](bool in, bool in_the_way) {
        watch.await_requests(20);
        std::ignore = watch.take_longest();
        auto const migrate = [&] { return in ? apply_next(server.dsn()) : take_back_next(server.dsn()); };
        if (in_the_way) {
            // A transaction that has claimed and goes on and on: the migration gives up, and requests go on behind it.
            session holder{server.dsn()};
            holder.run("begin");
            holder.run("select once.claim('holder', 'k')");
            auto const refused = migrate();
            INFO(refused.output);
            CHECK(refused.status != 0);
            CHECK(refused.output.find("lock timeout") != std::string::npos);
            holder.run("rollback");
            ++given_up;
        }
        auto const begin = clock::now();
        // Under a storm of short transactions it may have to be repeated, as its head says.
        REQUIRE(wait_until([&] { return migrate().status == 0 || !watch.failures().empty(); }, 60s));
        auto const took = std::chrono::duration_cast<milliseconds>(clock::now() - begin);
        auto const held_up = watch.take_longest();
        report(in_the_way ? (in ? "next up, after giving up" : "next down, after giving up")
                          : (in ? "next up" : "next down"),
               took, held_up);
        longest = std::max(longest, held_up);
        ++steps;
        CHECK(watch.failures() == "");
    };
    auto const end = clock::now() + (long_form() ? 60s : 4s);
    do {
        step(true, steps == 0 || random() % 8 == 0);
        step(false, random() % 8 == 0);
    } while (clock::now() < end && watch.failures().empty());
    watch.await_requests(20);
    traffic.finish(server);
    CHECK(watch.failures() == "");
    std::printf("%d steps, %d that gave up, %ld requests; longest request %lld ms\n", steps, given_up,
                watch.requests(), static_cast<long long>(longest.count()));
}
