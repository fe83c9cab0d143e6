// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/consumer.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>
#include <once/operation_worker.hpp>
#include <once/publish.hpp>
#include <once/relay.hpp>

#include "operations.hpp"
#include "support/effects.hpp"
#include "support/scripted_publisher.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <pqxx/except>

#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <new>
#include <stdexcept>
#include <thread>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

/// A message that waits for two subscriptions, and an operation that was left behind.
class worker_database : public operations_database {
public:
    worker_database() {
        std::ignore = once::transact(db, [&](once::transaction& tx) {
            for (auto const* const name : {"relay", "consumer"}) {
                CHECK(once::subscribe(tx, name,
                                      {.from = once::subscribe_from::beginning, .backoff_base = 1ms}));
            }
        });
        run("create function public.fail() returns trigger language plpgsql as $$ begin "
            "raise exception 'as the test wants it' using errcode = tg_argv[0]; end $$");
    }

    void publish() {
        std::ignore = once::transact(db, [&](once::transaction& tx) {
            tx.publish({.topic = "t", .key = "k", .payload = once::body::text("1")});
        });
    }
    /// From now on the statements with which a worker reports what it has done raise this.
    void raise(std::string const& sqlstate) const {
        run("create trigger fail before insert on once.checkpoint for each row execute function "
            "public.fail('" +
            sqlstate +
            "'); create trigger fail before update on once.operation for each row execute function "
            "public.fail('" +
            sqlstate + "')");
    }
    void stop_raising() const {
        run("drop trigger fail on once.checkpoint; drop trigger fail on once.operation");
    }

    std::atomic<int> log_lines = 0;
    once::database db{dsn(), {.log = [this](auto) { ++log_lines; }}};
};

/// A worker that runs until it is told to stop, or ends by an exception.
class running {
public:
    explicit running(std::function<void(std::stop_token)> run)
        : m_thread{[this, work = std::move(run)](std::stop_token const& stop) {
              try {
                  work(stop);
              } catch (...) {
                  m_thrown = std::current_exception();
              }
              m_ended = true;
          }} {}
    [[nodiscard]] bool ended() const noexcept { return m_ended; }
    void stop() { m_thread.request_stop(); }
    [[nodiscard]] std::exception_ptr join() {
        m_thread.join();
        return m_thrown;
    }

private:
    std::exception_ptr m_thrown;
    std::atomic<bool> m_ended = false;
    std::jthread m_thread;
};

once::operation leaving(bool fails) {
    return {"left",
            {once::in_database("one",
                               [fails](once::transaction& tx, once::running_operation&) -> once::response {
                                   if (fails) {
                                       throw std::runtime_error{"left behind"};
                                   }
                                   add_effect(tx, "operation");
                                   return {};
                               })},
            {.retry_after = 0ms}};
}

/// The three workers of the library, which all promise the same.
struct worker_kind {
    char const* name;
    std::function<void(worker_database&, scripted_publisher&, std::stop_token const&)> run;
    std::function<bool(worker_database&, scripted_publisher&)> has_worked;
};

std::vector<worker_kind> const kinds{
    {"relay",
     [](worker_database& server, scripted_publisher& publisher, std::stop_token const& stop) {
         once::relay{server.db, "relay", publisher}.run(stop);
     },
     [](worker_database& server, scripted_publisher& publisher) {
         return !publisher.accepted().empty() && server.ask("select count(*) > 0 from once.checkpoint where "
                                                            "subscription = 'relay' and messages > 0") == "t";
     }},
    {"consumer",
     [](worker_database& server, scripted_publisher&, std::stop_token const& stop) {
         std::ignore = once::consumer{
             server.db, "consumer", [](once::delivery const&, once::transaction& tx) {
                 add_effect(tx, "consumer");
             }}.run(stop);
     },
     [](worker_database& server, scripted_publisher&) { return server.effects("consumer") == 1; }},
    {"operation worker",
     [](worker_database& server, scripted_publisher&, std::stop_token const& stop) {
         once::operation_worker{server.db, {leaving(false)}, {.poll = 1ms}}.run(stop);
     },
     [](worker_database& server, scripted_publisher&) { return server.effects("operation") == 1; }}};

} // namespace

