// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/consumer.hpp>
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>
#include <once/publish.hpp>

#include "consumer_database.hpp"
#include "support/effects.hpp"
#include "support/refusal.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/transaction>

#include <chrono>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;
using once::consumer;
using once::delivery;
using once::message;

TEST_CASE("a consumer gets every part of a message as it was published", "[consumer]") {
    consumer_database outbox;
    auto const id = once::message_id::random();
    outbox.publish({message{.topic = "a.b",
                            .key = "caf\xc3\xa9",
                            .payload = once::body::json_text("{ \"n\": 1 }"),
                            .headers = {{"x", "1"}, {"x", "\"2"}},
                            .traceparent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
                            .id = id},
                    message{.topic = "c", .payload = once::body::bytes(std::string{"\0\xff", 2}, "x/y")}});
    std::vector<delivery> got;
    consumer one{outbox.db, "s", [&](delivery const& d, once::transaction&) { got.push_back(d); }};
    CHECK(one.run_once().handled == 2);
    REQUIRE(got.size() == 2);
    CHECK(got[0].given_id == id);
    CHECK(got[0].id.to_string() == outbox.server.ask("select once.message_id_of('" + id.to_string() + "')"));
    CHECK_FALSE(got[1].given_id);
    CHECK(got[0].topic == "a.b");
    CHECK(got[0].key == "caf\xc3\xa9");
    CHECK(got[0].payload == once::body::json_text("{ \"n\": 1 }"));
    CHECK(got[0].headers == std::vector<once::header>{{"x", "1"}, {"x", "\"2"}});
    CHECK(got[0].traceparent == "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01");
    CHECK(got[0].service == outbox.server.ask("select session_user"));
    CHECK(got[0].attempt == 1);
    CHECK(std::chrono::abs(got[0].published_at - std::chrono::system_clock::now()) < 1h);
    CHECK(got[1].payload == once::body::bytes(std::string{"\0\xff", 2}, "x/y"));
    CHECK(got[1].key.empty());
    CHECK(got[0].position < got[1].position);
}

TEST_CASE("effects and position are one transaction, whichever batch size and handler", "[consumer]") {
    consumer_database outbox;
    std::vector<std::string> texts;
    std::string expected;
    for (int i = 0; i < 57; ++i) {
        texts.push_back(std::to_string(i));
        expected += (i == 0 ? "" : " ") + texts.back();
    }
    outbox.publish(texts, "k");
    once::consumer_options const small{.reader = {.batch_messages = 10}};
    SECTION("one by one") {
        consumer one{outbox.db, "s", write_effect, small};
        CHECK(drain(outbox, one).handled == 57);
    }
    SECTION("in batches") {
        consumer one{outbox.db, "s",
                     [](std::span<delivery const> batch, once::transaction& tx) {
                         for (auto const& d : batch) {
                             write_effect(d, tx);
                         }
                     },
                     small};
        CHECK(drain(outbox, one).handled == 57);
    }
    SECTION("with another consumer after each batch") {
        for (int i = 0; i < 6; ++i) {
            consumer one{outbox.db, "s", write_effect, small};
            std::stop_source at_once;
            CHECK(one.run_once().handled == (i < 5 ? 10 : 7));
            at_once.request_stop();
            one.run(at_once.get_token()); // gives the lease back
        }
    }
    CHECK(outbox.effects() == expected);
}

TEST_CASE("a handler may publish in the same transaction", "[consumer]") {
    consumer_database outbox;
    outbox.publish({"3"}, "k");
    consumer one{outbox.db, "s", [](delivery const& d, once::transaction& tx) {
                     auto const n = std::stoi(d.payload.data());
                     add_effect(tx, d.payload.data());
                     if (n > 0) {
                         tx.publish(
                             {.topic = "t", .key = "k", .payload = once::body::text(std::to_string(n - 1))});
                     }
                 }};
    drain(outbox, one);
    CHECK(outbox.effects() == "3 2 1 0");
}

TEST_CASE("one consumer of a slice is active, another takes over when it ends", "[consumer]") {
    consumer_database outbox;
    outbox.publish({"1"}, "k");
    once::consumer_options const quick{.reader = {.lease = 2s}, .deadline = 1s};
    consumer first{outbox.db, "s", write_effect, quick};
    consumer second{outbox.db, "s", write_effect, quick};
    CHECK(first.run_once().active);
    auto const standby = second.run_once();
    CHECK_FALSE(standby.active);
    CHECK(standby.idle());
    outbox.publish({"2"}, "k");
    CHECK(second.run_once().idle());
    CHECK(first.run_once().handled == 1);
    std::stop_source stop;
    stop.request_stop();
    first.run(stop.get_token());
    outbox.publish({"3"}, "k");
    CHECK(wait_until([&] { return second.run_once().handled == 1; }));
    CHECK(outbox.effects() == "1 2 3");
    CHECK(outbox.parked() == ""); // it ended in good order: nobody is suspect
}

TEST_CASE("after a takeover from one that died, its messages come one at a time", "[consumer]") {
    consumer_database outbox;
    outbox.publish({"1", "2", "3"}, "");
    // Somebody took the lease and is never heard of again.
    outbox.server.run("select once.acquire_lease('subscription/s/0', '100 milliseconds')");
    std::vector<int> attempts;
    consumer one{outbox.db, "s", [&](delivery const& d, once::transaction& tx) {
                     write_effect(d, tx);
                     attempts.push_back(d.attempt);
                 }};
    CHECK(wait_until([&] { return !one.run_once().idle(); }));
    drain(outbox, one);
    CHECK(outbox.effects() == "1 2 3");
    CHECK(attempts == std::vector{2, 2, 2});
}

