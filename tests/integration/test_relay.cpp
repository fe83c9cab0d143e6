// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/execute.hpp>
#include <once/relay.hpp>

#include "support/database.hpp"
#include "support/scripted_publisher.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/pqxx>

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <thread>

using namespace once;
using namespace once::testing;
using namespace std::chrono_literals;

namespace {

using texts = std::vector<std::string>;

class relay_database : public test_database {
public:
    explicit relay_database(subscription_options options = {}) {
        options.backoff_base = std::min<std::chrono::milliseconds>(options.backoff_base, 1ms);
        transact(db, [&](transaction& tx) { REQUIRE(subscribe(tx, "s", options)); });
    }

    void publish(std::vector<message> const& messages) {
        transact(db, [&](transaction& tx) {
            for (auto const& one : messages) {
                tx.publish(one);
            }
        });
    }
    void publish(std::string const& key, std::string const& text) {
        publish({{.topic = "t", .key = key, .payload = body::text(text)}});
    }
    [[nodiscard]] std::string ask(std::string const& sql) const {
        pqxx::connection connection{dsn()};
        pqxx::nontransaction tx{connection};
        auto const result = tx.exec(sql);
        return result.empty() || result[0][0].is_null() ? "" : result[0][0].as<std::string>();
    }
    /// state, attempts and error of each parked message, in order
    [[nodiscard]] std::string parked() const {
        return ask(
            "select string_agg(state || attempts || coalesce(' ' || last_error, ''), ', ' order by id) "
            "from once.parked_message");
    }

    database db{dsn()};
};

/// Rounds until nothing is left to do; parked messages may need a moment to become due.
void drain(relay& worker, std::function<bool()> const& done) {
    CHECK(wait_until([&] {
        static_cast<void>(worker.run_once());
        return done();
    }));
}

publish_answer failed(publish_result result, std::string error = "no") {
    return {.result = result, .error = std::move(error)};
}

} // namespace

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
    CHECK(arrived[0].id == *one.id);
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

TEST_CASE("a message that fails waits with its key, everything else flows, and order stays", "[relay]") {
    relay_database server;
    scripted_publisher publisher;
    int failures = 3;
    publisher.answer = [&](delivery const& one) {
        return one.payload.data() == "bad 2" && failures-- > 0 ? failed(publish_result::retry)
                                                               : publish_answer{};
    };
    relay worker{server.db, "s", publisher};
    for (int i = 1; i <= 4; ++i) {
        server.publish("bad", "bad " + std::to_string(i));
        server.publish("good", "good " + std::to_string(i));
    }
    auto const first = worker.run_once();
    CHECK(first.accepted == 5);
    CHECK(first.retry == 1);
    CHECK(first.behind == 2);
    CHECK(publisher.payloads("good") == texts{"good 1", "good 2", "good 3", "good 4"});
    CHECK(server.parked() == "retrying1 no, waiting0, waiting0");
    server.publish("bad", "bad 5");
    drain(worker, [&] { return publisher.payloads("bad").size() == 5; });
    CHECK(publisher.payloads("bad") == texts{"bad 1", "bad 2", "bad 3", "bad 4", "bad 5"});
    CHECK(server.parked() == "");
    auto const arrived = publisher.accepted();
    CHECK(std::ranges::count_if(arrived, [](auto const& one) { return one.attempt == 4; }) == 1);
}

TEST_CASE("a key that recovers catches up in as many calls as its messages fill, not one for each",
          "[relay]") {
    relay_database server;
    scripted_publisher publisher;
    bool broken = true;
    std::size_t calls = 0;
    publisher.answer = [&](delivery const& one) {
        return broken && one.key == "k" ? failed(publish_result::retry) : publish_answer{};
    };
    publisher.before = [&](std::span<delivery const> messages) {
        calls += std::ranges::any_of(messages, [](auto const& one) { return one.key == "k"; }) ? 1 : 0;
        CHECK(messages.size() <= 100);
        return std::nullopt;
    };
    relay worker{server.db, "s", publisher, {.publish_messages = 100}};
    texts expected;
    std::vector<message> messages;
    for (int i = 0; i < 500; ++i) {
        expected.push_back(std::to_string(i));
        messages.push_back({.topic = "t", .key = "k", .payload = body::text(expected.back())});
        messages.push_back({.topic = "t", .key = "other", .payload = body::text(expected.back())});
    }
    server.publish(messages);
    drain(worker, [&] { return publisher.payloads("other").size() == 500; });
    CHECK(server.ask("select count(*) from once.parked_message") == "500");
    CHECK(server.ask("select sum(attempts) from once.parked_message where id > 1") == "0");
    broken = false;
    calls = 0;
    drain(worker, [&] { return server.parked().empty(); });
    CHECK(calls <= 1 + 5); // the one that had failed, and the others in hundreds
    CHECK(publisher.payloads("k") == expected);
    auto const arrived = publisher.accepted();
    CHECK(std::ranges::all_of(arrived,
                              [](auto const& one) { return one.attempt == 1 || one.payload.data() == "0"; }));
}

