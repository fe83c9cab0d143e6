// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// The Kafka publisher against a real broker.
#include <once/error.hpp>
#include <once/kafka_publisher.hpp>

#include "brokers/kafka/support/far_end.hpp"
#include "brokers/support/publishing.hpp"
#include "support/publisher_conformance.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <algorithm>

using namespace once;
using namespace once::testing;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;
using enum publish_result;

namespace {

kafka_options options_of(kafka_topic const& topic, broker_form form = broker_form::plain) {
    return {.messages = {.name = topic.name(), .form = form}};
}

class kafka_receiver final : public receiver_under_test {
public:
    explicit kafka_receiver(broker_server& server)
        : m_server{server}, m_topic{server, {{"max.message.bytes", "2000000"}}} {}
    std::unique_ptr<publisher> make_publisher() override {
        return std::make_unique<kafka_publisher>(m_server.url(), options_of(m_topic));
    }
    std::vector<arrival> arrivals() override {
        if (m_away) {
            return m_arrivals;
        }
        auto const& all = m_topic.records();
        for (; m_seen < all.size(); ++m_seen) {
            auto const& one = all[m_seen];
            m_arrivals.push_back(
                {message_id::parse(one.header("id")), one.header("topic"), one.key.value_or(""), one.value});
        }
        return m_arrivals;
    }
    // A real broker cannot be told to do that with one message; the scripted one of the unit tests can.
    [[nodiscard]] bool can(mishap /*what*/) const override { return false; }
    void plan(message_id const& /*id*/, mishap /*what*/) override {}
    void forget_plans() override {}
    void go_away() override {
        m_server.kill();
        m_away = true;
    }
    void come_back() override {
        m_server.start();
        m_away = false;
    }

private:
    broker_server& m_server;
    kafka_topic m_topic;
    bool m_away = false;
    std::size_t m_seen = 0;
    std::vector<arrival> m_arrivals;
};

} // namespace

TEST_CASE("the Kafka publisher keeps the rules of publishers, its broker killed with -9", "[kafka]") {
    broker_server server{"KAFKA"};
    kafka_receiver receiver{server};
    CHECK(to_text(check_conformance(receiver)) == "");
}

TEST_CASE("a record of Kafka has key, headers and payload byte for byte", "[kafka]") {
    broker_server const server{"KAFKA"};
    kafka_topic topic{server, {}, 1};
    kafka_publisher publisher{server.url(), options_of(topic)};
    auto message = make_delivery(" Größe \"%\\ ", body::bytes(std::string{"a\0\r\nb", 5}, "x/y"));
    message.headers = {{"x-empty", ""}, {"x y:z", " Größe "}, {"ID", "stolen"}, {"ce_id", "stolen"}};
    auto empty = make_delivery("", body{});
    REQUIRE(publish_one(publisher, message).answers.at(0).result == accepted);
    REQUIRE(publish_one(publisher, empty).answers.at(0).result == accepted);
    auto record = topic.records().at(0);
    CHECK(record.key == message.key);
    CHECK(record.value == std::string{"a\0\r\nb", 5});
    std::erase_if(record.headers, [](auto const& one) { return one.first == "time"; });
    CHECK(record.headers == std::vector<std::pair<std::string, std::string>>{{"id", message.id.to_string()},
                                                                             {"topic", "orders.placed"},
                                                                             {"key", message.key},
                                                                             {"content-type", "x/y"},
                                                                             {"x-empty", ""},
                                                                             {"x y:z", " Größe "}});
    CHECK_FALSE(topic.records().at(1).key);
    kafka_publisher events{server.url(), options_of(topic, broker_form::cloud_event_binary)};
    REQUIRE(publish_one(events, message).answers.at(0).result == accepted);
    CHECK(topic.records().at(2).header("ce_partitionkey") == message.key);
    CHECK(topic.records().at(2).header("ce_id") == message.id.to_string());
}