TEST_CASE("slices divide the messages by key, and each key stays in order", "[consumer]") {
    consumer_database outbox{{.slices = 2}};
    std::vector<message> messages;
    for (int i = 0; i < 100; ++i) {
        messages.push_back(
            {.topic = "t", .key = std::to_string(i % 10), .payload = once::body::text(std::to_string(i))});
    }
    outbox.publish(messages);
    consumer even{outbox.db, "s", write_effect, {.reader = {.slice = 0}}};
    consumer odd{outbox.db, "s", write_effect, {.reader = {.slice = 1}}};
    auto const first = drain(outbox, even).handled;
    auto const second = drain(outbox, odd).handled;
    CHECK(first + second == 100);
    CHECK(first > 0);
    CHECK(second > 0);
    CHECK(outbox.server.ask("select bool_and(later) from (select what::int > lag(what::int) over "
                            "(partition by what::int % 10 order by id) as later from effect) as o") == "t");
}

TEST_CASE("topics choose, and a paused subscription waits", "[consumer]") {
    consumer_database outbox{{.topics = {"a.*", "b"}}};
    outbox.publish({message{.topic = "a.x", .payload = once::body::text("1")},
                    message{.topic = "a", .payload = once::body::text("2")},
                    message{.topic = "b", .payload = once::body::text("3")},
                    message{.topic = "b.x", .payload = once::body::text("4")}});
    consumer one{outbox.db, "s", write_effect};
    std::ignore =
        once::transact(outbox.db, [](once::transaction& tx) { CHECK(once::pause_subscription(tx, "s")); });
    CHECK_THROWS_AS(one.run_once(), pqxx::sql_error);
    {
        std::jthread const worker{[&](std::stop_token const& stop) { one.run(stop); }};
        std::ignore = once::transact(
            outbox.db, [](once::transaction& tx) { CHECK(once::pause_subscription(tx, "s", false)); });
        CHECK(wait_until([&] { return outbox.effects() == "1 3"; }));
    }
    std::ignore = once::transact(outbox.db, [](once::transaction& tx) {
        CHECK(once::unsubscribe(tx, "s"));
        CHECK_FALSE(once::unsubscribe(tx, "s"));
    });
    CHECK_THROWS_AS(one.run({}), pqxx::sql_error); // no such subscription: nothing to wait for
}

TEST_CASE("a stop in the middle of a batch commits what is done and loses nothing", "[consumer]") {
    consumer_database outbox;
    outbox.publish({"1", "2", "3", "4"}, "k");
    std::stop_source stop;
    consumer one{outbox.db, "s", [&](delivery const& d, once::transaction& tx) {
                     write_effect(d, tx);
                     if (d.payload.data() == "2") {
                         stop.request_stop();
                     }
                 }};
    CHECK(one.run(stop.get_token()).handled == 2);
    CHECK(outbox.effects() == "1 2");
    consumer next{outbox.db, "s", write_effect};
    drain(outbox, next); // at once: the lease was given back
    CHECK(outbox.effects() == "1 2 3 4");
}

TEST_CASE("options of consumers and subscriptions have their bounds", "[consumer]") {
    consumer_database outbox;
    auto const refused = [&](once::consumer_options const& options) {
        return refused_field([&] { consumer const one{outbox.db, "s", write_effect, options}; });
    };
    CHECK(refused({}) == "accepted");
    CHECK(refused({.reader = {.lease = 1s}, .deadline = 600ms}) == "consumer_options.deadline");
    CHECK(refused({.reader = {.lease = 999ms}}) == "reader_options.lease");
    CHECK(refused({.reader = {.slice = -1}}) == "reader_options.slice");
    CHECK(refused({.reader = {.batch_messages = 0}}) == "reader_options.batch_messages");
    CHECK(refused({.reader = {.gather = -1ms}}) == "reader_options.gather");
    CHECK(refused({.reader = {.gather = 1001ms}}) == "reader_options.gather");
    CHECK(refused({.reader = {.gather = 0ms}}) == "accepted");
    CHECK(refused({.reader = {.gather = 1s}}) == "accepted");
    CHECK(refused({.max_attempts = 0}) == "consumer_options.max_attempts");
    auto const subscribed = [&](std::string const& name, once::subscription_options const& options) {
        pqxx::connection connection{outbox.server.dsn()};
        pqxx::work tx{connection};
        return refused_field([&] { return once::subscribe(tx, name, options) ? "made" : "there"; });
    };
    CHECK(subscribed("s", {}) == "there");
    CHECK(subscribed("x", {.from = std::chrono::sys_days{std::chrono::year{2020} / 1 / 1}}) == "made");
    CHECK(subscribed("", {}) == "subscription");
    CHECK(subscribed(std::string(64, 'x'), {}) == "subscription");
    CHECK(subscribed("x", {.topics = {"a b"}}) == "subscription_options.topics");
    CHECK(subscribed("x", {.topics = {"*"}}) == "subscription_options.topics");
    CHECK(subscribed("x", {.slices = 65}) == "subscription_options.slices");
    CHECK(subscribed("x", {.backoff_base = 2s, .backoff_cap = 1s}) == "subscription_options.backoff_base");
    CHECK(subscribed("x", {.expire_after = 59s}) == "subscription_options.expire_after");
}
