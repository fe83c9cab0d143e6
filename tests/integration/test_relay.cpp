// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/execute.hpp>
#include <once/relay.hpp>

#include "relay_database.hpp"
#include "support/scripted_publisher.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/pqxx>

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>

using namespace once;
using namespace once::testing;
using namespace std::chrono_literals;

TEST_CASE("a relay delivers each message once, in order, as it was staged", "[relay]") {
    relay_database server;
    scripted_publisher publisher;
    relay worker{server.db, "s", publisher};
    message const one{.topic = "orders.placed",
                      .key = "k",
                      .payload = body::json_text(R"({"a": 1.50})"),
                      .headers = {{"x-a", "1"}, {"x-a", "2"}},
                      .traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                      .id = message_id::random()};
    server.publish({one, {.topic = "t", .payload = body::bytes(std::string{"\0\xff", 2}, "application/x")}});
    auto const summary = worker.run_once();
    CHECK(summary.accepted == 2);
    CHECK(worker.run_once().idle());
    auto const arrived = publisher.accepted();
    REQUIRE(arrived.size() == 2);
    CHECK(arrived[0].given_id == one.id);
    CHECK(arrived[0].id != *one.id);
    CHECK(arrived[0].topic == one.topic);
    CHECK(arrived[0].key == one.key);
    CHECK(arrived[0].payload == one.payload);
    CHECK(arrived[0].headers == one.headers);
    CHECK(arrived[0].traceparent == one.traceparent);
    CHECK(arrived[1].payload.data() == std::string{"\0\xff", 2});
    CHECK(arrived[1].key.empty());
}

TEST_CASE("no transaction is open while the publisher works", "[relay]") {
    relay_database server;
    scripted_publisher publisher;
    relay worker{server.db, "s", publisher};
    std::string open = "not asked";
    publisher.before = [&](auto) {
        open = server.ask("select count(*) from pg_stat_activity where datname = current_database() and "
                          "pid <> pg_backend_pid() and (state <> 'idle' or backend_xmin is not null)");
        return std::nullopt;
    };
    server.publish("k", "1");
    CHECK(worker.run_once().accepted == 1);
    CHECK(open == "0");
}

TEST_CASE("of two relays one works and the other stands by, until the first has ended", "[relay]") {
    relay_database server;
    scripted_publisher publisher;
    relay second{server.db, "s", publisher};
    {
        relay first{server.db, "s", publisher};
        server.publish("k", "1");
        CHECK(first.run_once().accepted == 1);
        server.publish("k", "2");
        CHECK(!second.run_once().active);
    }
    drain(second, [&] { return publisher.payloads().size() == 2; });
    CHECK(publisher.payloads() == texts{"1", "2"});
    // It was given back, so nobody is suspected of having died.
    CHECK(server.ask("select count(*) from once.parked_message") == "0");
}

TEST_CASE("a relay that was overtaken while it published cannot move the position", "[relay]") {
    relay_database server;
    scripted_publisher publisher;
    scripted_publisher faster;
    relay worker{server.db, "s", publisher};
    server.publish("k", "1");
    server.publish("k", "2");
    publisher.before = [&](auto) {
        CHECK(server.ask("update once.lease set acquired_at = acquired_at - interval '1 hour', renewed_at = "
                         "acquired_at "
                         "- interval '1 hour', expires_at = clock_timestamp() returning 1") == "1");
        relay other{server.db, "s", faster};
        drain(other, [&] { return faster.payloads().size() == 2; });
        return std::nullopt;
    };
    auto const summary = worker.run_once();
    CHECK(summary.overtaken);
    publisher.before = [](auto) { return std::nullopt; };
    server.publish("k", "3");
    drain(worker, [&] { return publisher.payloads().back() == "3"; });
    CHECK(publisher.payloads() == texts{"1", "2", "3"});
    CHECK(faster.payloads() == texts{"1", "2"});
}

TEST_CASE("a batch is published in as many calls as it takes, and a checkpoint comes in between", "[relay]") {
    relay_database server;
    scripted_publisher publisher;
    std::vector<std::size_t> calls;
    publisher.before = [&](std::span<delivery const> messages) {
        calls.push_back(messages.size());
        return std::nullopt;
    };
    for (int i = 0; i < 10; ++i) {
        server.publish("k", std::to_string(i));
    }
    {
        relay worker{server.db, "s", publisher, {.publish_messages = 4}};
        CHECK(worker.run_once().accepted == 10);
        CHECK(calls == std::vector<std::size_t>{4, 4, 2});
    }
    for (int i = 10; i < 14; ++i) {
        server.publish("k", std::to_string(i));
    }
    relay hasty{server.db,
                "s",
                publisher,
                {.publish_messages = 1, .checkpoint_every = 1ms, .durable_checkpoints = false}};
    publisher.before = [&](auto) {
        std::this_thread::sleep_for(2ms); // longer than checkpoint_every
        return std::nullopt;
    };
    CHECK(hasty.run_once().accepted == 1);
    drain(hasty, [&] { return publisher.payloads().size() == 14; });
    texts expected;
    for (int i = 0; i < 14; ++i) {
        expected.push_back(std::to_string(i));
    }
    CHECK(publisher.payloads() == expected);
}

TEST_CASE("the deadline of a publisher lies within the lease", "[relay]") {
    relay_database server;
    class looks final : public publisher {
    public:
        std::chrono::steady_clock::duration left{};
        publish_report publish(std::span<delivery const> messages,
                               std::chrono::steady_clock::time_point deadline) override {
            left = deadline - std::chrono::steady_clock::now();
            return {.answers = std::vector<publish_answer>(messages.size())};
        }
    } publisher;
    relay worker{server.db, "s", publisher, {.reader = {.lease = 4s}, .publish_timeout = 2s}};
    server.publish("k", "1");
    CHECK(worker.run_once().accepted == 1);
    CHECK(publisher.left > 0s);
    CHECK(publisher.left <= 2s);
}

