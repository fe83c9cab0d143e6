// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// The Redis publisher against a real server.
#include <once/error.hpp>
#include <once/redis_publisher.hpp>

#include "brokers/redis/support/far_end.hpp"
#include "brokers/support/publishing.hpp"
#include "support/publisher_conformance.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <atomic>
#include <csignal>
#include <thread>

using namespace once;
using namespace once::testing;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;
using enum publish_result;

namespace {

redis_options options_of(redis_stream const& stream, broker_form form = broker_form::plain) {
    return {.messages = {.name = stream.prefix() + "{topic}", .form = form}};
}

class redis_receiver final : public receiver_under_test {
public:
    redis_receiver(broker_server& server, broker_form form)
        : m_server{server}, m_stream{server}, m_form{form} {}
    std::unique_ptr<publisher> make_publisher() override {
        return std::make_unique<redis_publisher>(m_server.url(), options_of(m_stream, m_form));
    }
    std::vector<arrival> arrivals() override {
        std::vector<arrival> made;
        bool const plain = m_form == broker_form::plain;
        for (auto const& entry : m_stream.entries()) {
            made.push_back({message_id::parse(entry.field(plain ? "id" : "ce_id")),
                            entry.field(plain ? "topic" : "ce_type"),
                            entry.field(plain ? "key" : "ce_partitionkey"), entry.field("payload")});
        }
        return made;
    }
    // A real server cannot be told to do that with one message; the scripted broker of the unit tests can.
    [[nodiscard]] bool can(mishap /*what*/) const override { return false; }
    void plan(message_id const& /*id*/, mishap /*what*/) override {}
    void forget_plans() override {}
    void go_away() override { m_server.kill(); }
    void come_back() override { m_server.start(); }

private:
    broker_server& m_server;
    redis_stream m_stream;
    broker_form m_form;
};

/// The URL with another user and password.
std::string as_user(broker_server const& server, std::string const& login) {
    auto const url = server.url();
    return "redis://" + login + url.substr(url.find('@'));
}

} // namespace

TEST_CASE("the Redis publisher keeps the rules of publishers, its server killed with -9", "[redis]") {
    broker_server server{"REDIS"};
    redis_receiver receiver{server, broker_form::plain};
    CHECK(to_text(check_conformance(receiver)) == "");
}

TEST_CASE("the Redis publisher keeps the rules with CloudEvents, its server killed with -9", "[redis]") {
    broker_server server{"REDIS"};
    redis_receiver receiver{server, broker_form::cloud_event_binary};
    CHECK(to_text(check_conformance(receiver)) == "");
}

TEST_CASE("an entry of Redis has a field for each header and the payload, byte for byte", "[redis]") {
    broker_server const server{"REDIS"};
    redis_stream stream{server};
    redis_publisher publisher{server.url(), options_of(stream)};
    auto message = make_delivery(" Größe \"%\\ ", body::bytes(std::string{"a\0\r\nb", 5}, "x/y"));
    message.headers = {{"x-empty", ""}, {"x y:z", " Größe "}, {"payload", "stolen"}, {"ID", "stolen"}};
    REQUIRE(publish_one(publisher, message).answers.at(0).result == accepted);
    auto fields = stream.entries().at(0).fields;
    CHECK(fields.at(3).first == "time");
    fields.erase(fields.begin() + 3);
    CHECK(fields ==
          std::vector<std::pair<std::string, std::string>>{{"id", message.id.to_string()},
                                                           {"topic", "orders.placed"},
                                                           {"key", message.key},
                                                           {"content-type", "x/y"},
                                                           {"x-empty", ""},
                                                           {"x y:z", " Größe "},
                                                           {"payload", std::string{"a\0\r\nb", 5}}});
}

TEST_CASE("a stream of Redis that is not there is named and not made, unless that is asked for", "[redis]") {
    broker_server const server{"REDIS"};
    redis_stream stream{server};
    auto options = options_of(stream);
    redis_publisher publisher{server.url(), options};
    auto message = make_delivery("k", body::text("x"));
    message.topic = "orders.paid";
    auto const name = stream.prefix() + "orders.paid";
    CHECK_THAT(publish_one(publisher, message).unavailable.value_or(""),
               ContainsSubstring("there is no stream " + name));
    // Beside one that is there, it is that message alone; what is behind it waits.
    std::vector<delivery> messages{message, make_delivery("k", body::text("y")),
                                   make_delivery("l", body::text("z"))};
    auto const report = publisher.publish(messages, soon());
    CHECK(results_of(report) == std::vector{retry, not_sent, accepted});
    CHECK_FALSE(report.unavailable);
    CHECK(stream.client().ask({"EXISTS", name}).number == 0);
    options.make_streams = true;
    redis_publisher maker{server.url(), options};
    CHECK(publish_one(maker, message).answers.at(0).result == accepted);
    CHECK(stream.client().ask({"XLEN", name}).number == 1);
    stream.client().ask({"DEL", name});
    stream.client().ask({"SET", name, "no stream"});
    CHECK_THAT(publish_one(maker, message).unavailable.value_or(""), ContainsSubstring("WRONGTYPE"));
    stream.client().ask({"DEL", name});
}