TEST_CASE("a key with messages in every batch is not parked any more once it has caught up", "[relay]") {
    relay_database server;
    scripted_publisher publisher;
    bool broken = true;
    publisher.answer = [&](delivery const&) {
        return broken ? failed(publish_result::retry) : publish_answer{};
    };
    relay worker{server.db, "s", publisher};
    int next = 0;
    auto const publish_some = [&] {
        for (int i = 0; i < 5; ++i) {
            server.publish("k", std::to_string(next++));
        }
    };
    publish_some();
    CHECK(worker.run_once().retry == 1);
    broken = false;
    // Each round finds new ones.
    CHECK(wait_until([&] {
        publish_some();
        auto const did = worker.run_once();
        return did.accepted >= 5 && did.behind == 0 && server.parked().empty();
    }));
    texts expected;
    for (int i = 0; i < next; ++i) {
        expected.push_back(std::to_string(i));
    }
    CHECK(publisher.payloads("k") == expected);
}

TEST_CASE("order stays when one of the messages that catch up fails in the middle", "[relay]") {
    relay_database server{{.max_attempts = 2}};
    scripted_publisher publisher;
    std::map<std::string, int> failures{{"0", 1}, {"3", 1}};
    std::optional<std::string> away;
    publisher.answer = [&](delivery const& one) {
        if (one.payload.data() == away) {
            return failed(publish_result::not_sent, "away");
        }
        return failures[one.payload.data()]-- > 0 ? failed(publish_result::retry) : publish_answer{};
    };
    relay worker{server.db, "s", publisher};
    for (int i = 0; i < 8; ++i) {
        server.publish("k", std::to_string(i));
    }
    SECTION("it is asked for again") {
        drain(worker, [&] { return publisher.payloads().size() == 3; });
        CHECK(server.parked() == "retrying1 no, waiting0, waiting0, waiting0, waiting0");
    }
    SECTION("nothing more could be sent") {
        failures.erase("3");
        away = "5";
        drain(worker, [&] { return publisher.payloads().size() == 5; });
        CHECK(server.parked() == "retrying0, waiting0, waiting0");
        away.reset();
    }
    drain(worker, [&] { return server.parked().empty(); });
    CHECK(publisher.payloads() == texts{"0", "1", "2", "3", "4", "5", "6", "7"});
}

TEST_CASE("a rejected message is dead with its reason, and its key waits for a person", "[relay]") {
    relay_database server;
    scripted_publisher publisher;
    publisher.answer = [&](delivery const& one) {
        return one.payload.data() == "1" ? failed(publish_result::rejected, "HTTP 422") : publish_answer{};
    };
    relay worker{server.db, "s", publisher};
    server.publish("k", "1");
    server.publish("k", "2");
    CHECK(worker.run_once().rejected == 1);
    static_cast<void>(worker.run_once());
    CHECK(server.parked() == "dead1 HTTP 422, waiting0");
    auto const id = server.ask("select message_id from once.parked_message where state = 'dead'");
    CHECK(server.ask("select once.discard('s', '" + id + "')") == "t");
    drain(worker, [&] { return server.parked().empty(); });
    CHECK(publisher.payloads() == texts{"2"});
}

TEST_CASE("attempts that are used up make a message dead, and redrive() lets it come again", "[relay]") {
    relay_database server{{.max_attempts = 3}};
    scripted_publisher publisher;
    bool broken = true;
    publisher.answer = [&](delivery const&) {
        return broken ? failed(publish_result::retry) : publish_answer{};
    };
    relay worker{server.db, "s", publisher};
    server.publish("k", "1");
    drain(worker, [&] { return server.parked() == "dead3 no"; });
    broken = false;
    CHECK(server.ask("select once.redrive('s')") == "1");
    drain(worker, [&] { return server.parked().empty(); });
    CHECK(publisher.payloads() == texts{"1"});
}

