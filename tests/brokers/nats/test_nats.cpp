// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// More than 400 lines: one claim for each way in which a server can answer.
// The NATS publisher against a real server.
#include <once/detail/broker_sender.hpp>
#include <once/error.hpp>
#include <once/nats_publisher.hpp>

#include "brokers/nats/support/far_end.hpp"
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

std::string percent_decoded(std::string const& text) {
    std::string made;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%') {
            made += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
            i += 2;
        } else {
            made += text[i];
        }
    }
    return made;
}

nats_options options_of(nats_stream const& stream, broker_form form = broker_form::plain) {
    return {.messages = {.name = stream.name() + ".{topic}", .form = form}, .stream = stream.name()};
}

class nats_receiver final : public receiver_under_test {
public:
    nats_receiver(broker_server& server, broker_form form)
        : m_server{server}, m_stream{server}, m_form{form} {}
    std::unique_ptr<publisher> make_publisher() override {
        return std::make_unique<nats_publisher>(m_server.url(), options_of(m_stream, m_form));
    }
    std::vector<arrival> arrivals() override {
        if (!m_away) {
            auto const& all = m_stream.records();
            for (; m_seen < all.size(); ++m_seen) {
                m_arrivals.push_back(arrival_of(all[m_seen]));
            }
        }
        return m_arrivals;
    }
    [[nodiscard]] bool absorbs_repeats() const override { return true; }
    // A real server cannot be told to do that with one message; the scripted broker of the unit tests can.
    [[nodiscard]] bool can(mishap /*what*/) const override { return false; }
    void plan(message_id const& /*id*/, mishap /*what*/) override {}
    void forget_plans() override {}
    void go_away() override {
        static_cast<void>(arrivals());
        m_server.kill();
        m_away = true;
    }
    void come_back() override {
        m_server.start();
        m_away = false;
    }

private:
    [[nodiscard]] arrival arrival_of(nats_record const& record) const {
        bool const plain = m_form == broker_form::plain;
        return {message_id::parse(record.header(plain ? "id" : "ce-id")),
                record.subject.substr(m_stream.name().size() + 1),
                percent_decoded(record.header(plain ? "key" : "ce-partitionkey")), record.body};
    }

    broker_server& m_server;
    nats_stream m_stream;
    broker_form m_form;
    bool m_away = false;
    std::size_t m_seen = 0;
    std::vector<arrival> m_arrivals;
};

/// The URL with another user and password.
std::string as_user(broker_server const& server, std::string const& user, std::string const& password) {
    auto const url = server.url();
    return "nats://" + user + ':' + password + url.substr(url.find('@'));
}

} // namespace

TEST_CASE("the NATS publisher keeps the rules of publishers, its server killed with -9", "[nats]") {
    broker_server server{"NATS"};
    nats_receiver receiver{server, broker_form::plain};
    CHECK(to_text(check_conformance(receiver)) == "");
}

TEST_CASE("the NATS publisher keeps the rules with CloudEvents, its server killed with -9", "[nats]") {
    broker_server server{"NATS"};
    nats_receiver receiver{server, broker_form::cloud_event_binary};
    CHECK(to_text(check_conformance(receiver)) == "");
}