TEST_CASE("a wrong password makes Redis unavailable, and no text shows it", "[redis]") {
    broker_server const server{"REDIS"};
    for (std::string const login : {":hunter2", "once:hunter2", "h%75nter2:hunter2"}) {
        redis_publisher publisher{as_user(server, login)};
        auto const report = publish_one(publisher, make_delivery("k", body::text("x")));
        CHECK_THAT(report.unavailable.value_or(""), ContainsSubstring("refused user and password"));
        CHECK_THAT(report.unavailable.value_or(""), !ContainsSubstring("hunter2"));
    }
    auto const host = server.url().substr(server.url().find('@') + 1);
    redis_publisher without{"redis://" + host};
    CHECK_THAT(publish_one(without, make_delivery("k", body::text("x"))).unavailable.value_or(""),
               ContainsSubstring("NOAUTH"));
}

TEST_CASE("a user of Redis may be allowed no more than XADD to its streams", "[redis]") {
    broker_server const server{"REDIS"};
    redis_stream stream{server};
    // What docs/redis.md tells people to grant.
    stream.client().ask({"ACL", "SETUSER", "relay", "on", ">p%ss word", "%W~" + stream.prefix() + "*",
                         "+xadd", "+multi", "+exec"});
    std::string said;
    auto options = options_of(stream);
    options.user = "relay";
    options.password = "p%ss word";
    options.log = [&](std::string_view line) { said += line; };
    redis_publisher publisher{server.url(), options};
    CHECK(publish_one(publisher, make_delivery("k", body::text("x"))).answers.at(0).result == accepted);
    CHECK(said.empty());
    redis_publisher in_url{as_user(server, "relay:p%25ss%20word"), options_of(stream)};
    CHECK(publish_one(in_url, make_delivery("k", body::text("x"))).answers.at(0).result == accepted);
    options.messages.name = "elsewhere";
    redis_publisher elsewhere{server.url(), options};
    CHECK_THAT(publish_one(elsewhere, make_delivery("k", body::text("x"))).unavailable.value_or(""),
               ContainsSubstring("NOPERM"));
    stream.client().ask({"ACL", "DELUSER", "relay"});
}

TEST_CASE("without memory Redis is unavailable, and nothing of the batch is there", "[redis]") {
    broker_server const server{"REDIS"};
    redis_stream stream{server};
    redis_publisher publisher{server.url(), options_of(stream)};
    std::vector<delivery> messages;
    for (int i = 0; i < 20; ++i) {
        messages.push_back(make_delivery("key " + std::to_string(i % 3), body::text("x")));
    }
    stream.client().ask({"CONFIG", "SET", "maxmemory", "1mb"});
    auto const report = publisher.publish(messages, soon());
    stream.client().ask({"CONFIG", "SET", "maxmemory", "0"});
    CHECK_THAT(report.unavailable.value_or(""), ContainsSubstring("OOM"));
    CHECK(stream.entries().empty());
    CHECK(results_of(publisher.publish(messages, soon())) == std::vector(20, accepted));
}

TEST_CASE("a message counts only when so many replicas of Redis have it as are wanted", "[redis]") {
    broker_server const server{"REDIS"};
    redis_stream stream{server};
    auto options = options_of(stream);
    options.wait_replicas = 1;
    redis_publisher publisher{server.url(), options};
    auto const report = publisher.publish(std::vector{make_delivery("k", body::text("x"))},
                                          std::chrono::steady_clock::now() + 400ms);
    CHECK_THAT(report.unavailable.value_or(""), ContainsSubstring("0 of 1 replicas"));
    CHECK(report.answers.at(0).result == retry);
    CHECK(stream.entries().size() == 1);
}

TEST_CASE("a stream of Redis is cut where that is wanted", "[redis]") {
    broker_server const server{"REDIS"};
    redis_stream stream{server};
    auto options = options_of(stream);
    options.max_length = 100;
    redis_publisher publisher{server.url(), options};
    std::vector<delivery> messages;
    for (int i = 0; i < 1000; ++i) {
        messages.push_back(make_delivery("", body::text("x")));
    }
    CHECK(results_of(publisher.publish(messages, soon())) == std::vector(1000, accepted));
    CHECK(stream.client().ask({"XLEN", stream.name()}).number < 300);
}

