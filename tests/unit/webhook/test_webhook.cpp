// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// More than 400 lines: one claim for each answer of a receiver, and for each part of a request.
// The webhook publisher against a receiver on a real socket.
#include <once/webhook_publisher.hpp>

#include "support/http_receiver.hpp"
#include "support/publisher_conformance.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <set>

using namespace once;
using namespace once::testing;
using namespace std::chrono_literals;

namespace {

constexpr char const* signing_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

std::chrono::steady_clock::time_point soon() {
    return std::chrono::steady_clock::now() + 30s;
}

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

class webhook_receiver final : public receiver_under_test {
public:
    explicit webhook_receiver(webhook_options options) : m_options{std::move(options)} {
        m_http.set_script([this](http_request const& request) { return m_answers[request.id()]; });
    }
    std::unique_ptr<publisher> make_publisher() override {
        return std::make_unique<webhook_publisher>(m_http.url(), m_options);
    }
    std::vector<arrival> arrivals() override {
        std::vector<arrival> made;
        for (auto const& request : m_http.requests()) {
            made.push_back({message_id::parse(request.id()), request.header("once-topic"),
                            percent_decoded(request.header("once-key")), request.body});
        }
        return made;
    }
    [[nodiscard]] bool can(mishap) const override { return true; }
    void plan(message_id const& id, mishap what) override {
        std::map<mishap, http_answer> const answers{
            {mishap::ask_again, {.status = 500, .body = "CANARY"}},
            {mishap::refuse, {.status = 400, .body = "CANARY"}},
            {mishap::lose_reply, {.sent = http_answer::how::lost}},
            {mishap::stay_silent, {.sent = http_answer::how::silent}},
            {mishap::seem_away, {.status = 503, .body = "CANARY"}},
        };
        m_answers[id.to_string()] = answers.at(what);
    }
    void forget_plans() override { m_answers.clear(); }
    void go_away() override { m_http.go_away(); }
    void come_back() override { m_http.come_back(); }

private:
    webhook_options m_options;
    std::map<std::string, http_answer> m_answers;
    http_receiver m_http;
};

publish_answer answer_to(http_answer const& how, webhook_options options = {}) {
    http_receiver receiver;
    // One other message is accepted, so that nobody takes the receiver for unavailable.
    std::vector<delivery> const messages{make_delivery("a", body::text("x")),
                                         make_delivery("b", body::text("y"))};
    receiver.set_script(
        [&](http_request const& request) { return request.body == "x" ? how : http_answer{}; });
    webhook_publisher publisher{receiver.url(), std::move(options)};
    auto const report = publisher.publish(messages, soon());
    REQUIRE(report.answers.size() == 2);
    CHECK_FALSE(report.unavailable);
    CHECK(report.answers[1].result == publish_result::accepted);
    return report.answers[0];
}

} // namespace

TEST_CASE("the webhook publisher keeps the rules of publishers", "[publisher][webhook]") {
    webhook_receiver receiver{{}};
    CHECK(to_text(check_conformance(receiver)) == "");
}

TEST_CASE("the webhook publisher keeps the rules with one connection, signing", "[publisher][webhook]") {
    webhook_receiver receiver{{.secrets = {signing_secret}, .parallel = 1}};
    CHECK(to_text(check_conformance(receiver)) == "");
}

