// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// More than 400 lines: every rule that a publisher must keep, one function each.
#include "support/publisher_conformance.hpp"

#include "support/paper_relay.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace once::testing {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

// In payloads, keys and headers of messages that fail; must not come out in an error.
constexpr char const* canary = "CANARY-7f3a";

body json(int number) {
    return body::json_text(R"({"n": )" + std::to_string(number) + R"(, "canary":")" + canary + "\"}");
}

class suite {
public:
    explicit suite(receiver_under_test& receiver)
        : m_receiver{receiver}, m_publisher{receiver.make_publisher()} {}

    std::vector<violation> run() {
        check_bytes();
        check_order_in_big_batch();
        check_failure_of_one_key(mishap::ask_again, publish_result::retry, "retry");
        check_failure_of_one_key(mishap::refuse, publish_result::rejected, "rejected");
        check_lost_reply();
        check_silence();
        check_past_deadline();
        check_unavailable();
        for (auto const what : {mishap::ask_again, mishap::seem_away}) {
            check_bad_ones_stop_nobody(what);
        }
        check_outage_costs_no_attempts();
        return std::move(m_violations);
    }

private:
    void expect(bool good, char const* rule, std::string what) {
        if (!good) {
            m_violations.push_back({rule, std::move(what)});
        }
    }

    /// Publishes, and checks what holds for every batch.
    publish_report publish(std::vector<delivery> const& messages, clock::duration time = 30s) {
        auto const deadline = clock::now() + time;
        publish_report report;
        try {
            report = m_publisher->publish(messages, deadline);
        } catch (std::exception const& e) {
            report.unavailable = e.what();
        }
        expect(clock::now() < deadline + 3s, "deadline", "publish() came back too late");
        if (report.answers.empty() && report.unavailable) {
            report.answers.resize(messages.size(), {.result = publish_result::not_sent});
        }
        expect(report.answers.size() == messages.size(), "answers",
               std::to_string(report.answers.size()) + " answers to " + std::to_string(messages.size()) +
                   " messages");
        report.answers.resize(messages.size());
        check_text(report.unavailable.value_or(""));
        std::set<std::string> blocked;
        for (std::size_t i = 0; i < messages.size(); ++i) {
            auto const& [result, error, retry_after] = report.answers[i];
            check_text(error);
            if (!messages[i].key.empty()) {
                expect(!blocked.contains(messages[i].key) || result == publish_result::not_sent, "behind",
                       "a message behind one that failed is answered " + std::string{to_string(result)});
                if (result != publish_result::accepted) {
                    blocked.insert(messages[i].key);
                }
            }
        }
        check_accepted_arrived(messages, report);
        return report;
    }

    void check_text(std::string const& text) {
        expect(text.size() <= 1000, "secrets", "an error is longer than 1000 bytes");
        expect(text.find(canary) == std::string::npos, "secrets", "an error shows what is in a message");
    }

    void check_accepted_arrived(std::vector<delivery> const& messages, publish_report const& report) {
        std::map<message_id, std::vector<arrival>> arrived;
        for (auto& one : m_receiver.arrivals()) {
            arrived[one.id].push_back(std::move(one));
        }
        for (std::size_t i = 0; i < messages.size(); ++i) {
            auto const& sent = messages[i];
            auto const& copies = arrived[sent.id];
            expect(report.answers[i].result != publish_result::accepted || !copies.empty(), "delivers",
                   "a message counts as accepted and has not arrived");
            // What was under way when the receiver went away may have arrived.
            expect(report.answers[i].result != publish_result::not_sent || report.unavailable ||
                       copies.size() <= m_before[sent.id],
                   "behind", "a message is answered not_sent and has arrived");
            for (auto const& copy : copies) {
                expect(copy.payload == sent.payload.data(), "bytes", "a payload has changed");
                expect(copy.topic == sent.topic && copy.key == sent.key, "bytes",
                       "a topic or key has changed");
            }
            m_before[sent.id] = copies.size();
        }
    }

