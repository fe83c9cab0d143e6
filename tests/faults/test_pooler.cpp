// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// Through PgBouncer: what works, what works otherwise, what is refused. The table in docs/operations.md says the same.
#include <once/consumer.hpp>
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>
#include <once/lease.hpp>
#include <once/publish.hpp>
#include <once/subscription.hpp>

#include "support/child_process.hpp"
#include "support/effects.hpp"
#include "support/shell.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <pqxx/connection>
#include <pqxx/except>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <tuple>
#include <variant>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// PgBouncer in front of a test's database, in a folder of its own.
class pooler {
public:
    pooler(effects_database const& server, std::string const& mode, int pool_size,
           std::vector<std::string> const& settings = {}) {
        pqxx::connection direct{server.dsn()};
        // Its path stands in what libpq says about lost connections, and the word pooler is listened for.
        m_folder = fs::path{"/tmp"} / (server.name() + "_between");
        std::vector<std::string> command{std::string{ONCE_SOURCE_DIR} + "/tests/faults/run_pooler",
                                         m_folder.string(),
                                         mode,
                                         std::to_string(pool_size),
                                         direct.hostname(),
                                         direct.get_var("port")};
        command.insert(command.end(), settings.begin(), settings.end());
        m_process = std::make_unique<child_process>(command);
        m_dsn =
            "host=" + m_folder.string() + " port=6432 user=" + direct.username() + " dbname=" + server.name();
        bool const up = wait_until([&] { return m_process->ended() || lets_in(); });
        if (m_process->ended()) {
            auto const how = m_process->wait();
            if (WIFEXITED(how.status) && WEXITSTATUS(how.status) == 4) {
                SKIP("NO PGBOUNCER: tools/dev/dependencies --operations installs it");
            }
        }
        REQUIRE(up);
    }
    ~pooler() {
        m_process.reset();
        std::error_code ignored;
        fs::remove_all(m_folder, ignored);
    }
    pooler(pooler const&) = delete;
    pooler& operator=(pooler const&) = delete;
    [[nodiscard]] std::string const& dsn() const noexcept { return m_dsn; }
    /// What PgBouncer does with prepared statements in transaction mode.
    [[nodiscard]] static bool keeps_statements_apart() {
        auto const version = run_in_shell("PATH=$PATH:/usr/sbin pgbouncer --version | head -n 1").output;
        auto const at = version.find("1.");
        return at != std::string::npos && std::stoi(version.substr(at + 2)) >= 21;
    }

private:
    // The socket is there a moment before anybody listens at it.
    [[nodiscard]] bool lets_in() const {
        try {
            pqxx::connection const tried{m_dsn};
            return true;
        } catch (pqxx::broken_connection const&) {
            return false;
        }
    }

    fs::path m_folder;
    std::string m_dsn;
    std::unique_ptr<child_process> m_process;
};

/// What a database object says in its log.
class listener {
public:
    [[nodiscard]] std::function<void(std::string_view)> log() {
        return [this](std::string_view line) {
            std::lock_guard const lock{m_mutex};
            m_text.append(line).append("\n");
        };
    }
    [[nodiscard]] bool heard(std::string const& part) {
        std::lock_guard const lock{m_mutex};
        return m_text.find(part) != std::string::npos;
    }

private:
    std::mutex m_mutex;
    std::string m_text;
};

/// More clients than the server has sessions for them, so that each transaction can be on another session.
void check_requests(effects_database const& server, once::database& db) {
    constexpr int clients = 6;
    constexpr int each = 30;
    std::atomic<int> wrong = 0;
    std::mutex mutex;
    std::string why;
    {
        std::vector<std::jthread> running;
        for (int client = 0; client < clients; ++client) {
            running.emplace_back([&, client] {
                for (int n = 0; n < each; ++n) {
                    try {
                        // Pairs of clients have the same keys.
                        auto const key = std::to_string(client / 2) + "/" + std::to_string(n);
                        auto const once_more = [&] {
                            return n % 2 == 0
                                       ? once::execute(
                                             db, request_of(key),
                                             [](once::transaction& tx) {
                                                 add_effect(tx);
                                                 tx.publish({.topic = "t", .payload = once::body::text("p")});
                                                 return once::response{.body = once::body::text("a")};
                                             })
                                       : once::execute(db, request_of(key), {effect_statement()});
                        };
                        auto const first = once_more();
                        auto const second = once_more();
                        wrong += !second.replayed() || first.response() != second.response();
                    } catch (std::exception const& e) {
                        ++wrong;
                        std::lock_guard const lock{mutex};
                        why = e.what();
                    }
                }
            });
        }
    }
    INFO(why);
    CHECK(wrong == 0);
    CHECK(server.effects() == clients / 2 * each);
    CHECK(std::holds_alternative<once::lease>(once::acquire(db, "lease", 1min)));
}