TEST_CASE("a request carries the message, its id and its headers", "[webhook]") {
    http_receiver receiver;
    webhook_publisher publisher{receiver.url("/hook?x=1"), {.headers = {{"Authorization", "Bearer t"}}}};
    auto message = make_delivery("A 17", body::json_text("{ }"));
    message.headers = {
        {"X-Tenant", "blue"},         {"X-Empty", ""},         {"Authorization", "Bearer stolen"},
        {"Host", "elsewhere"},        {"Content-Length", "0"}, {"Transfer-Encoding", "chunked"},
        {"idempotency-key", "\"1\""}, {"Webhook-Id", "1"},     {"Once-Key", "1"}};
    message.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    REQUIRE(publisher.publish(std::vector{message}, soon()).answers[0].result == publish_result::accepted);
    auto const request = receiver.requests().at(0);
    CHECK(request.line == "POST /hook?x=1 HTTP/1.1");
    CHECK(request.body == "{ }");
    std::multimap<std::string, std::string> expected{{"idempotency-key", '"' + message.id.to_string() + '"'},
                                                     {"content-type", "application/json"},
                                                     {"content-length", "3"},
                                                     {"traceparent", message.traceparent},
                                                     {"once-topic", "orders.placed"},
                                                     {"once-key", "A%2017"},
                                                     {"x-tenant", "blue"},
                                                     {"x-empty", ""},
                                                     {"authorization", "Bearer t"}};
    for (auto const& [name, value] : expected) {
        CAPTURE(name);
        CHECK(request.headers.count(name) == 1);
        CHECK(request.header(name) == value);
    }
    CHECK(request.header("host").starts_with("127.0.0.1:"));
    for (auto const* const absent : {"transfer-encoding", "webhook-id", "expect", "cookie"}) {
        CHECK(request.headers.count(absent) == 0);
    }
}

TEST_CASE("a signed request is verified with the secret, before and after a change of it", "[webhook]") {
    http_receiver receiver;
    constexpr auto next = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    webhook_publisher publisher{receiver.url(), {.secrets = {signing_secret, next}}};
    auto const message = make_delivery("", body::bytes(std::string{"a\0b", 3}, "application/octet-stream"));
    REQUIRE(publisher.publish(std::vector{message}, soon()).answers[0].result == publish_result::accepted);
    auto const request = receiver.requests().at(0);
    CHECK(request.header("webhook-id") == message.id.to_string());
    for (auto const* const known : {signing_secret, next}) {
        CHECK(verify_webhook({known}, request.header("webhook-id"), request.header("webhook-timestamp"),
                             request.body, request.header("webhook-signature")));
    }
}

TEST_CASE("CloudEvents travel in both modes", "[webhook]") {
    http_receiver receiver;
    auto const message = make_delivery("k", body::json_text(R"({"a": 1})"));
    using enum webhook_options::form;
    webhook_publisher binary{receiver.url(), {.message_form = cloud_event_binary}};
    webhook_publisher structured{receiver.url(), {.message_form = cloud_event_structured}};
    REQUIRE(binary.publish(std::vector{message}, soon()).answers[0].result == publish_result::accepted);
    REQUIRE(structured.publish(std::vector{message}, soon()).answers[0].result == publish_result::accepted);
    auto const first = receiver.requests().at(0);
    CHECK(first.header("ce-id") == message.id.to_string());
    CHECK(first.header("ce-type") == "orders.placed");
    CHECK(first.body == R"({"a": 1})");
    auto const second = receiver.requests().at(1);
    CHECK(second.header("content-type") == "application/cloudevents+json; charset=utf-8");
    CHECK(second.body == structured_cloud_event(message));
    CHECK(second.id() == message.id.to_string());
}

TEST_CASE("each status means what the header says", "[webhook]") {
    using enum publish_result;
    for (auto const& [status, result] : std::map<int, publish_result>{
             {200, accepted}, {201, accepted}, {202, accepted}, {204, accepted}, {299, accepted},
             {301, retry},    {302, retry},    {307, retry},    {308, retry},    {400, rejected},
             {401, retry},    {403, retry},    {404, retry},    {405, retry},    {408, retry},
             {409, retry},    {410, rejected}, {413, rejected}, {415, rejected}, {422, rejected},
             {425, retry},    {429, retry},    {500, retry},    {501, retry},    {502, retry},
             {503, retry},    {504, retry},    {599, retry}}) {
        CAPTURE(status);
        auto const answer = answer_to({.status = status, .headers = {{"Location", "http://127.0.0.1:1/"}}});
        CHECK(answer.result == result);
        CHECK((result == accepted || answer.error.find(std::to_string(status)) != std::string::npos));
    }
    CHECK(answer_to({.status = 409}, {.conflict_is_accepted = true}).result == accepted);
    CHECK(answer_to({.status = 422}, {.conflict_is_accepted = true}).result == accepted);
}

