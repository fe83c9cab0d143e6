// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// What all publishers for brokers share, against a broker in memory that fails on command.
#include <once/detail/broker_sender.hpp>
#include <once/error.hpp>

#include "support/publisher_conformance.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <algorithm>
#include <map>
#include <thread>

using namespace once;
using namespace once::testing;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;

namespace {

std::chrono::steady_clock::time_point soon() {
    return std::chrono::steady_clock::now() + 30s;
}

/// Takes messages one by one, or all of a wait() together or none.
class scripted_broker final : public receiver_under_test {
public:
    explicit scripted_broker(bool together = false, broker_options options = {})
        : m_together{together}, m_options{std::move(options)} {}
    std::unique_ptr<publisher> make_publisher() override { return std::make_unique<sender>(*this); }
    std::vector<arrival> arrivals() override { return m_arrivals; }
    [[nodiscard]] bool can(mishap what) const override {
        return !m_together || what == mishap::lose_reply || what == mishap::seem_away;
    }
    void plan(message_id const& id, mishap what) override { m_plans.insert_or_assign(id, what); }
    void forget_plans() override { m_plans.clear(); }
    void go_away() override { m_away = true; }
    void come_back() override { m_away = false; }

    /// Everything is answered so.
    std::optional<publish_answer> answer_to_all{};
    /// The most that was under way at once.
    std::size_t most_at_once = 0;
    std::size_t abandoned = 0;

private:
    class transport final : public detail::broker_transport {
    public:
        explicit transport(scripted_broker& owner) : m_owner{owner} {}
        std::optional<std::string> open(time_point /*deadline*/) override {
            m_pending.clear();
            m_lost.reset();
            return m_owner.m_away ? std::optional<std::string>{"nobody is there"} : std::nullopt;
        }
        [[nodiscard]] bool all_or_nothing() const override { return m_owner.m_together; }
        void submit(detail::broker_message message) override {
            if (message.body() == "too large") {
                throw invalid_argument{"payload", "more than the broker takes"};
            }
            m_pending.push_back(std::move(message));
            m_owner.most_at_once = std::max(m_owner.most_at_once, m_pending.size());
        }
        std::vector<detail::broker_answer> wait(time_point deadline) override {
            std::vector<detail::broker_answer> made;
            bool const lose_all = m_owner.m_together && std::ranges::any_of(m_pending, [&](auto const& one) {
                                      return plan_of(one) == mishap::seem_away;
                                  });
            for (auto const& one : std::exchange(m_pending, {})) {
                if (lose_all || m_lost) {
                    m_lost = "the connection ended";
                    return made;
                }
                answer(one, made);
            }
            if (made.empty() && !m_lost) {
                std::this_thread::sleep_until(deadline);
            }
            return made;
        }
        [[nodiscard]] std::optional<std::string> lost() const override { return m_lost; }
        void abandon() noexcept override { ++m_owner.abandoned; }

    private:
        std::optional<mishap> plan_of(detail::broker_message const& one) const {
            auto const found = m_owner.m_plans.find(one.source->id);
            return found == m_owner.m_plans.end() ? std::nullopt : std::optional{found->second};
        }
        void answer(detail::broker_message const& one, std::vector<detail::broker_answer>& to) {
            auto const plan = plan_of(one);
            if (!plan || plan == mishap::lose_reply) {
                m_owner.m_arrivals.push_back({one.source->id, one.destination, one.source->key, one.body()});
            }
            if (m_owner.answer_to_all) {
                to.push_back({one.place, *m_owner.answer_to_all, true});
            } else if (!plan) {
                to.push_back({.place = one.place});
            } else if (plan == mishap::ask_again) {
                to.push_back({one.place, {publish_result::retry, "not now"}});
            } else if (plan == mishap::refuse) {
                to.push_back({one.place, {publish_result::rejected, "never"}});
            } else if (plan != mishap::stay_silent) {
                m_lost = "the connection ended";
            }
        }

        scripted_broker& m_owner;
        std::vector<detail::broker_message> m_pending;
        std::optional<std::string> m_lost;
    };