TEST_CASE("a call ends by its deadline when Redis stands still, and costs nobody an attempt", "[redis]") {
    broker_server const server{"REDIS"};
    redis_stream const stream{server};
    redis_publisher publisher{server.url(), options_of(stream)};
    REQUIRE(publish_one(publisher, make_delivery("k", body::text("x"))).answers.at(0).result == accepted);
    std::vector<delivery> messages;
    for (int i = 0; i < 300; ++i) { // more than buffers of the system take
        messages.push_back(make_delivery("key " + std::to_string(i), body::text(std::string(100'000, 'x'))));
    }
    server.stop();
    for (int i = 0; i < 2; ++i) { // with a connection, and without
        auto const deadline = std::chrono::steady_clock::now() + 1s;
        auto const report = publisher.publish(messages, deadline);
        CHECK(std::chrono::steady_clock::now() < deadline + 3s);
        CHECK(report.unavailable);
        CHECK(results_of(report) == std::vector(300, not_sent));
    }
    server.go_on();
    CHECK(results_of(publisher.publish(messages, soon())) == std::vector(300, accepted));
}

TEST_CASE("in Redis the order of each key survives kills of the server, and nothing is lost", "[redis]") {
    broker_server const server{"REDIS"};
    redis_stream stream{server};
    redis_publisher publisher{server.url(), options_of(stream)};
    constexpr std::size_t count = 20'000;
    publish_through_kills(server, publisher,
                          {.messages = count, .together = 1000, .times = 3, .apart = count / 4});
    std::vector<far_message> arrived;
    for (auto const& entry : stream.entries()) {
        arrived.push_back({entry.field("id"), entry.field("key"), std::stol(entry.field("payload"))});
    }
    check_growing(arrived, count);
}

TEST_CASE("a Redis that ends costs the process no SIGPIPE, and takes none away", "[redis]") {
    broker_server const server{"REDIS"};
    redis_stream const stream{server};
    redis_publisher publisher{server.url(), options_of(stream)};
    static std::atomic<int> raised = 0;
    auto* const before = std::signal(SIGPIPE, [](int) { ++raised; });
    std::vector<delivery> const messages(1, make_delivery("k", body::text(std::string(1'000'000, 'x'))));
    REQUIRE(publisher.publish(messages, soon()).answers.at(0).result == accepted);
    std::jthread const killer{[&] { server.kill(); }};
    for (int i = 0; i < 1000 && !publisher.publish(messages, soon()).unavailable; ++i) {
    }
    CHECK(raised == 0);
    std::raise(SIGPIPE);
    CHECK(raised == 1);
    std::signal(SIGPIPE, before);
}

TEST_CASE("a Redis that cannot keep the promise is named in the log", "[redis]") {
    broker_server const server{"REDIS"};
    redis_stream stream{server};
    auto options = options_of(stream);
    std::string said;
    options.log = [&](std::string_view line) { said.append(line).append("\n"); };
    auto const connect = [&] {
        said.clear();
        redis_publisher publisher{server.url(), options};
        CHECK(publish_one(publisher, make_delivery("k", body::text("x"))).answers.at(0).result == accepted);
        return said;
    };
    CHECK(connect().empty());
    auto& client = stream.client();
    client.ask({"CONFIG", "SET", "appendfsync", "everysec"});
    CHECK_THAT(connect(), ContainsSubstring("appendfsync everysec"));
    client.ask({"CONFIG", "SET", "appendfsync", "always"});
    client.ask({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"});
    CHECK_THAT(connect(), ContainsSubstring("maxmemory-policy allkeys-lru"));
    client.ask({"CONFIG", "SET", "maxmemory-policy", "noeviction"});
    client.ask({"CONFIG", "SET", "appendonly", "no"});
    CHECK_THAT(connect(), ContainsSubstring("no append-only file"));
    client.ask({"CONFIG", "SET", "appendonly", "yes"});
    CHECK(connect().empty());
}

TEST_CASE("wrong options of Redis are refused, by name and without secrets", "[redis]") {
    auto const refused = [](char const* url, redis_options const& options, char const* field) {
        CHECK_THROWS_MATCHES((redis_publisher{url, options}), invalid_argument,
                             MessageMatches(ContainsSubstring(field) && !ContainsSubstring("hunter2")));
    };
    for (auto const* const url : {"", "http://a:hunter2@b", "redis://", "redis://:hunter2@",
                                  "redis://a:hunter2@b:x", "redis://a/x", "redis://a:70000", "redis://[::1",
                                  "redis://%4:hunter2@b", "redis://a:hunter2@b c", "redis://a:-1"}) {
        CAPTURE(url);
        refused(url, {}, "redis_publisher.url");
    }
    refused("rediss://a", {}, "TLS");
    refused("redis://a", {.wait_replicas = -1}, "redis_options.wait_replicas");
    refused("redis://a", {.connect_timeout = 0ms}, "redis_options.connect_timeout");
    refused("redis://a", {.messages = {.name = "{x}"}}, "broker_options.name");
    CHECK_NOTHROW(redis_publisher{"redis://u:p@[::1]:6380/3"});
}