TEST_CASE("a redirect is not followed", "[webhook]") {
    http_receiver elsewhere;
    auto const answer = answer_to({.status = 307, .headers = {{"Location", elsewhere.url()}}});
    CHECK(answer.result == publish_result::retry);
    CHECK(elsewhere.request_count() == 0);
    CHECK(answer.error.find("redirect") != std::string::npos);
}

TEST_CASE("Retry-After is honoured in both forms, up to the cap", "[webhook]") {
    CHECK(answer_to({.status = 429, .headers = {{"Retry-After", "7"}}}).retry_after == 7s);
    CHECK(answer_to({.status = 500, .headers = {{"Retry-After", "9999999"}}}).retry_after == 1h);
    CHECK(
        answer_to({.status = 503, .headers = {{"Retry-After", "60"}}}, {.max_retry_after = 5s}).retry_after ==
        5s);
    CHECK_FALSE(answer_to({.status = 429, .headers = {{"Retry-After", "soon"}}}).retry_after);
    CHECK_FALSE(answer_to({.status = 429, .headers = {{"Retry-After", "-5"}}}).retry_after);
    CHECK_FALSE(answer_to({.status = 429}).retry_after);
    auto const date =
        answer_to({.status = 429, .headers = {{"Retry-After", "Fri, 31 Dec 2100 23:59:59 GMT"}}});
    CHECK(date.retry_after == 1h);
    CHECK_FALSE(answer_to({.status = 429, .headers = {{"Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT"}}})
                    .retry_after);
}

TEST_CASE("an answer that is torn or never comes is asked for again", "[webhook]") {
    CHECK(answer_to({.sent = http_answer::how::torn}).result == publish_result::retry);
    CHECK(answer_to({.sent = http_answer::how::lost}).result == publish_result::retry);
    auto const silent = answer_to({.sent = http_answer::how::silent}, {.request_timeout = 200ms});
    CHECK(silent.result == publish_result::retry);
}

TEST_CASE("the body of an answer is read to a limit and never shown", "[webhook]") {
    auto const big = std::string(std::size_t{1024} * 1024, 'S');
    CHECK(answer_to({.status = 200, .body = big}, {.max_answer_bytes = 1000}).result ==
          publish_result::accepted);
    auto const failed = answer_to({.status = 500, .body = big}, {.max_answer_bytes = 1000});
    CHECK(failed.result == publish_result::retry);
    CHECK(failed.error == "HTTP 500");
}

TEST_CASE("a receiver that refuses everything may be unavailable, and the report names what it refused",
          "[webhook]") {
    auto const status = GENERATE(429, 502, 503, 504);
    CAPTURE(status);
    http_receiver receiver;
    receiver.set_script([&](http_request const&) { return http_answer{status, {{"Retry-After", "9"}}}; });
    webhook_publisher publisher{receiver.url(), {.parallel = 4}};
    std::vector<delivery> messages;
    for (int i = 0; i < 100; ++i) {
        messages.push_back(make_delivery(std::to_string(i % 50), body::text("x")));
    }
    auto const report = publisher.publish(messages, soon());
    CHECK(report.unavailable == "HTTP " + std::to_string(status) + " to everything");
    CHECK(report.retry_after == 9s);
    std::size_t refused = 0;
    for (auto const& one : report.answers) {
        CHECK((one.result == publish_result::not_sent || one.result == publish_result::retry));
        refused += one.result == publish_result::retry ? 1 : 0;
    }
    CHECK(refused == receiver.request_count());
    CHECK(receiver.request_count() < 20); // it stops asking
}