    class sender final : public publisher {
    public:
        explicit sender(scripted_broker& owner)
            : m_sender{owner.m_options, "ce-", std::make_unique<transport>(owner)} {}
        publish_report publish(std::span<delivery const> messages,
                               std::chrono::steady_clock::time_point deadline) override {
            return m_sender.publish(messages, deadline);
        }

    private:
        detail::broker_sender m_sender;
    };

    bool m_together;
    broker_options m_options;
    bool m_away = false;
    std::map<message_id, mishap> m_plans;
    std::vector<arrival> m_arrivals;
};

} // namespace

TEST_CASE("what sends to brokers keeps the rules of publishers, with one of a key under way", "[broker]") {
    scripted_broker broker;
    CHECK(to_text(check_conformance(broker)) == "");
}

TEST_CASE("what sends to brokers keeps the rules where a batch is taken whole or not at all", "[broker]") {
    scripted_broker broker{true};
    CHECK(to_text(check_conformance(broker)) == "");
}

TEST_CASE("what sends to brokers keeps the rules with a small window", "[broker]") {
    scripted_broker broker{false, {.window_messages = 2}};
    CHECK(to_text(check_conformance(broker)) == "");
    CHECK(broker.most_at_once == 2);
}

TEST_CASE("a window of bytes lets a larger message through, alone", "[broker]") {
    scripted_broker broker{false, {.window_bytes = 1024}};
    auto const publisher = broker.make_publisher();
    std::vector<delivery> const messages{make_delivery("", body::text(std::string(4000, 'x'))),
                                         make_delivery("", body::text(std::string(4000, 'y')))};
    CHECK(results_of(publisher->publish(messages, soon())) == std::vector(2, publish_result::accepted));
    CHECK(broker.most_at_once == 1);
}

TEST_CASE("a message that the broker can never take is rejected, and those behind it are not sent",
          "[broker]") {
    for (bool const together : {false, true}) {
        scripted_broker broker{together};
        auto const publisher = broker.make_publisher();
        std::vector<delivery> const messages{
            make_delivery("a", body::text("1")), make_delivery("a", body::text("too large")),
            make_delivery("a", body::text("2")), make_delivery("b", body::text("3"))};
        auto const report = publisher->publish(messages, soon());
        using enum publish_result;
        CHECK(results_of(report) == std::vector{accepted, rejected, not_sent, accepted});
        CHECK_THAT(report.answers[1].error, ContainsSubstring("more than the broker takes"));
        CHECK_FALSE(report.unavailable);
    }
}

TEST_CASE(
    "where a batch is taken whole, a key that changes its destination waits for the answer of the first one",
    "[broker]") {
    scripted_broker broker{true};
    auto const publisher = broker.make_publisher();
    std::vector<delivery> messages{make_delivery("a", body::text("1")), make_delivery("a", body::text("2")),
                                   make_delivery("a", body::text("3")), make_delivery("", body::text("4"))};
    messages[2].topic = "orders.paid";
    CHECK(results_of(publisher->publish(messages, soon())) == std::vector(4, publish_result::accepted));
    CHECK(broker.most_at_once == 3);
    CHECK(broker.arrivals().back().payload == "3");
    broker.most_at_once = 0;
    broker.plan(messages[0].id, mishap::seem_away);
    using enum publish_result;
    CHECK(results_of(publisher->publish(messages, soon())) == std::vector(4, not_sent));
}

TEST_CASE("a broker that refuses everything for one reason is unavailable, with that reason", "[broker]") {
    scripted_broker broker;
    broker.answer_to_all = {publish_result::retry, "no stream takes it"};
    auto const publisher = broker.make_publisher();
    std::vector<delivery> messages;
    for (int i = 0; i < 500; ++i) {
        messages.push_back(make_delivery("key " + std::to_string(i), body::text("x")));
    }
    CHECK(publisher->publish(messages, soon()).unavailable == "no stream takes it");
    broker.answer_to_all.reset();
    CHECK_FALSE(publisher->publish(messages, soon()).unavailable);
}