TEST_CASE("run() delivers what comes, survives lost connections, and stops in good order", "[relay]") {
    relay_database server;
    scripted_publisher publisher;
    std::atomic<int> observed = 0;
    relay worker{server.db,
                 "s",
                 publisher,
                 {.reader = {.longest_sleep = 30s},
                  .log = [](auto) {},
                  .observer = [&](relay_summary const& one) { observed += static_cast<int>(one.accepted); }}};
    std::jthread thread{[&](std::stop_token const& stop) { worker.run(stop); }};
    server.publish("k", "1");
    REQUIRE(wait_until([&] { return publisher.payloads().size() == 1; }));
    static_cast<void>(
        server.ask("select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = "
                   "current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'"));
    CHECK(wait_until([&] {
        try {
            server.publish("k", "2");
            return true;
        } catch (pqxx::failure const&) {
            return false; // it met a connection that had just been ended
        }
    }));
    REQUIRE(wait_until([&] { return publisher.payloads().size() >= 2; }));
    server.publish(
        {{.topic = "t",
          .key = "k",
          .payload = body::text("later"),
          .deliver_at =
              std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now()) + 100ms}});
    REQUIRE(wait_until([&] { return publisher.payloads().back() == "later"; }));
    thread.request_stop();
    thread.join();
    CHECK(observed >= 3);
    CHECK(server.ask("select released_at is not null from once.lease") == "t");
}

TEST_CASE("a stop finishes the call under way, keeps what was accepted, and leaves the rest", "[relay]") {
    relay_database server;
    scripted_publisher publisher;
    std::stop_source stop;
    publisher.answer = [&](delivery const& one) {
        if (one.payload.data() == "2") {
            stop.request_stop();
        }
        return publish_answer{};
    };
    for (int i = 0; i < 10; ++i) {
        server.publish("k", std::to_string(i));
    }
    {
        relay worker{server.db, "s", publisher, {.publish_messages = 5}};
        worker.run(stop.get_token());
        CHECK(publisher.payloads().size() == 5);
    }
    relay next{server.db, "s", publisher};
    drain(next, [&] { return publisher.payloads().size() >= 10; });
    CHECK(publisher.payloads() == texts{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"});
}

TEST_CASE("run() waits while the subscription is paused, and throws when there is none", "[relay]") {
    relay_database server;
    scripted_publisher publisher;
    CHECK(server.ask("select once.pause_subscription('s')") == "t");
    std::atomic<int> lines = 0;
    relay worker{server.db, "s", publisher, {.log = [&](auto) { ++lines; }}};
    server.publish("k", "1");
    std::jthread thread{[&](std::stop_token const& stop) { worker.run(stop); }};
    REQUIRE(wait_until([&] { return lines > 0; }));
    CHECK(publisher.payloads().empty());
    CHECK(server.ask("select once.pause_subscription('s', false)") == "t");
    CHECK(wait_until([&] { return publisher.payloads().size() == 1; }));
    thread.request_stop();
    thread.join();

    relay lost{server.db, "nobody", publisher};
    CHECK_THROWS_AS(lost.run({}), pqxx::sql_error);
}

TEST_CASE("a publisher that miscounts its answers is an error, and nothing is acknowledged", "[relay]") {
    relay_database server;
    scripted_publisher publisher;
    relay worker{server.db, "s", publisher};
    server.publish("k", "1");
    publisher.before = [](auto) { return std::optional{publish_report{}}; };
    CHECK_THROWS_AS(worker.run_once(), misuse);
    publisher.before = [](auto) { return std::nullopt; };
    CHECK(worker.run_once().accepted == 1);

    // The same of a message that has failed before: its attempt is counted, since nobody knows what came of it.
    publisher.answer = [](delivery const&) { return failed(publish_result::retry); };
    server.publish("k", "2");
    CHECK(wait_until([&] {
        static_cast<void>(worker.run_once());
        return !server.parked().empty();
    }));
    publisher.before = [](auto) { return std::optional{publish_report{.answers = {{}, {}}}}; };
    CHECK(wait_until([&] {
        try {
            static_cast<void>(worker.run_once());
            return false;
        } catch (misuse const&) {
            return true;
        }
    }));
    CHECK(server.parked().starts_with("retrying"));
    publisher.before = [](auto) { return std::nullopt; };
    publisher.answer = [](delivery const&) { return publish_answer{}; };
    drain(worker, [&] { return server.parked().empty(); });
    CHECK(publisher.payloads() == texts{"1", "2"});
}

TEST_CASE("batches keep to the bytes that a reader may hold, from the first one on, and everything arrives "
          "in order",
          "[relay]") {
    relay_database server;
    scripted_publisher publisher;
    std::size_t most = 0;
    publisher.before = [&](std::span<delivery const> messages) {
        most = std::max(most, messages.size());
        return std::nullopt;
    };
    std::vector<message> messages;
    texts sent;
    for (int i = 0; i < 300; ++i) {
        sent.push_back(std::to_string(i) + std::string(1000, 'x'));
        messages.push_back({.topic = "t", .key = "k", .payload = body::text(sent.back())});
    }
    server.publish(messages);
    relay worker{server.db, "s", publisher, {.reader = {.batch_messages = 100, .batch_bytes = 10'000}}};
    drain(worker, [&] { return publisher.accepted().size() == 300; });
    CHECK(most == 9);
    CHECK(publisher.payloads() == sent);
}