TEST_CASE("what a receiver refuses beside others that it takes is about those messages", "[webhook]") {
    auto const status = GENERATE(429, 502, 503, 504);
    CAPTURE(status);
    http_receiver receiver;
    receiver.set_script(
        [&](http_request const& one) { return http_answer{one.body == "bad" ? status : 200}; });
    webhook_publisher publisher{receiver.url(), {.parallel = 4}};
    std::vector<delivery> messages;
    for (int i = 0; i < 20; ++i) {
        messages.push_back(make_delivery("", body::text(i < 3 ? "bad" : "x")));
    }
    auto const report = publisher.publish(messages, soon());
    CHECK_FALSE(report.unavailable);
    for (int i = 0; i < 20; ++i) {
        CHECK(report.answers[static_cast<std::size_t>(i)].result ==
              (i < 3 ? publish_result::retry : publish_result::accepted));
    }
}

TEST_CASE("requests of different keys travel side by side, of one key never", "[webhook]") {
    http_receiver receiver;
    receiver.set_script([](http_request const&) { return http_answer{.delay = 50ms}; });
    webhook_publisher publisher{receiver.url(), {.parallel = 8}};
    std::vector<delivery> one_key;
    std::vector<delivery> many_keys;
    for (int i = 0; i < 8; ++i) {
        one_key.push_back(make_delivery("k", body::text("x")));
        many_keys.push_back(make_delivery(std::to_string(i), body::text("x")));
    }
    static_cast<void>(publisher.publish(one_key, soon()));
    CHECK(receiver.most_at_once() == 1);
    static_cast<void>(publisher.publish(many_keys, soon()));
    CHECK(receiver.most_at_once() > 1);
    CHECK(receiver.most_at_once() <= 8);
    CHECK(receiver.connections() <= 8); // they stay open
}

TEST_CASE("what there was no time to send is not_sent, and costs no attempt", "[webhook]") {
    http_receiver receiver;
    receiver.set_script([](http_request const&) { return http_answer{.delay = 100ms}; });
    webhook_publisher publisher{receiver.url(), {.parallel = 1}};
    std::vector<delivery> messages;
    for (int i = 0; i < 100; ++i) {
        messages.push_back(make_delivery("k", body::text("x")));
    }
    auto const report = publisher.publish(messages, std::chrono::steady_clock::now() + 2s);
    auto const count = [&](publish_result what) {
        return std::ranges::count(report.answers, what, &publish_answer::result);
    };
    CHECK(count(publish_result::accepted) >= 1);
    CHECK(count(publish_result::rejected) + count(publish_result::retry) == 0);
    CHECK(count(publish_result::not_sent) >= 50);
}

TEST_CASE("a header that could split a request rejects its message", "[webhook]") {
    http_receiver receiver;
    webhook_publisher publisher{receiver.url()};
    for (auto const& bad : {header{"X", "a\r\nEvil: 1"}, header{"X\r\nEvil", "1"}, header{"X Y", "1"},
                            header{"", "1"}, header{"X", std::string{"a\0b", 3}}, header{"X:", "1"}}) {
        auto message = make_delivery("k", body::text("x"));
        message.headers = {bad};
        auto const report =
            publisher.publish(std::vector{message, make_delivery("k", body::text("y"))}, soon());
        CHECK(report.answers[0].result == publish_result::rejected);
        CHECK(report.answers[0].error.find("Evil") == std::string::npos);
        CHECK(report.answers[1].result == publish_result::not_sent);
    }
    auto message = make_delivery("k\r\nEvil: 1", body::bytes("x", "text/plain"));
    REQUIRE(publisher.publish(std::vector{message}, soon()).answers[0].result == publish_result::accepted);
    message.payload = body::bytes("x", "text/plain\r\nEvil: 1");
    CHECK(publisher.publish(std::vector{message}, soon()).answers[0].result == publish_result::rejected);
    for (auto const& request : receiver.requests()) {
        CHECK(request.headers.count("evil") == 0);
    }
}

