// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// The RabbitMQ publisher against a real broker.
#include <once/error.hpp>
#include <once/rabbitmq_publisher.hpp>

#include "brokers/rabbitmq/support/far_end.hpp"
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

rabbitmq_options options_of(rabbitmq_queue const& queue) {
    return {.messages = {.name = queue.name()}};
}

class rabbitmq_receiver final : public receiver_under_test {
public:
    explicit rabbitmq_receiver(broker_server& server) : m_server{server}, m_queue{server} {
        m_server.settle();
    }
    std::unique_ptr<publisher> make_publisher() override {
        return std::make_unique<rabbitmq_publisher>(m_server.url(), options_of(m_queue));
    }
    std::vector<arrival> arrivals() override {
        std::vector<arrival> made;
        for (auto const& one : m_queue.messages()) {
            made.push_back({message_id::parse(one.id), one.header("topic"), one.header("key"), one.body});
        }
        return made;
    }
    // A real broker cannot be told to do that with one message; the scripted one of the unit tests can.
    [[nodiscard]] bool can(mishap /*what*/) const override { return false; }
    void plan(message_id const& /*id*/, mishap /*what*/) override {}
    void forget_plans() override {}
    void go_away() override {
        static_cast<void>(arrivals());
        m_server.kill();
    }
    void come_back() override { m_server.start(); }

private:
    broker_server& m_server;
    rabbitmq_queue m_queue;
};

} // namespace

TEST_CASE("the RabbitMQ publisher keeps the rules of publishers, its broker killed with -9", "[rabbitmq]") {
    broker_server server{"RABBITMQ"};
    rabbitmq_receiver receiver{server};
    CHECK(to_text(check_conformance(receiver)) == "");
}

TEST_CASE("a message in RabbitMQ is persistent and has its id, headers and payload byte for byte",
          "[rabbitmq]") {
    broker_server const server{"RABBITMQ"};
    rabbitmq_queue queue{server};
    rabbitmq_publisher publisher{server.url(), options_of(queue)};
    auto message = make_delivery(" Größe \"%\\ ", body::bytes(std::string{"a\0\r\nb", 5}, "x/y"));
    message.headers = {{"x-empty", ""}, {"x y:z", " Größe "}, {"ID", "stolen"}};
    REQUIRE(publish_one(publisher, message).answers.at(0).result == accepted);
    auto found = queue.messages().at(0);
    CHECK(found.id == message.id.to_string());
    CHECK(found.delivery_mode == 2);
    CHECK(found.content_type == "x/y");
    CHECK(found.body == std::string{"a\0\r\nb", 5});
    // x-delivery-count is of the quorum queue itself. The broker sorts headers.
    std::erase_if(found.headers,
                  [](auto const& one) { return one.first == "time" || one.first == "x-delivery-count"; });
    std::ranges::sort(found.headers);
    CHECK(found.headers == std::vector<std::pair<std::string, std::string>>{{"content-type", "x/y"},
                                                                            {"id", message.id.to_string()},
                                                                            {"key", message.key},
                                                                            {"topic", "orders.placed"},
                                                                            {"x y:z", " Größe "},
                                                                            {"x-empty", ""}});
    message.headers = {{std::string(256, 'x'), ""}};
    CHECK(publish_one(publisher, message).answers.at(0).result == rejected);
}