    [[nodiscard]] std::size_t count(message_id const& id) {
        auto const all = m_receiver.arrivals();
        return static_cast<std::size_t>(std::ranges::count(all, id, &arrival::id));
    }

    [[nodiscard]] std::size_t count_all(std::vector<delivery> const& messages) {
        std::size_t sum = 0;
        for (auto const& message : messages) {
            sum += count(message.id);
        }
        return sum;
    }

    void expect_all(publish_report const& report, publish_result result, char const* rule,
                    std::string const& when) {
        for (auto const& answer : report.answers) {
            expect(answer.result == result, rule,
                   when + ": answered " + std::string{to_string(answer.result)} + " " + answer.error);
        }
    }

    void check_bytes() {
        std::string every_byte;
        for (int i = 0; i < 256; ++i) {
            every_byte += static_cast<char>(i);
        }
        std::vector<delivery> messages;
        for (auto payload : {body::bytes(every_byte, "application/octet-stream"), body{},
                             body::bytes("", "text/plain"), body::bytes("a\nb\r\n\"c\"\\", "text/plain"),
                             body::json_text(R"({"b":1,"a":{"a": 1.50,"a":2}})"),
                             body::json_text("{\n  \"pretty\" : [ 1,\r\n 2 ]\n}\n"),
                             body::json_text(R"("\u0000\ud83d\ude00")"), body::json_text("not JSON at all {"),
                             body::text("Größe 日本語 🚀"),
                             body::bytes(std::string(max_payload_bytes, '\xff'), "application/x-large"),
                             body::json_text('"' + std::string(max_payload_bytes - 2, 'x') + '"')}) {
            messages.push_back(make_delivery("", std::move(payload)));
        }
        messages.push_back(make_delivery("Größe 日本語 🚀 \"%\\", json(1)));
        messages.back().headers = {{"x-tenant", "a b"}, {"x-empty", ""}};
        messages.back().traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        expect_all(publish(messages), publish_result::accepted, "delivers", "payloads of all kinds");
        // The second attempt looks the same to the receiver.
        for (auto& message : messages) {
            message.attempt = 2;
        }
        expect_all(publish(messages), publish_result::accepted, "delivers", "the same again");
    }

    void check_order_in_big_batch() {
        std::vector<delivery> messages;
        for (int i = 0; i < 2000; ++i) {
            messages.push_back(
                make_delivery(i % 10 == 0 ? "" : "key " + std::to_string(i * 7 % 100), json(i)));
            messages.back().position = i;
        }
        expect_all(publish(messages), publish_result::accepted, "delivers", "2000 messages");
        std::map<message_id, delivery const*> sent;
        for (auto const& message : messages) {
            sent.emplace(message.id, &message);
        }
        std::map<std::string, std::int64_t> last;
        std::size_t arrived = 0;
        for (auto const& one : m_receiver.arrivals()) {
            auto const found = sent.find(one.id);
            if (found == sent.end()) {
                continue;
            }
            ++arrived;
            auto const position = found->second->position;
            if (!one.key.empty()) {
                auto const before = last.emplace(one.key, -1).first;
                expect(before->second < position, "order",
                       "a later message of a key came before an earlier one");
                before->second = position;
            }
        }
        expect(arrived == messages.size(), "delivers",
               std::to_string(arrived) + " of 2000 arrived, repeats counted");
    }

    void check_failure_of_one_key(mishap what, publish_result expected, char const* rule) {
        if (!m_receiver.can(what)) {
            return;
        }
        std::string const bad = std::string{"bad "} + canary;
        std::vector<delivery> const messages{make_delivery(bad, json(1)),    make_delivery("good", json(2)),
                                             make_delivery(bad, json(3)),    make_delivery("", json(4)),
                                             make_delivery(bad, json(5)),    make_delivery("", json(6)),
                                             make_delivery("good", json(7)), make_delivery(bad, json(8))};
        m_receiver.plan(messages[2].id, what);
        m_receiver.plan(messages[3].id, what);
        auto const report = publish(messages);
        using enum publish_result;
        std::vector<publish_result> const wanted{accepted, accepted, expected, expected,
                                                 not_sent, accepted, accepted, not_sent};
        for (std::size_t i = 0; i < messages.size(); ++i) {
            auto const got = report.answers[i].result;
            bool const about_others = wanted[i] == accepted;
            expect(got == wanted[i],
                   about_others            ? "others"
                   : wanted[i] == not_sent ? "behind"
                                           : rule,
                   "message " + std::to_string(i) + " is answered " + std::string{to_string(got)} + " " +
                       report.answers[i].error);
        }
        m_receiver.forget_plans();
        expect_all(publish({messages[2], messages[3], messages[4], messages[7]}), accepted, "delivers",
                   "what failed comes again");
    }