once::subscription_options from_the_beginning() {
    once::subscription_options options;
    options.from = once::subscribe_from::beginning;
    return options;
}

/// A consumer that stays, messages that come while it waits, and one that is published through the pooler.
void check_messages(
    once::database& db, once::consumer_options const& options,
    std::function<bool()> const& waits = [] { return true; }) {
    std::atomic<std::size_t> handled = 0;
    once::consumer consumer{db, "s", [&](once::delivery const&, once::transaction&) { ++handled; }, options};
    std::jthread const running{[&](std::stop_token const& stop) { consumer.run(stop); }};
    REQUIRE(wait_until([&] { return handled >= 45; }));
    CHECK(wait_until([&] { return waits(); }));
    std::ignore = once::transact(
        db, [](once::transaction& tx) { tx.publish({.topic = "t", .payload = once::body::text("late")}); });
    CHECK(wait_until([&] { return handled == 46; }));
}

} // namespace

TEST_CASE("requests, messages and leases work through a pooler in transaction mode", "[faults][pooler]") {
    effects_database const server;
    pooler const between{server, "transaction", 3};
    listener ear;
    once::database db{between.dsn(), {.prepared_statements = false, .log = ear.log()}};
    std::ignore =
        once::transact(db, [](once::transaction& tx) { once::subscribe(tx, "s", from_the_beginning()); });
    check_requests(server, db);
    check_messages(db, {.reader = {.listen = false}});
    CHECK_FALSE(ear.heard("pooler"));
    // Nothing of a transaction stays on the server's sessions.
    pqxx::connection peer{between.dsn()};
    CHECK(ask(between.dsn(),
              "select string_agg(name, ' ') from pg_settings where source = 'session' and name not in "
              "('client_encoding', 'application_name', 'DateStyle', 'TimeZone', "
              "'standard_conforming_strings')") == "NULL");
    CHECK(ask(between.dsn(), "select count(*) from pg_prepared_statements") == "0");
    CHECK(ask(between.dsn(), "select count(*) from pg_listening_channels()") == "0");
}

TEST_CASE("prepared statements through a pooler that mixes them up are refused at the start",
          "[faults][pooler]") {
    if (pooler::keeps_statements_apart()) {
        effects_database const server;
        pooler const between{server, "transaction", 3, {"max_prepared_statements = 100"}};
        once::database db{between.dsn()};
        std::ignore =
            once::transact(db, [](once::transaction& tx) { once::subscribe(tx, "s", from_the_beginning()); });
        check_requests(server, db);
        return;
    }
    effects_database const server;
    pooler const between{server, "transaction", 3};
    once::database db{between.dsn()};
    std::string why;
    try {
        db.check();
    } catch (once::configuration_error const& e) {
        why = e.what();
    }
    INFO(why);
    CHECK(why.find("prepared_statements = false") != std::string::npos);
    CHECK(why.find("max_prepared_statements") != std::string::npos);
    CHECK_THROWS_AS(once::execute(db, request_of("k"), {effect_statement()}), once::configuration_error);
    CHECK(server.effects() == 0);
}

TEST_CASE("a reader that wants to be woken through a pooler says that it asks instead, and misses nothing",
          "[faults][pooler]") {
    auto const* const mode = GENERATE("transaction", "session");
    effects_database const server;
    pooler const between{server, mode, 12};
    listener ear;
    once::database db{between.dsn(), {.prepared_statements = false, .log = ear.log()}};
    std::ignore =
        once::transact(db, [](once::transaction& tx) { once::subscribe(tx, "s", from_the_beginning()); });
    for (int n = 0; n < 45; ++n) {
        std::ignore = once::transact(
            db, [](once::transaction& tx) { tx.publish({.topic = "t", .payload = once::body::text("p")}); });
    }
    // A sleep of this length would let the test fail.
    check_messages(db, {.reader = {.longest_sleep = 1min}},
                   [&] { return ear.heard("a pooler stands between"); });
}

TEST_CASE("everything works through a pooler in session mode, prepared statements, too", "[faults][pooler]") {
    effects_database const server;
    pooler const between{server, "session", 20};
    once::database db{between.dsn()};
    std::ignore =
        once::transact(db, [](once::transaction& tx) { once::subscribe(tx, "s", from_the_beginning()); });
    check_requests(server, db);
    check_messages(db, {});
}

TEST_CASE("without a pooler nobody is told about one, and readers sleep", "[faults][pooler]") {
    effects_database const server;
    listener ear;
    once::database db{server.dsn(), {.log = ear.log()}};
    std::ignore =
        once::transact(db, [](once::transaction& tx) { once::subscribe(tx, "s", from_the_beginning()); });
    check_requests(server, db);
    check_messages(db, {.reader = {.longest_sleep = 1min}});
    CHECK_FALSE(ear.heard("pooler"));
}