TEST_CASE("a message in JetStream has its id, its key and its headers", "[nats]") {
    broker_server const server{"NATS"};
    nats_stream stream{server};
    nats_publisher publisher{server.url(), options_of(stream)};
    auto message = make_delivery(" Größe \"%\\ ", body::json_text("{ }"));
    message.headers = {{"x-empty", ""},       {"x-tenant", "blue"},   {"x-umlaut", "Größe, 100%"},
                       {"x-blank", " a "},    {"Nats-Rollup", "all"}, {"nats-msg-id", "stolen"},
                       {"x-tenant", "green"}, {"X-Tenant", "upper"},  {"id", "stolen"}};
    message.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    auto other = make_delivery("", body::text("y"));
    REQUIRE(publish_one(publisher, other).answers.at(0).result == accepted);
    REQUIRE(publish_one(publisher, message).answers.at(0).result == accepted);
    auto const& records = stream.records();
    REQUIRE(records.size() == 2); // a rollup would have removed the first one
    auto const& record = records.at(1);
    CHECK(record.subject == stream.name() + ".orders.placed");
    CHECK(record.body == "{ }");
    auto headers = record.headers;
    headers.erase("time");
    CHECK(headers == std::multimap<std::string, std::string>{{"id", message.id.to_string()},
                                                             {"topic", "orders.placed"},
                                                             {"key", detail::percent_encoded(message.key)},
                                                             {"content-type", "application/json"},
                                                             {"traceparent", message.traceparent},
                                                             {"x-tenant", "blue"},
                                                             {"x-tenant", "green"},
                                                             {"X-Tenant", "upper"},
                                                             {"x-umlaut", "Größe, 100%"},
                                                             {"Nats-Msg-Id", message.id.to_string()},
                                                             {"Nats-Expected-Stream", stream.name()}});
    message.headers = {{"a b", "c"}};
    auto const report = publish_one(publisher, message);
    CHECK(report.answers.at(0).result == rejected);
    CHECK_THAT(report.answers.at(0).error, ContainsSubstring("header names"));
}

TEST_CASE("what JetStream has already is accepted, and is there once", "[nats]") {
    broker_server const server{"NATS"};
    nats_stream stream{server};
    nats_publisher publisher{server.url(), options_of(stream)};
    auto const message = make_delivery("k", body::text("x"));
    CHECK(publish_one(publisher, message).answers.at(0).result == accepted);
    CHECK(publish_one(publisher, message).answers.at(0).result == accepted);
    CHECK(stream.records().size() == 1);
    auto options = options_of(stream);
    options.deduplicate = false;
    nats_publisher plain{server.url(), options};
    CHECK(publish_one(plain, message).answers.at(0).result == accepted);
    CHECK(stream.records().size() == 2);
}

TEST_CASE("a stream or a subject that is not there makes NATS unavailable, and is named", "[nats]") {
    broker_server const server{"NATS"};
    nats_stream const stream{server};
    nats_publisher no_stream{server.url(), {.stream = "nowhere"}};
    auto const message = make_delivery("k", body::text("x"));
    auto report = publish_one(no_stream, message);
    CHECK_THAT(report.unavailable.value_or(""), ContainsSubstring("there is no stream nowhere"));
    nats_publisher no_subject{server.url(), {.messages = {.name = "nobody.{topic}"}}};
    report = publish_one(no_subject, message);
    CHECK_THAT(report.unavailable.value_or(""),
               ContainsSubstring("no stream takes the subject nobody.orders.placed"));
    // One that another stream has is not taken for the right one.
    auto options = options_of(stream);
    nats_stream const other{server};
    options.messages.name = other.name() + ".x";
    nats_publisher elsewhere{server.url(), options};
    CHECK(publish_one(elsewhere, message).unavailable);
}

TEST_CASE("what is no acknowledgement of JetStream is never taken for one", "[nats]") {
    broker_server const server{"NATS"};
    auto const subject = unique_name("odd");
    nats_publisher publisher{server.url(), {.messages = {.name = subject}}};
    for (auto const* const text :
         {"", "{", "[]", "true", "{}", R"({"seq":1})", R"({"error":1,"seq":1,"stream":"s"})",
          R"({"error":{}})", R"({"error":{"err_code":"x","description":7}})",
          R"({"error":{"err_code":10054}})"}) {
        CAPTURE(text);
        nats_responder const responder{server, subject, text};
        auto const report = publish_one(publisher, make_delivery("k", body::text("x")));
        CHECK(report.answers.at(0).result != accepted);
        CHECK(!report.answers.at(0).error.empty());
    }
    nats_responder const responder{server, subject, R"({"seq":1,"stream":"s"})"};
    CHECK(publish_one(publisher, make_delivery("k", body::text("x"))).answers.at(0).result == accepted);
}