TEST_CASE("an unavailable receiver costs no attempt and loses nothing", "[relay]") {
    relay_database server{{.max_attempts = 1}};
    scripted_publisher publisher;
    bool away = true;
    publisher.before = [&](auto) {
        return away ? std::optional{publish_report{.unavailable = "gone", .retry_after = 7s}} : std::nullopt;
    };
    relay worker{server.db, "s", publisher};
    server.publish("k", "1");
    server.publish("k", "2");
    for (int i = 0; i < 5; ++i) {
        auto const summary = worker.run_once();
        CHECK(summary.unavailable == "gone");
        CHECK(summary.retry_after == 7s);
    }
    CHECK(server.parked() == "");
    publisher.before = [&](auto) -> std::optional<publish_report> { throw std::runtime_error{"broken"}; };
    CHECK(worker.run_once().unavailable == "broken");
    publisher.before = [](auto) { return std::nullopt; };
    CHECK(worker.run_once().accepted == 2);
    CHECK(publisher.payloads() == texts{"1", "2"});
}

TEST_CASE("a parked message does not lose attempts to an outage either", "[relay]") {
    relay_database server{{.max_attempts = 2}};
    scripted_publisher publisher;
    publisher.answer = [&](delivery const&) { return failed(publish_result::retry); };
    relay worker{server.db, "s", publisher};
    server.publish("k", "1");
    CHECK(worker.run_once().retry == 1);
    int outages = 0;
    publisher.before = [&](auto) {
        ++outages;
        return std::optional{publish_report{.unavailable = "gone"}};
    };
    drain(worker, [&] { return outages >= 5; });
    CHECK(server.ask("select state || attempts from once.parked_message") == "retrying1");
}

TEST_CASE("what was accepted before an outage is not sent again", "[relay]") {
    relay_database server;
    scripted_publisher publisher;
    relay worker{server.db, "s", publisher};
    for (auto const* const key : {"a", "b", "c", "a", "b", "c"}) {
        server.publish(key, std::string{key});
    }
    std::vector<delivery> arrived;
    publisher.before = [&](std::span<delivery const> messages) -> std::optional<publish_report> {
        publish_report report{.answers =
                                  std::vector<publish_answer>(messages.size(), {publish_result::not_sent}),
                              .unavailable = "gone in the middle"};
        for (auto const i : {std::size_t{0}, std::size_t{2}, std::size_t{5}}) { // a, c, c
            report.answers[i] = {};
            arrived.push_back(messages[i]);
        }
        return report;
    };
    auto const summary = worker.run_once();
    CHECK(summary.accepted == 3);
    CHECK(summary.behind == 3);
    publisher.before = [](auto) { return std::nullopt; };
    drain(worker, [&] { return publisher.accepted().size() >= 3; });
    CHECK(worker.run_once().idle());
    CHECK(publisher.payloads("a") == texts{"a"});
    CHECK(publisher.payloads("b") == texts{"b", "b"});
    CHECK(publisher.payloads("c").empty());
    CHECK(std::ranges::all_of(publisher.accepted(), [](auto const& one) { return one.attempt == 1; }));
}

TEST_CASE("a pause that the receiver asks for is kept", "[relay]") {
    relay_database server;
    scripted_publisher publisher;
    publisher.answer = [&](delivery const&) {
        return publish_answer{.result = publish_result::retry, .error = "busy", .retry_after = 600s};
    };
    relay worker{server.db, "s", publisher};
    server.publish("k", "1");
    CHECK(worker.run_once().retry == 1);
    CHECK(server.ask(
              "select next_attempt_at - parked_at > interval '500 seconds' from once.parked_message") == "t");
    CHECK(server.ask("select attempts from once.parked_message") == "1");
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
        CHECK(second.run_once().standby);
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
    relay worker{server.db, "s", publisher, {.reading = {.lease = 4s}, .publish_timeout = 2s}};
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
                 {.reading = {.longest_sleep = 30s},
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

TEST_CASE("a message that is rejected at a later attempt is dead with its reason", "[relay]") {
    relay_database server;
    scripted_publisher publisher;
    publisher.answer = [](delivery const& one) {
        return failed(one.attempt == 1 ? publish_result::retry : publish_result::rejected, "not like this");
    };
    relay worker{server.db, "s", publisher};
    server.publish("k", "1");
    drain(worker, [&] { return server.parked() == "dead2 not like this"; });
}

TEST_CASE("batches shrink to the bytes that a reader may hold, and everything arrives in order", "[relay]") {
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
    relay worker{server.db, "s", publisher, {.reading = {.batch_messages = 100, .batch_bytes = 10'000}}};
    static_cast<void>(worker.run_once());
    CHECK(most == 100); // nobody knows yet how large they are
    most = 0;
    drain(worker, [&] { return publisher.accepted().size() == 300; });
    CHECK(most <= 20);
    CHECK(publisher.payloads() == sent);
}