TEST_CASE("a topic of Kafka that is not there is named and not made", "[kafka]") {
    broker_server const server{"KAFKA"};
    kafka_topic topic{server};
    auto options = options_of(topic);
    auto const missing = unique_name("missing");
    options.messages.topic_map = {{"orders.paid", missing}, {"orders.*", topic.name()}};
    kafka_publisher publisher{server.url(), options};
    auto message = make_delivery("k", body::text("x"));
    message.topic = "orders.paid";
    for (int i = 0; i < 2; ++i) { // asking makes no topic
        CHECK_THAT(publish_one(publisher, message).unavailable.value_or(""),
                   ContainsSubstring("there is no topic " + missing));
    }
    // Beside one that is there, it is that message alone; what is behind it waits.
    std::vector<delivery> const messages{message, make_delivery("k", body::text("y")),
                                         make_delivery("l", body::text("z"))};
    auto const report = publisher.publish(messages, soon());
    CHECK(results_of(report) == std::vector{retry, not_sent, accepted});
    CHECK_FALSE(report.unavailable);
    CHECK(topic.records().size() == 1);
}

TEST_CASE("what is too large for a topic is rejected with the limit, and small ones are not held liable for "
          "their sum",
          "[kafka]") {
    broker_server const server{"KAFKA"};
    kafka_topic topic{server, {{"max.message.bytes", "20000"}}, 1};
    kafka_publisher publisher{server.url(), options_of(topic)};
    std::vector<delivery> messages{make_delivery("a", body::text(std::string(30'000, 'x'))),
                                   make_delivery("a", body::text("behind"))};
    for (int i = 0; i < 200; ++i) {
        messages.push_back(make_delivery("key " + std::to_string(i), body::text(std::string(1'000, 'x'))));
    }
    auto const report = publisher.publish(messages, soon());
    REQUIRE(report.answers.size() == 202);
    CHECK(report.answers[0].result == rejected);
    CHECK_THAT(report.answers[0].error, ContainsSubstring("max.message.bytes of the topic is 20000"));
    CHECK(report.answers[1].result == not_sent);
    CHECK(std::ranges::count(report.answers, accepted, &publish_answer::result) == 200);
    CHECK(topic.records().size() == 200);
    // Smaller than the limit by itself, and larger with what the record needs: the broker says so.
    auto const edge = publish_one(publisher, make_delivery("b", body::text(std::string(19'850, 'x'))));
    CHECK(edge.answers.at(0).result == rejected);
    CHECK_FALSE(edge.unavailable);
    // The payload of 1 MiB that once allows does not fit into a topic with the usual limit.
    kafka_topic usual{server};
    kafka_publisher to_usual{server.url(), options_of(usual)};
    auto const large = publish_one(to_usual, make_delivery("a", body::text(std::string(1'048'576, 'x'))));
    CHECK(large.answers.at(0).result == rejected);
    CHECK_THAT(large.answers.at(0).error, ContainsSubstring("1048588"));
    auto wrong = options_of(usual);
    wrong.messages.name = "two words";
    kafka_publisher named{server.url(), wrong};
    CHECK(publish_one(named, messages[1]).answers.at(0).result == rejected);
}

TEST_CASE("Kafka over TLS, with a password, is used where both are right, and named where one is not",
          "[kafka]") {
    broker_server const server{"KAFKA"};
    kafka_topic topic{server};
    auto options = options_of(topic);
    options.config = {{"security.protocol", "sasl_ssl"},
                      {"ssl.ca.location", server.ca_file()},
                      {"sasl.mechanisms", "PLAIN"},
                      {"sasl.username", server.variable("_USER")},
                      {"sasl.password", server.variable("_PASSWORD")}};
    auto const url = server.variable("_TLS");
    auto const message = make_delivery("k", body::text("x"));
    kafka_publisher publisher{url, options};
    CHECK(publish_one(publisher, message).answers.at(0).result == accepted);
    CHECK(topic.records().size() == 1);
    options.config.at("sasl.password") = "hunter2";
    kafka_publisher stranger{url, options};
    auto const begin = std::chrono::steady_clock::now();
    auto report = publish_one(stranger, message);
    CHECK(std::chrono::steady_clock::now() - begin < 4s);
    CHECK_THAT(report.unavailable.value_or(""), ContainsSubstring("refused user and password"));
    CHECK_THAT(report.unavailable.value_or(""), !ContainsSubstring("hunter2"));
    options.config.erase("ssl.ca.location");
    kafka_publisher distrustful{url, options};
    report = publish_one(distrustful, message);
    CHECK_THAT(report.unavailable.value_or(""), ContainsSubstring("certificate"));
}

TEST_CASE("a call ends by its deadline when Kafka stands still, and costs nobody an attempt", "[kafka]") {
    broker_server const server{"KAFKA"};
    kafka_topic const topic{server};
    kafka_publisher publisher{server.url(), options_of(topic)};
    REQUIRE(publish_one(publisher, make_delivery("k", body::text("x"))).answers.at(0).result == accepted);
    std::vector<delivery> messages;
    for (int i = 0; i < 300; ++i) {
        messages.push_back(make_delivery("key " + std::to_string(i), body::text(std::string(10'000, 'x'))));
    }
    server.stop();
    for (int i = 0; i < 2; ++i) { // with a connection, and without
        auto const deadline = std::chrono::steady_clock::now() + 1s;
        auto const report = publisher.publish(messages, deadline);
        CHECK(std::chrono::steady_clock::now() < deadline + 3s);
        CHECK(report.unavailable);
        for (auto const& answer : report.answers) {
            CHECK(answer.result == not_sent);
        }
    }
    server.go_on();
    CHECK(results_of(publisher.publish(messages, soon())) == std::vector(300, accepted));
}

TEST_CASE("in Kafka the order of each key survives kills of the broker, and nothing is lost", "[kafka]") {
    broker_server const server{"KAFKA"};
    kafka_topic topic{server};
    kafka_publisher publisher{server.url(), options_of(topic)};
    constexpr std::size_t count = 10'000;
    publish_through_kills(
        server, publisher,
        {.messages = count, .together = 500, .times = 2, .apart = count / 3, .patience = 60s});
    std::vector<far_message> arrived;
    for (auto const& record : topic.records()) {
        arrived.push_back({record.header("id"), record.key.value_or(""), std::stol(record.value)});
    }
    check_growing(arrived, count);
}

TEST_CASE("a topic that cannot keep the promise is named once in the log", "[kafka]") {
    broker_server const server{"KAFKA"};
    kafka_topic const topic{server};
    std::string said;
    auto options = options_of(topic);
    options.log = [&](std::string_view line) { said.append(line).append("\n"); };
    kafka_publisher publisher{server.url(), options};
    CHECK(publish_one(publisher, make_delivery("k", body::text("x"))).answers.at(0).result == accepted);
    CHECK(publish_one(publisher, make_delivery("k", body::text("x"))).answers.at(0).result == accepted);
    CHECK_THAT(said, ContainsSubstring("topic " + topic.name() + " has one replica"));
    CHECK(std::ranges::count(said, '\n') == 1);
}

TEST_CASE("wrong options of Kafka are refused, by name and without secrets", "[kafka]") {
    auto const refused = [](char const* brokers, kafka_options const& options, char const* field) {
        CHECK_THROWS_MATCHES((kafka_publisher{brokers, options}), invalid_argument,
                             MessageMatches(ContainsSubstring(field) && !ContainsSubstring("hunter2")));
    };
    refused("", {}, "kafka_publisher.brokers");
    refused("a:9092,", {}, "kafka_publisher.brokers");
    refused("a:hunter2@b:9092", {}, "kafka_publisher.brokers");
    refused("a", {.config = {{"acks", "1"}}}, "acks");
    refused("a", {.config = {{"enable.idempotence", "false"}}}, "enable.idempotence");
    refused("a", {.config = {{"transactional.id", "x"}}}, "transactional.id");
    refused("a", {.config = {{"no.such.property", "hunter2"}}}, "no.such.property");
    refused("a", {.config = {{"linger.ms", "hunter2"}}}, "linger.ms");
    refused("a", {.connect_timeout = 0ms}, "kafka_options.connect_timeout");
    refused("a", {.idle_grace = -1ms}, "kafka_options.idle_grace");
    refused("a", {.messages = {.name = "{x}"}}, "broker_options.name");
}