TEST_CASE("a wrong password makes NATS unavailable, and no text shows it", "[nats]") {
    broker_server const server{"NATS"};
    nats_publisher publisher{as_user(server, "once", "hunter2")};
    auto const report = publish_one(publisher, make_delivery("k", body::text("x")));
    CHECK_THAT(report.unavailable.value_or(""), ContainsSubstring("refused user and password"));
    CHECK_THAT(report.unavailable.value_or(""), !ContainsSubstring("hunter2"));
}

TEST_CASE("a right that is missing makes NATS unavailable at once, and is named", "[nats]") {
    broker_server const server{"NATS"};
    nats_stream stream{server, {.subject = "limited.>"}};
    auto const url = server.url();
    auto const password =
        url.substr(url.rfind(':', url.find('@')) + 1, url.find('@') - url.rfind(':', url.find('@')) - 1);
    nats_publisher publisher{as_user(server, "limited", password), {.messages = {.name = "{topic}"}}};
    auto message = make_delivery("k", body::text("x"));
    auto const begin = std::chrono::steady_clock::now();
    auto const report = publish_one(publisher, message);
    CHECK(std::chrono::steady_clock::now() - begin < 10s);
    CHECK_THAT(report.unavailable.value_or(""),
               ContainsSubstring("no right to publish to the subject orders.placed"));
    message.topic = "limited.topic";
    CHECK(publish_one(publisher, message).answers.at(0).result == accepted);
    CHECK(stream.records().size() == 1);
}

TEST_CASE("NATS over TLS is used with the certificate that is trusted, and with no other", "[nats]") {
    broker_server const server{"NATS"};
    nats_stream stream{server, {.tls = true}};
    auto const url = server.variable("_TLS");
    auto options = options_of(stream);
    auto const message = make_delivery("k", body::text("x"));
    nats_publisher distrustful{url, options};
    CHECK_THAT(publish_one(distrustful, message).unavailable.value_or(""), ContainsSubstring("certificate"));
    options.ca_file = server.ca_file();
    nats_publisher publisher{url, options};
    CHECK(publish_one(publisher, message).answers.at(0).result == accepted);
    CHECK(stream.records().size() == 1);
    nats_publisher plain_server{server.url(), options};
    CHECK_THAT(publish_one(plain_server, message).unavailable.value_or(""),
               ContainsSubstring("does not have it"));
    options.ca_file = "/nowhere";
    nats_publisher no_file{url, options};
    CHECK_THAT(publish_one(no_file, message).unavailable.value_or(""), ContainsSubstring("file"));
}