TEST_CASE("what no queue of RabbitMQ gets is not accepted, and an exchange that is not there is named",
          "[rabbitmq]") {
    broker_server const server{"RABBITMQ"};
    rabbitmq_queue queue{server};
    auto options = options_of(queue);
    options.messages.topic_map = {{"orders.paid", "nowhere"}};
    rabbitmq_publisher publisher{server.url(), options};
    auto message = make_delivery("k", body::text(std::string(300'000, 'x'))); // comes back in several frames
    message.topic = "orders.paid";
    CHECK_THAT(publish_one(publisher, message).unavailable.value_or(""),
               ContainsSubstring("no queue gets what has the routing key nowhere"));
    std::vector<delivery> const messages{message, make_delivery("k", body::text("y")),
                                         make_delivery("l", body::text("z"))};
    auto const report = publisher.publish(messages, soon());
    CHECK(results_of(report) == std::vector{retry, not_sent, accepted});
    CHECK_FALSE(report.unavailable);
    options.allow_unroutable = true;
    rabbitmq_publisher careless{server.url(), options};
    CHECK(publish_one(careless, message).answers.at(0).result == accepted);
    options.exchange = "no-such-exchange";
    rabbitmq_publisher lost{server.url(), options};
    CHECK_THAT(publish_one(lost, message).unavailable.value_or(""),
               ContainsSubstring("there is no exchange no-such-exchange"));
    CHECK(queue.messages().size() == 1);
}

TEST_CASE("a wrong password makes RabbitMQ unavailable, and no text shows it", "[rabbitmq]") {
    broker_server const server{"RABBITMQ"};
    auto const url = server.url();
    rabbitmq_publisher publisher{"amqp://once:hunter2" + url.substr(url.find('@'))};
    auto const report = publish_one(publisher, make_delivery("k", body::text("x")));
    CHECK_THAT(report.unavailable.value_or(""), ContainsSubstring("refused user and password"));
    CHECK_THAT(report.unavailable.value_or(""), !ContainsSubstring("hunter2"));
}

TEST_CASE("RabbitMQ over TLS is used with the certificate that is trusted, and with no other", "[rabbitmq]") {
    broker_server const server{"RABBITMQ"};
    rabbitmq_queue queue{server};
    auto options = options_of(queue);
    options.ca_file = server.ca_file();
    auto const message = make_delivery("k", body::text("x"));
    rabbitmq_publisher publisher{server.variable("_TLS"), options};
    CHECK(publish_one(publisher, message).answers.at(0).result == accepted);
    options.ca_file = "/etc/ssl/certs/ca-certificates.crt";
    rabbitmq_publisher distrustful{server.variable("_TLS"), options};
    CHECK(publish_one(distrustful, message).unavailable);
    // librabbitmq compares names only, also where the certificate has the address: refused rather than not looked at.
    auto by_address = server.variable("_TLS");
    by_address.replace(by_address.find("localhost"), 9, "127.0.0.1");
    options.ca_file = server.ca_file();
    rabbitmq_publisher addressed{by_address, options};
    CHECK_THAT(publish_one(addressed, message).unavailable.value_or(""),
               ContainsSubstring("the certificate is not for 127.0.0.1"));
    CHECK(queue.messages().size() == 1);
}

TEST_CASE("a full queue of RabbitMQ takes the messages once there is room", "[rabbitmq]") {
    broker_server const server{"RABBITMQ"};
    rabbitmq_queue queue{server, 5};
    rabbitmq_publisher publisher{server.url(), options_of(queue)};
    std::vector<delivery> messages;
    for (int i = 0; i < 8; ++i) {
        messages.push_back(make_delivery("k", body::text("x")));
    }
    auto const report = publisher.publish(messages, soon());
    CHECK(results_of(report) ==
          std::vector{accepted, accepted, accepted, accepted, accepted, retry, not_sent, not_sent});
    std::vector<delivery> const rest{messages.begin() + 5, messages.end()};
    CHECK_THAT(publisher.publish(rest, soon()).unavailable.value_or(""),
               ContainsSubstring("a queue did not take it"));
    queue.purge();
    CHECK(results_of(publisher.publish(rest, soon())) == std::vector(3, accepted));
}

TEST_CASE("a call ends by its deadline when RabbitMQ stands still, and costs nobody an attempt",
          "[rabbitmq]") {
    broker_server const server{"RABBITMQ"};
    rabbitmq_queue const queue{server};
    rabbitmq_publisher publisher{server.url(), options_of(queue)};
    REQUIRE(publish_one(publisher, make_delivery("k", body::text("x"))).answers.at(0).result == accepted);
    std::vector<delivery> messages;
    for (int i = 0; i < 200; ++i) { // more than buffers of the system take
        messages.push_back(make_delivery("key " + std::to_string(i), body::text(std::string(100'000, 'x'))));
    }
    server.stop();
    for (int i = 0; i < 2; ++i) { // with a connection, and without
        auto const deadline = std::chrono::steady_clock::now() + 1s;
        auto const report = publisher.publish(messages, deadline);
        CHECK(std::chrono::steady_clock::now() < deadline + 3s);
        CHECK(report.unavailable);
        CHECK(results_of(report) == std::vector(200, not_sent));
    }
    server.go_on();
    CHECK(wait_until(
        [&] { return results_of(publisher.publish(messages, soon())) == std::vector(200, accepted); }));
}

TEST_CASE("a call ends by its deadline when RabbitMQ raises its memory alarm, and goes on after it",
          "[rabbitmq]") {
    broker_server const server{"RABBITMQ"};
    rabbitmq_queue queue{server};
    rabbitmq_publisher publisher{server.url(), options_of(queue)};
    auto const small = make_delivery("k", body::text("x"));
    REQUIRE(publish_one(publisher, small).answers.at(0).result == accepted);
    std::vector<delivery> messages;
    for (int i = 0; i < 200; ++i) { // more than buffers of the system take
        messages.push_back(make_delivery("key " + std::to_string(i), body::text(std::string(100'000, 'x'))));
    }
    server.alarm();
    struct calm_again {
        broker_server const& server;
        ~calm_again() { server.calm(); }
    };
    {
        calm_again const guard{server};
        for (int i = 0; i < 3; ++i) { // with a connection, and with new ones
            auto const deadline = std::chrono::steady_clock::now() + 1s;
            auto const report = publisher.publish(messages, deadline);
            CHECK(std::chrono::steady_clock::now() < deadline + 3s);
            CHECK(report.unavailable);
            CHECK(results_of(report) == std::vector(200, not_sent));
        }
        auto const report = publish_one(publisher, small);
        CHECK_THAT(report.unavailable.value_or(""), ContainsSubstring("takes nothing at present"));
        CHECK(report.answers.at(0).result == not_sent);
    }
    CHECK(wait_until(
        [&] { return results_of(publisher.publish(messages, soon())) == std::vector(200, accepted); }));
}

TEST_CASE("in RabbitMQ the order of each key survives kills of the broker, and nothing is lost",
          "[rabbitmq]") {
    broker_server const server{"RABBITMQ"};
    rabbitmq_queue queue{server};
    server.settle();
    rabbitmq_publisher publisher{server.url(), options_of(queue)};
    constexpr std::size_t count = 4'000;
    publish_through_kills(
        server, publisher,
        {.messages = count, .together = 500, .times = 1, .apart = count / 3, .patience = 60s});
    std::vector<far_message> arrived;
    CHECK(wait_until([&] { return queue.messages().size() >= count; }));
    for (auto const& one : queue.messages()) {
        arrived.push_back({one.id, one.header("key"), std::stol(one.body)});
    }
    check_growing(arrived, count);
}

TEST_CASE("wrong options of RabbitMQ are refused, by name and without secrets", "[rabbitmq]") {
    auto const refused = [](char const* url, rabbitmq_options const& options, char const* field) {
        CHECK_THROWS_MATCHES((rabbitmq_publisher{url, options}), invalid_argument,
                             MessageMatches(ContainsSubstring(field) && !ContainsSubstring("hunter2")));
    };
    for (auto const* const url :
         {"", "http://a:hunter2@b", "amqp://", "amqp://a:hunter2@b:x", "amqp://a:hunter2@b c"}) {
        CAPTURE(url);
        refused(url, {}, "rabbitmq_publisher.url");
    }
    refused("amqps://a", {}, "rabbitmq_options.ca_file");
    refused("amqp://a", {.connect_timeout = 0ms}, "rabbitmq_options.connect_timeout");
    refused("amqp://a", {.exchange = std::string(200, 'x')}, "rabbitmq_options.exchange");
    refused("amqp://a", {.key_file = "x"}, "rabbitmq_options.certificate_file");
    refused("amqp://a", {.messages = {.name = "{x}"}}, "broker_options.name");
}