TEST_CASE("silence to everything is unavailable and costs nobody an attempt; silence to some costs them",
          "[broker]") {
    scripted_broker broker;
    auto const publisher = broker.make_publisher();
    std::vector<delivery> const messages{make_delivery("a", body::text("1")),
                                         make_delivery("b", body::text("2"))};
    broker.plan(messages[0].id, mishap::stay_silent);
    using enum publish_result;
    auto report = publisher->publish(messages, std::chrono::steady_clock::now() + 100ms);
    CHECK(results_of(report) == std::vector{retry, accepted});
    CHECK_FALSE(report.unavailable);
    broker.plan(messages[1].id, mishap::stay_silent);
    report = publisher->publish(messages, std::chrono::steady_clock::now() + 100ms);
    CHECK(results_of(report) == std::vector{not_sent, not_sent});
    CHECK(report.unavailable);
    CHECK(broker.abandoned == 2); // so that nothing of either call is under way any more
}

TEST_CASE("a name is made by the first pattern that fits, else by the template", "[broker]") {
    broker_options const options{.name = "{service}/{topic}",
                                 .topic_map = {{"orders.*", "o.{subscription}"}, {"orders.placed", "never"}},
                                 .subscription = "to-nats"};
    auto message = make_delivery("", body::text("x"));
    CHECK(detail::make_broker_message(message, options, "ce-").destination == "o.to-nats");
    message.topic = "orders";
    CHECK(detail::make_broker_message(message, options, "ce-").destination == "orders/orders");
    message.topic = "ordersX.placed";
    CHECK(detail::make_broker_message(message, options, "ce-").destination == "orders/ordersX.placed");
}

TEST_CASE("wrong options of a broker are refused, by name", "[broker]") {
    auto const refused = [](broker_options const& options, char const* field) {
        CHECK_THROWS_MATCHES(validate(options), invalid_argument, MessageMatches(ContainsSubstring(field)));
    };
    refused({.name = ""}, "broker_options.name");
    refused({.name = "{key}"}, "broker_options.name");
    refused({.name = "a}"}, "broker_options.name");
    refused({.topic_map = {{"a*", "b"}}}, "broker_options.topic_map");
    refused({.topic_map = {{".*", "b"}}}, "broker_options.topic_map");
    refused({.topic_map = {{"*.a", "b"}}}, "broker_options.topic_map");
    refused({.topic_map = {{"a", "{b}"}}}, "broker_options.topic_map");
    refused({.window_messages = 0}, "broker_options.window_messages");
    refused({.window_bytes = 1}, "broker_options.window_bytes");
}

TEST_CASE("in each form the message has its id, and its own headers cannot pass for others", "[broker]") {
    auto message = make_delivery("a b", body::json_text("{ }"));
    message.headers = {{"x-tenant", "blue"}, {"ID", "stolen"}, {"Ce-Id", "stolen"}, {"Content-Type", "x"}};
    message.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    message.given_id = message_id::random();
    auto const id = message.id.to_string();
    auto const made = [&](broker_form form) {
        return detail::make_broker_message(message, {.form = form}, "ce-");
    };
    using headers = std::vector<header>;
    auto const time = made(broker_form::plain).headers.at(3).second;
    header const own{"x-tenant", "blue"};
    CHECK(made(broker_form::plain).headers == headers{{"id", id},
                                                      {"topic", "orders.placed"},
                                                      {"key", "a b"},
                                                      {"time", time},
                                                      {"content-type", "application/json"},
                                                      {"traceparent", message.traceparent},
                                                      {"given-id", message.given_id->to_string()},
                                                      own});
    CHECK(made(broker_form::plain).body() == "{ }");
    CHECK(made(broker_form::cloud_event_binary).headers ==
          headers{{"ce-specversion", "1.0"},
                  {"ce-id", id},
                  {"ce-source", "/orders"},
                  {"ce-type", "orders.placed"},
                  {"ce-time", time},
                  {"ce-givenid", message.given_id->to_string()},
                  {"ce-partitionkey", "a b"},
                  {"ce-traceparent", message.traceparent},
                  {"content-type", "application/json"},
                  own});
    auto const structured = made(broker_form::cloud_event_structured);
    CHECK(structured.headers ==
          headers{{"content-type", "application/cloudevents+json; charset=utf-8"}, own});
    CHECK_THAT(structured.body(), ContainsSubstring("\"id\":\"" + id + '"'));
}