    void check_lost_reply() {
        if (!m_receiver.can(mishap::lose_reply)) {
            return;
        }
        std::vector<delivery> const messages{make_delivery("lost", json(1)), make_delivery("lost", json(2))};
        m_receiver.plan(messages[0].id, mishap::lose_reply);
        auto const report = publish(messages);
        bool const unknown = report.answers[0].result == publish_result::retry ||
                             (report.unavailable && report.answers[0].result == publish_result::not_sent);
        expect(unknown, "lost",
               "a message without a reply is answered " + std::string{to_string(report.answers[0].result)});
        m_receiver.forget_plans();
        m_before.clear();
        expect_all(publish(messages), publish_result::accepted, "lost", "after a lost reply");
        auto const copies = count(messages[0].id);
        expect(m_receiver.absorbs_repeats() ? copies == 1 : copies >= 2, "repeats",
               "a message whose reply was lost arrived " + std::to_string(copies) + " times");
    }

    void check_silence() {
        if (!m_receiver.can(mishap::stay_silent)) {
            return;
        }
        std::vector<delivery> const messages{make_delivery("silent", json(1)),
                                             make_delivery("silent", json(2)),
                                             make_delivery("talks", json(3))};
        m_receiver.plan(messages[0].id, mishap::stay_silent);
        auto const begin = clock::now();
        auto const report = publish(messages, 500ms);
        expect(clock::now() - begin < 10s, "deadline", "silence was waited for");
        auto const first = report.answers[0].result;
        expect(first == publish_result::retry || (report.unavailable && first == publish_result::not_sent),
               "deadline",
               "a message without an answer at the deadline is answered " + std::string{to_string(first)});
        m_receiver.forget_plans();
        // Nothing of that batch is under way any more: what comes now was sent now.
        auto const before = count_all(messages);
        static_cast<void>(publish({make_delivery("other", json(4))}));
        expect(count_all(messages) == before, "late", "a message was sent after publish() had returned");
        expect_all(publish(messages), publish_result::accepted, "delivers", "after silence");
    }

    void check_past_deadline() {
        std::vector<delivery> const messages{make_delivery("late", json(1)), make_delivery("", json(2))};
        auto const report = publish(messages, -1ms);
        expect_all(report, publish_result::not_sent, "past", "a deadline that is past");
        expect(count(messages[0].id) + count(messages[1].id) == 0, "past",
               "a message was sent after the deadline");
    }

    void check_unavailable() {
        std::vector<delivery> const messages{make_delivery("a", json(1)), make_delivery("b", json(2)),
                                             make_delivery("a", json(3))};
        m_receiver.go_away();
        auto const report = publish(messages);
        expect(report.unavailable.has_value(), "unavailable", "nobody is there, and it does not say so");
        expect_all(report, publish_result::not_sent, "unavailable", "nobody is there");
        m_receiver.come_back();
        auto const again = publish(messages);
        expect(!again.unavailable, "unavailable",
               "it does not notice that the receiver is back: " + again.unavailable.value_or(""));
        expect_all(again, publish_result::accepted, "unavailable", "the receiver is back");
    }

