// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/relay.hpp>

#include "relay_database.hpp"
#include "support/scripted_publisher.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <algorithm>
#include <atomic>
#include <new>
#include <optional>
#include <stdexcept>
#include <thread>

using namespace once;
using namespace once::testing;
using namespace std::chrono_literals;

namespace {

bool is_bad(delivery const& one) {
    return one.payload.data() == "bad";
}

/// Makes a publisher that cannot bear bad messages: it says that the receiver is away, or throws, wherever one is among
/// those of a call; or refuses each by name when there is nothing else.
void make_touchy(scripted_publisher& publisher, std::string const& manner) {
    publisher.before = [manner](std::span<delivery const> messages) -> std::optional<publish_report> {
        if (manner == "named") {
            if (!std::ranges::all_of(messages, is_bad)) {
                return std::nullopt;
            }
            return publish_report{
                .answers = std::vector<publish_answer>(
                    messages.size(), {.result = publish_result::retry, .error = "HTTP 503"}),
                .unavailable = "HTTP 503 to everything"};
        }
        if (std::ranges::none_of(messages, is_bad)) {
            return std::nullopt;
        }
        if (manner == "throws") {
            throw std::runtime_error{"it cannot be written"};
        }
        return publish_report{.unavailable = "it cannot be written"};
    };
    publisher.answer = [](delivery const& one) {
        return is_bad(one) ? failed(publish_result::retry, "HTTP 503") : publish_answer{};
    };
}

} // namespace

TEST_CASE("messages that a receiver refuses as if it were away stop nobody, are counted, and die",
          "[relay]") {
    auto const manner = std::string{GENERATE("named", "says that the receiver is away", "throws")};
    CAPTURE(manner);
    relay_database server{{.max_attempts = 3, .backoff_base = 1ms, .backoff_cap = 1ms}};
    scripted_publisher publisher;
    make_touchy(publisher, manner);
    relay worker{server.db, "s", publisher};
    std::vector<message> messages;
    for (int i = 0; i < 140; ++i) {
        messages.push_back({.topic = "t",
                            .key = std::to_string(i),
                            .payload = body::text(i < 40 ? "bad" : "good " + std::to_string(i))});
    }
    server.publish(messages);
    auto const first = worker.run_once();
    CHECK(first.accepted == 100);
    CHECK_FALSE(first.unavailable);
    CHECK(server.ask("select count(*) from once.parked_message where attempts = 1") == "40");
    int good = 0;
    drain(worker, [&] { // as long as somebody else gets through
        server.publish("", "good " + std::to_string(++good));
        return server.ask("select count(*) from once.parked_message where state = 'dead'") == "40";
    });
    CHECK(publisher.accepted().size() >= 100);
    CHECK(server.ask("select count(*) from once.parked_message where state <> 'dead' or attempts <> 3") ==
          "0");
}

TEST_CASE("messages that wait for their next attempt do not stop new ones", "[relay]") {
    auto const manner = std::string{GENERATE("named", "says that the receiver is away", "throws")};
    CAPTURE(manner);
    relay_database server{{.backoff_base = 1ms, .backoff_cap = 1ms}};
    scripted_publisher publisher;
    make_touchy(publisher, manner);
    relay worker{server.db, "s", publisher};
    for (int i = 0; i < 5; ++i) {
        server.publish("bad" + std::to_string(i), "bad");
    }
    // With so few in all a round may not hit a good one among its witnesses.
    drain(worker, [&] {
        server.publish("", "good");
        return server.ask("select count(*) from once.parked_message where attempts > 0") == "5";
    });
    for (int i = 0; i < 60; ++i) {
        server.publish("", "good");
        auto const did = worker.run_once();
        CAPTURE(i, did.unavailable.value_or(""), did.accepted);
        CHECK(did.accepted >= 1); // the last one of above may come now
        CHECK_FALSE(did.unavailable);
    }
}

TEST_CASE("a batch that is too much for the time of a call comes in smaller parts", "[relay]") {
    relay_database server;
    scripted_publisher publisher;
    std::vector<std::size_t> calls;
    // Takes no more than ten at a time within its deadline.
    publisher.before = [&](std::span<delivery const> messages) -> std::optional<publish_report> {
        calls.push_back(messages.size());
        if (messages.size() <= 10) {
            return std::nullopt;
        }
        std::this_thread::sleep_for(20ms); // the deadline of this test
        return publish_report{.answers =
                                  std::vector<publish_answer>(messages.size(), {publish_result::not_sent})};
    };
    relay worker{server.db, "s", publisher, {.checkpoint_every = 1ms, .publish_timeout = 20ms}};
    std::vector<message> messages;
    for (int i = 0; i < 500; ++i) {
        messages.push_back({.topic = "t", .payload = body::text("x")});
    }
    server.publish(messages);
    auto const first = worker.run_once();
    CHECK_FALSE(first.idle());
    CHECK_FALSE(first.unavailable);
    CHECK(first.stuck.value_or("").find("500 messages of 500 bytes did not get out within") !=
          std::string::npos);
    drain(worker, [&] { return publisher.accepted().size() == 500; });
    CHECK(server.ask("select count(*) from once.parked_message") == "0");
    CHECK(worker.run_once().idle());
}

TEST_CASE("a batch that takes more memory than there is comes in smaller parts", "[relay]") {
    relay_database server;
    scripted_publisher publisher;
    publisher.before = [&](std::span<delivery const> messages) -> std::optional<publish_report> {
        if (messages.size() > 10) {
            throw std::bad_alloc{};
        }
        return std::nullopt;
    };
    relay worker{server.db, "s", publisher};
    std::vector<message> messages;
    for (int i = 0; i < 500; ++i) {
        messages.push_back({.topic = "t", .payload = body::text("x")});
    }
    server.publish(messages);
    auto const first = worker.run_once();
    CHECK(first.accepted == 500);
    CHECK_FALSE(first.unavailable);
}

TEST_CASE("a receiver that gets nothing out is stuck, then unavailable, and never idle", "[relay]") {
    relay_database server{{.max_attempts = 1}};
    scripted_publisher publisher;
    publisher.before = [&](std::span<delivery const> messages) {
        std::this_thread::sleep_for(5ms); // the deadline of this test
        return std::optional{
            publish_report{.answers = std::vector<publish_answer>(
                               messages.size(), {publish_result::not_sent, "the pipe is full"})}};
    };
    int rounds_without_reason = 0;
    relay_summary last;
    relay worker{
        server.db,
        "s",
        publisher,
        {.checkpoint_every = 1ms, .publish_timeout = 5ms, .observer = [&](relay_summary const& round) {
             rounds_without_reason += round.stuck ? 0 : 1;
         }}};
    std::vector<message> messages;
    for (int i = 0; i < 100; ++i) {
        messages.push_back({.topic = "t", .payload = body::text("x")});
    }
    server.publish(messages);
    for (int i = 0; i < 5; ++i) {
        last = worker.run_once();
        CHECK_FALSE(last.idle());
    }
    CHECK(last.unavailable.value_or("").find("1 message of 1 bytes did not get out within") !=
          std::string::npos);
    CHECK(last.unavailable.value_or("").find("the pipe is full") != std::string::npos);
    CHECK(rounds_without_reason == 0);
    CHECK(server.parked() == "");
    publisher.before = [](auto) { return std::nullopt; };
    drain(worker, [&] { return publisher.accepted().size() == 100; });
}