TEST_CASE("every worker waits out the same troubles of the database, and then does its work", "[workers]") {
    auto const& kind = kinds[GENERATE(0U, 1U, 2U)];
    auto const* const state = GENERATE("53100", "25006", "57014", "58030", "XX000");
    CAPTURE(kind.name, state);
    worker_database server;
    scripted_publisher publisher;
    server.publish();
    CHECK_THROWS(leaving(true).run(server.db, asked("k")));
    server.db.check();
    server.raise(state);
    server.log_lines = 0;
    running worker{[&](std::stop_token const& stop) { kind.run(server, publisher, stop); }};
    CHECK(wait_until([&] { return server.log_lines >= 1 || worker.ended(); }));
    CHECK_FALSE(worker.ended());
    server.stop_raising();
    CHECK(wait_until([&] { return kind.has_worked(server, publisher); }));
    worker.stop();
    CHECK(worker.join() == nullptr);
}

TEST_CASE("every worker ends, and says why, when no waiting can help", "[workers]") {
    auto const& kind = kinds[GENERATE(0U, 1U, 2U)];
    auto const* const state = GENERATE("42501", "42883", "no schema");
    CAPTURE(kind.name, state);
    worker_database server;
    scripted_publisher publisher;
    server.publish();
    CHECK_THROWS(leaving(true).run(server.db, asked("k")));
    if (std::string_view{state} == "no schema") {
        server.run("alter schema once rename to elsewhere");
    } else {
        server.db.check();
        server.raise(state);
    }
    running worker{[&](std::stop_token const& stop) { kind.run(server, publisher, stop); }};
    CHECK(wait_until([&] { return worker.ended(); }));
    worker.stop();
    auto const thrown = worker.join();
    REQUIRE(thrown != nullptr);
    try {
        std::rethrow_exception(thrown);
    } catch (pqxx::sql_error const& e) {
        CAPTURE(e.what());
        CHECK((std::string_view{e.what()}.find("as the test wants it") != std::string_view::npos ||
               std::string_view{state} == "no schema"));
    } catch (once::schema_error const&) {
        CHECK(std::string_view{state} == "no schema");
    }
}

TEST_CASE("a worker that is destroyed leaves its work to the next one at once, and nobody is taken for dead",
          "[workers]") {
    worker_database server;
    server.publish();
    int attempt = 0;
    auto const handle = [&](once::delivery const& one, once::transaction& tx) {
        attempt = one.attempt;
        add_effect(tx, "consumer");
    };
    SECTION("a consumer") {
        {
            once::consumer first{server.db, "consumer", handle};
            CHECK(first.run_once().handled == 1);
            server.publish();
        }
        once::consumer second{server.db, "consumer", handle};
        auto const did = second.run_once();
        CHECK(did.active);
        CHECK(did.handled == 1);
        CHECK(attempt == 1);
    }
    SECTION("a consumer that another one is assigned to") {
        once::consumer first{server.db, "consumer", handle};
        CHECK(first.run_once().handled == 1);
        server.publish();
        first = once::consumer{server.db, "relay", handle};
        once::consumer second{server.db, "consumer", handle};
        CHECK(second.run_once().handled == 1);
        CHECK(attempt == 1);
    }
    SECTION("a relay") {
        scripted_publisher publisher;
        {
            once::relay first{server.db, "relay", publisher};
            CHECK(first.run_once().accepted == 1);
            server.publish();
        }
        once::relay second{server.db, "relay", publisher};
        CHECK(second.run_once().accepted == 1);
        CHECK(publisher.accepted().back().attempt == 1);
    }
    SECTION("an operation worker") {
        CHECK_THROWS(leaving(true).run(server.db, asked("k")));
        CHECK(once::operation_worker{server.db, {leaving(true)}, {.batch = 1}}.run_once().retried == 1);
        CHECK(once::operation_worker{server.db, {leaving(false)}}.run_once().done == 1);
    }
    CHECK(server.ask("select count(*) from once.parked_message") == "0");
}

TEST_CASE("a batch that takes more memory than there is comes smaller, and nobody is blamed", "[consumer]") {
    worker_database server;
    for (int i = 0; i < 8; ++i) {
        server.publish();
    }
    std::size_t largest = 0;
    once::consumer one{server.db, "consumer",
                       [&](std::span<once::delivery const> batch, once::transaction& tx) {
                           if (batch.size() > 3) {
                               throw std::bad_alloc{};
                           }
                           largest = std::max(largest, batch.size());
                           for (std::size_t i = 0; i < batch.size(); ++i) {
                               add_effect(tx, "consumer");
                           }
                       }};
    CHECK(wait_until([&] {
        static_cast<void>(one.run_once());
        return server.effects("consumer") == 8;
    }));
    CHECK(largest == 2);
    CHECK(server.ask("select count(*) from once.parked_message") == "0");
}