    paper_relay relay_of(std::vector<delivery> messages) {
        constexpr int max_attempts = 2;
        return {std::move(messages), max_attempts, 1, [this](std::span<delivery const> some) {
                    auto const deadline = clock::now() + 30s;
                    detail::dispatcher::call made;
                    try {
                        made.report = m_publisher->publish(some, deadline);
                        made.too_much = !made.report.unavailable && clock::now() >= deadline;
                    } catch (std::exception const& e) {
                        made.report = {.unavailable = e.what()};
                    }
                    return made;
                }};
    }

    static std::vector<delivery> messages_of_keys(int count) {
        std::vector<delivery> messages;
        for (int i = 0; i < count; ++i) {
            messages.push_back(make_delivery("key " + std::to_string(i), json(i)));
        }
        return messages;
    }

    void check_bad_ones_stop_nobody(mishap what) {
        if (!m_receiver.can(what)) {
            return;
        }
        auto const messages = messages_of_keys(20);
        std::set<std::size_t> const bad{0, 12};
        for (auto const i : bad) {
            m_receiver.plan(messages[i].id, what);
        }
        auto relay = relay_of(messages);
        auto const all = [&](bool of_bad, auto const& is_so) {
            for (std::size_t i = 0; i < messages.size(); ++i) {
                if (bad.contains(i) == of_bad && !is_so(relay.fate_of(i))) {
                    return false;
                }
            }
            return true;
        };
        auto const others_are_through = [&] {
            return all(false, [](auto const& one) { return one.accepted; });
        };
        constexpr int few_rounds = 10;
        while (!others_are_through() && relay.rounds() < few_rounds) {
            static_cast<void>(relay.round());
        }
        expect(others_are_through(), "others", "messages that can never pass stop those of other keys");
        auto const bad_are_dead = [&] { return all(true, [](auto const& one) { return one.dead; }); };
        constexpr int many_rounds = 60;
        while (!bad_are_dead() && relay.rounds() < many_rounds) {
            relay.publish(make_delivery("", json(0))); // somebody shows that the receiver is there
            static_cast<void>(relay.round());
        }
        expect(bad_are_dead(), "counted", "a message that can never pass does not end up dead");
        expect(all(false, [](auto const& one) { return one.attempts == 0; }), "counted",
               "an attempt was counted of a message that passes");
        m_receiver.forget_plans();
        m_before.clear();
    }

    void check_outage_costs_no_attempts() {
        auto const messages = messages_of_keys(5);
        auto relay = relay_of(messages);
        m_receiver.go_away();
        for (int i = 0; i < 5; ++i) {
            expect(relay.round(), "outage", "nobody is there, and the relay does not find that out");
        }
        m_receiver.come_back();
        for (int i = 0; i < 5; ++i) {
            static_cast<void>(relay.round());
        }
        for (std::size_t i = 0; i < messages.size(); ++i) {
            expect(relay.fate_of(i).accepted, "outage", "a message is not delivered after an outage");
            expect(relay.fate_of(i).attempts == 0, "outage", "an outage has cost an attempt");
        }
    }

    receiver_under_test& m_receiver;
    std::unique_ptr<publisher> m_publisher;
    std::map<message_id, std::size_t> m_before;
    std::vector<violation> m_violations;
};

} // namespace

std::vector<violation> check_conformance(receiver_under_test& receiver) {
    return suite{receiver}.run();
}

std::string to_text(std::vector<violation> const& violations) {
    std::string text;
    std::size_t shown = 0;
    for (auto const& [rule, what] : violations) {
        constexpr std::size_t most = 20;
        if (++shown > most) {
            return text + "... " + std::to_string(violations.size()) + " in all\n";
        }
        text.append(rule).append(": ").append(what).append("\n");
    }
    return text;
}

delivery make_delivery(std::string key, body payload) {
    using std::chrono::microseconds;
    return {.id = message_id::random(),
            .topic = "orders.placed",
            .key = std::move(key),
            .payload = std::move(payload),
            .service = "orders",
            .published_at = std::chrono::floor<microseconds>(std::chrono::system_clock::now())};
}

std::vector<publish_result> results_of(publish_report const& report) {
    std::vector<publish_result> made;
    for (auto const& answer : report.answers) {
        made.push_back(answer.result);
    }
    return made;
}

} // namespace once::testing