TEST_CASE("what is too large for the server or the stream is rejected with the limit, and stops nobody",
          "[nats]") {
    broker_server const server{"NATS"};
    nats_stream stream{server, {.max_message_bytes = 2000}};
    nats_publisher publisher{server.url(), options_of(stream)};
    std::vector<delivery> messages{
        make_delivery("a", body::text(std::string(3'000'000, 'x'))), make_delivery("a", body::text("behind")),
        make_delivery("b", body::text(std::string(3'000, 'x'))), make_delivery("c", body::text("fits"))};
    auto const report = publisher.publish(messages, soon());
    REQUIRE(report.answers.size() == 4);
    CHECK(report.answers[0].result == rejected);
    CHECK_THAT(report.answers[0].error, ContainsSubstring("max_payload of the server is 2097152"));
    CHECK(report.answers[1].result == not_sent);
    CHECK(report.answers[2].result == rejected);
    CHECK_THAT(report.answers[2].error, ContainsSubstring("max_msg_size"));
    CHECK(report.answers[3].result == accepted);
    CHECK_FALSE(report.unavailable);
    CHECK(stream.records().size() == 1);
    auto wrong = messages[3];
    wrong.service = "two words";
    auto options = options_of(stream);
    options.messages.name = stream.name() + ".{service}";
    nats_publisher named{server.url(), options};
    CHECK(publish_one(named, wrong).answers.at(0).result == rejected);
}

TEST_CASE("a full stream of NATS takes the messages once there is room", "[nats]") {
    broker_server const server{"NATS"};
    nats_stream stream{server, {.max_messages = 5}};
    nats_publisher publisher{server.url(), options_of(stream)};
    std::vector<delivery> messages;
    for (int i = 0; i < 8; ++i) {
        messages.push_back(make_delivery("k", body::text("x")));
    }
    auto const report = publisher.publish(messages, soon());
    CHECK(std::ranges::count(report.answers, accepted, &publish_answer::result) == 5);
    CHECK(report.answers[5].result == retry);
    CHECK(report.answers[6].result == not_sent);
    std::vector<delivery> const rest{messages.begin() + 5, messages.end()};
    CHECK_THAT(publisher.publish(rest, soon()).unavailable.value_or(""),
               ContainsSubstring("maximum messages"));
    stream.purge();
    CHECK(std::ranges::count(publisher.publish(rest, soon()).answers, accepted, &publish_answer::result) ==
          3);
}

TEST_CASE("a call ends by its deadline when NATS stands still, and costs nobody an attempt", "[nats]") {
    broker_server const server{"NATS"};
    nats_stream const stream{server};
    nats_publisher publisher{server.url(), options_of(stream)};
    auto const first = make_delivery("k", body::text("x"));
    REQUIRE(publish_one(publisher, first).answers.at(0).result == accepted);
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
        CHECK(std::ranges::all_of(report.answers, [](auto const& one) { return one.result == not_sent; }));
    }
    server.go_on();
    CHECK(std::ranges::count(publisher.publish(messages, soon()).answers, accepted,
                             &publish_answer::result) == 300);
}

TEST_CASE("in NATS the order of each key survives kills of the server, and nothing is lost", "[nats]") {
    broker_server const server{"NATS"};
    nats_stream stream{server};
    auto options = options_of(stream);
    options.deduplicate = false; // so that repeats show
    nats_publisher publisher{server.url(), options};
    constexpr std::size_t count = 20'000;
    publish_through_kills(server, publisher,
                          {.messages = count, .together = 1000, .times = 3, .apart = count / 4});
    std::vector<far_message> arrived;
    for (auto const& record : stream.records()) {
        arrived.push_back({record.header("id"), record.header("key"), std::stol(record.body)});
    }
    check_growing(arrived, count);
}

TEST_CASE("a stream that cannot keep the promise is named once in the log", "[nats]") {
    broker_server const server{"NATS"};
    nats_stream const memory{server, {.in_memory = true}};
    nats_stream const file{server};
    std::string said;
    for (auto const* stream : {&memory, &file}) {
        auto options = options_of(*stream);
        options.log = [&](std::string_view line) { said.append(line).append("\n"); };
        nats_publisher publisher{server.url(), options};
        auto const message = make_delivery("k", body::text("x"));
        CHECK(publish_one(publisher, message).answers.at(0).result == accepted);
        CHECK(publish_one(publisher, message).answers.at(0).result == accepted);
    }
    CHECK_THAT(said, ContainsSubstring(memory.name() + " is in memory"));
    CHECK_THAT(said, ContainsSubstring(file.name() + " has one replica"));
    CHECK(std::ranges::count(said, '\n') == 2);
}

TEST_CASE("wrong options of NATS are refused, by name and without secrets", "[nats]") {
    auto const refused = [](char const* url, nats_options const& options, char const* field) {
        CHECK_THROWS_MATCHES((nats_publisher{url, options}), invalid_argument,
                             MessageMatches(ContainsSubstring(field) && !ContainsSubstring("hunter2")));
    };
    refused("http://a:hunter2@b", {}, "nats_publisher.urls");
    refused("nats://a,", {}, "nats_publisher.urls");
    refused("nats://", {}, "nats_publisher.urls");
    refused("nats://a:hunter2@ b", {}, "nats_publisher.urls");
    refused("nats://a", {.stream = "a.b"}, "nats_options.stream");
    refused("nats://a", {.connect_timeout = 0ms}, "nats_options.connect_timeout");
    refused("nats://a", {.certificate_file = "x"}, "nats_options.certificate_file");
    refused("nats://a", {.messages = {.name = "{x}"}}, "broker_options.name");
}