TEST_CASE("a header name that a server may read as another one rejects its message, and the error names it",
          "[webhook]") {
    http_receiver receiver;
    webhook_publisher publisher{receiver.url(), {.secrets = {signing_secret}}};
    for (auto const* const name :
         {"Idempotency_Key", "idempotency.key", "Webhook_Signature", "X_Tenant", "Content_Length", "Ce~Id",
          "a!b", "x'y", "Once_Topic", "Transfer_Encoding"}) {
        INFO(name);
        auto message = make_delivery("", body::text("x"));
        message.headers = {{name, "secret-value"}};
        auto const report = publisher.publish(std::vector{message}, soon());
        CHECK(report.answers[0].result == publish_result::rejected);
        CHECK(report.answers[0].error.find(name) != std::string::npos);
        CHECK(report.answers[0].error.find("secret-value") == std::string::npos);
    }
    CHECK(receiver.requests().empty());
    // What only the last proxy, or the one who frames the request, may say is not sent.
    auto message = make_delivery("", body::text("x"));
    message.headers = {{"X-Forwarded-For", "10.0.0.1"},   {"Forwarded", "for=10.0.0.1"},
                       {"Content-Encoding", "gzip"},      {"X-HTTP-Method-Override", "DELETE"},
                       {"Sec-Fetch-Site", "same-origin"}, {"X-Tenant", "blue"}};
    REQUIRE(publisher.publish(std::vector{message}, soon()).answers[0].result == publish_result::accepted);
    auto const request = receiver.requests().at(0);
    for (auto const* const absent :
         {"x-forwarded-for", "forwarded", "content-encoding", "x-http-method-override", "sec-fetch-site"}) {
        INFO(absent);
        CHECK(request.headers.count(absent) == 0);
    }
    CHECK(request.header("x-tenant") == "blue");
}

TEST_CASE("the id that an application gave stands beside the one that receivers go by", "[webhook]") {
    http_receiver receiver;
    auto message = make_delivery("", body::text("x"));
    message.given_id = message_id::parse("00000000-0000-4000-8000-00000000000a");
    webhook_publisher plain{receiver.url()};
    webhook_publisher binary{receiver.url(), {.message_form = webhook_options::form::cloud_event_binary}};
    REQUIRE(plain.publish(std::vector{message}, soon()).answers[0].result == publish_result::accepted);
    REQUIRE(binary.publish(std::vector{message}, soon()).answers[0].result == publish_result::accepted);
    auto const requests = receiver.requests();
    CHECK(requests.at(0).header("once-given-id") == message.given_id->to_string());
    CHECK(requests.at(1).header("ce-givenid") == message.given_id->to_string());
    for (auto const& request : requests) {
        CHECK(request.header("idempotency-key") == '"' + message.id.to_string() + '"');
    }
}

TEST_CASE("no address, password or header comes out in an error", "[webhook]") {
    std::string port;
    {
        http_receiver const gone;
        port = gone.url("");
        port = port.substr(port.rfind(':') + 1);
    }
    for (auto const& host : {"127.0.0.1:" + port, std::string{"no-such-host.invalid"}}) {
        webhook_publisher publisher{"http://user:hunter2@" + host + "/hunter2?key=hunter2",
                                    {.headers = {{"Authorization", "hunter2"}}}};
        auto const report =
            publisher.publish(std::vector{make_delivery("hunter2", body::text("hunter2"))}, soon());
        REQUIRE(report.unavailable);
        CHECK(report.unavailable->find("hunter2") == std::string::npos);
        CHECK(report.unavailable->find(host) == std::string::npos);
        CHECK(report.answers[0].result == publish_result::not_sent);
        CHECK(report.answers[0].error.find("hunter2") == std::string::npos);
    }
}

TEST_CASE("with public_addresses_only nothing inside is reached", "[webhook]") {
    http_receiver receiver;
    auto url = receiver.url();
    for (auto const* const name :
         {"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433"}) {
        auto there = url;
        there.replace(there.find("127.0.0.1"), 9, name);
        webhook_publisher publisher{there, {.public_addresses_only = true}};
        auto const report = publisher.publish(std::vector{make_delivery("", body::text("x"))}, soon());
        CAPTURE(name);
        CHECK(report.unavailable.value_or("").find("not a public one") != std::string::npos);
    }
    CHECK(receiver.request_count() == 0);
}
