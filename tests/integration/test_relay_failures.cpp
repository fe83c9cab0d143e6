// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/relay.hpp>

#include "relay_database.hpp"
#include "support/scripted_publisher.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <map>
#include <optional>

using namespace once;
using namespace once::testing;
using namespace std::chrono_literals;

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
    CHECK(first.retried == 1);
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
    CHECK(worker.run_once().retried == 1);
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
    publisher.before = [&](auto) -> std::optional<publish_report> {
        throw 42;
    }; // NOLINT(hicpp-exception-baseclass)
    CHECK(worker.run_once().unavailable == "an exception that is no std::exception");
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
    CHECK(worker.run_once().retried == 1);
    int outages = 0;
    publisher.before = [&](auto) {
        ++outages;
        return std::optional{publish_report{.unavailable = "gone"}};
    };
    drain(worker, [&] { return outages >= 5; });
    CHECK(server.ask("select state::text || attempts from once.parked_message") == "retrying1");
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
        if (!arrived.empty()) {
            return publish_report{.unavailable = "gone"};
        }
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
    auto const away = worker.run_once();
    CHECK(away.unavailable == "gone");
    CHECK(away.stuck == "gone");
    publisher.before = [](auto) { return std::nullopt; };
    drain(worker, [&] { return publisher.accepted().size() >= 3; });
    CHECK(worker.run_once().idle());
    CHECK(publisher.payloads("a") == texts{"a"});
    CHECK(publisher.payloads("b") == texts{"b", "b"});
    CHECK(publisher.payloads("c").empty());
    CHECK(std::ranges::all_of(publisher.accepted(), [](auto const& one) { return one.attempt == 1; }));
}

TEST_CASE("a receiver that asks for a pause gets it, although it has accepted something", "[relay]") {
    relay_database server;
    scripted_publisher publisher;
    int calls = 0;
    publisher.before = [&](std::span<delivery const> messages) -> std::optional<publish_report> {
        ++calls;
        publish_report report{.answers =
                                  std::vector<publish_answer>(messages.size(), {publish_result::not_sent}),
                              .unavailable = "slower, please",
                              .retry_after = 2s};
        report.answers[0] = {};
        return report;
    };
    relay worker{server.db, "s", publisher};
    server.publish("a", "1");
    server.publish("b", "2");
    auto const summary = worker.run_once();
    CHECK(calls == 1);
    CHECK(summary.accepted == 1);
    CHECK(summary.unavailable == "slower, please");
    CHECK(summary.retry_after == 2s);
}

TEST_CASE("a pause that the receiver asks for is kept", "[relay]") {
    relay_database server;
    scripted_publisher publisher;
    publisher.answer = [&](delivery const&) {
        return publish_answer{.result = publish_result::retry, .error = "busy", .retry_after = 600s};
    };
    relay worker{server.db, "s", publisher};
    server.publish("k", "1");
    CHECK(worker.run_once().retried == 1);
    CHECK(server.ask(
              "select next_attempt_at - parked_at > interval '500 seconds' from once.parked_message") == "t");
    CHECK(server.ask("select attempts from once.parked_message") == "1");
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
