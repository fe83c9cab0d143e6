// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// The conformance suite itself: a publisher that keeps the rules passes, and each way to break them is noticed.
#include "support/publisher_conformance.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <thread>

using namespace once;
using namespace once::testing;
using namespace std::chrono_literals;

namespace {

enum class defect {
    none,
    reorders_a_key,
    sends_behind_a_failure,
    blocks_other_keys,
    drops_the_last,
    believes_in_lost_replies,
    answers_too_few,
    ignores_the_deadline,
    sends_after_the_deadline,
    sends_after_it_returned,
    makes_up_a_new_id,
    cuts_at_nul,
    writes_json_anew,
    renders_the_attempt,
    counts_absence_as_attempt,
    hides_absence,
    shows_payloads,
    rejects_what_may_come_again,
    tries_again_what_is_refused,
    stays_broken,
    counts_nobody,
};

/// A receiver in memory with a publisher that may have a defect.
class memory_receiver final : public receiver_under_test {
public:
    explicit memory_receiver(defect what) : m_defect{what} {}
    std::unique_ptr<publisher> make_publisher() override { return std::make_unique<sender>(*this); }
    std::vector<arrival> arrivals() override { return m_arrivals; }
    [[nodiscard]] bool can(mishap) const override { return true; }
    void plan(message_id const& id, mishap what) override { m_plans.insert_or_assign(id, what); }
    void forget_plans() override { m_plans.clear(); }
    void go_away() override { m_away = true; }
    void come_back() override { m_away = false; }

private:
    class sender final : public publisher {
    public:
        explicit sender(memory_receiver& owner) : m_owner{owner} {}

        publish_report publish(std::span<delivery const> messages,
                               std::chrono::steady_clock::time_point deadline) override {
            if (has(defect::sends_after_it_returned)) {
                for (auto const& left : std::exchange(m_left_over, {})) {
                    m_owner.m_arrivals.push_back(arrival_of(left));
                }
            }
            publish_report report{
                .answers = std::vector<publish_answer>(messages.size(), {publish_result::not_sent})};
            if (m_owner.m_away || m_broken) {
                return absent(std::move(report));
            }
            std::vector<std::size_t> order(messages.size());
            for (std::size_t i = 0; i < order.size(); ++i) {
                order[i] = i;
            }
            if (has(defect::reorders_a_key)) {
                std::ranges::reverse(order);
            }
            std::set<std::string> blocked;
            for (auto const i : order) {
                auto const& message = messages[i];
                bool const stop =
                    has(defect::blocks_other_keys) ? !blocked.empty() : blocked.contains(message.key);
                if ((stop && !has(defect::sends_behind_a_failure)) || is_late(deadline)) {
                    continue;
                }
                if (auto const plan = m_owner.m_plans.find(message.id);
                    plan != m_owner.m_plans.end() && plan->second == mishap::seem_away) {
                    m_broken = has(defect::stays_broken);
                    if (has(defect::counts_nobody)) {
                        report.answers[i] = {}; // as if it had been delivered
                        continue;
                    }
                    report.unavailable = "the connection was lost";
                    return report;
                }
                report.answers[i] = send(message, deadline);
                if (report.answers[i].result != publish_result::accepted && !message.key.empty()) {
                    blocked.insert(message.key);
                }
            }
            if (has(defect::answers_too_few) && messages.size() > 100) {
                report.answers.pop_back();
            }
            return report;
        }

    private:
        [[nodiscard]] bool has(defect what) const { return m_owner.m_defect == what; }
        [[nodiscard]] bool is_late(std::chrono::steady_clock::time_point deadline) const {
            return std::chrono::steady_clock::now() >= deadline && !has(defect::sends_after_the_deadline);
        }

        publish_report absent(publish_report report) const {
            if (has(defect::counts_absence_as_attempt)) {
                std::ranges::fill(report.answers, publish_answer{publish_result::retry, "gone"});
            }
            if (!has(defect::hides_absence)) {
                report.unavailable = "gone";
            }
            return report;
        }

        arrival arrival_of(delivery const& message) {
            arrival made{message.id, message.topic, message.key, message.payload.data()};
            if (has(defect::makes_up_a_new_id) && !m_sent.insert(message.id).second) {
                made.id = message_id::random();
            }
            if (has(defect::cuts_at_nul)) {
                made.payload = made.payload.substr(0, made.payload.find('\0'));
            }
            if (has(defect::writes_json_anew) && nlohmann::json::accept(made.payload)) {
                made.payload = nlohmann::json::parse(made.payload).dump();
            }
            if (has(defect::renders_the_attempt) && message.attempt > 1) {
                made.payload += std::to_string(message.attempt);
            }
            return made;
        }

        publish_answer send(delivery const& message, std::chrono::steady_clock::time_point deadline) {
            using enum publish_result;
            auto const plan = m_owner.m_plans.find(message.id);
            auto const text = has(defect::shows_payloads) ? message.payload.data() : std::string{"no"};
            if (plan == m_owner.m_plans.end()) {
                bool const drop = has(defect::drops_the_last) && message.position == 1999;
                if (!drop) {
                    m_owner.m_arrivals.push_back(arrival_of(message));
                }
                return {accepted};
            }
            switch (plan->second) {
            case mishap::ask_again:
                return {has(defect::rejects_what_may_come_again) ? rejected : retry, text};
            case mishap::refuse:
                return {has(defect::tries_again_what_is_refused) ? retry : rejected, text};
            case mishap::lose_reply:
                m_owner.m_arrivals.push_back(arrival_of(message));
                return {has(defect::believes_in_lost_replies) ? accepted : retry, text};
            case mishap::stay_silent:
            case mishap::seem_away:
                break;
            }
            std::this_thread::sleep_until(deadline + (has(defect::ignores_the_deadline) ? 3500ms : 0ms));
            m_left_over.push_back(message);
            if (has(defect::sends_after_it_returned)) {
                m_left_over.push_back(message);
            }
            return {retry, text};
        }

        memory_receiver& m_owner;
        std::set<message_id> m_sent;
        std::vector<delivery> m_left_over;
        bool m_broken = false;
    };

    defect m_defect;
    bool m_away = false;
    std::map<message_id, mishap> m_plans;
    std::vector<arrival> m_arrivals;
};

std::set<std::string> broken_rules(defect what) {
    memory_receiver receiver{what};
    std::set<std::string> made;
    for (auto const& [rule, text] : check_conformance(receiver)) {
        made.insert(rule);
    }
    return made;
}

} // namespace

TEST_CASE("a publisher that keeps the rules passes the conformance suite", "[publisher]") {
    memory_receiver receiver{defect::none};
    CHECK(to_text(check_conformance(receiver)) == "");
}

TEST_CASE("the conformance suite notices each rule that is broken", "[publisher]") {
    struct mutant {
        defect what;
        char const* rule;
    };
    for (auto const& [what, rule] : {
             mutant{defect::reorders_a_key, "order"},
             mutant{defect::sends_behind_a_failure, "behind"},
             mutant{defect::blocks_other_keys, "others"},
             mutant{defect::drops_the_last, "delivers"},
             mutant{defect::believes_in_lost_replies, "lost"},
             mutant{defect::answers_too_few, "answers"},
             mutant{defect::ignores_the_deadline, "deadline"},
             mutant{defect::sends_after_the_deadline, "past"},
             mutant{defect::sends_after_it_returned, "late"},
             mutant{defect::makes_up_a_new_id, "repeats"},
             mutant{defect::cuts_at_nul, "bytes"},
             mutant{defect::writes_json_anew, "bytes"},
             mutant{defect::renders_the_attempt, "bytes"},
             mutant{defect::counts_absence_as_attempt, "unavailable"},
             mutant{defect::hides_absence, "unavailable"},
             mutant{defect::shows_payloads, "secrets"},
             mutant{defect::rejects_what_may_come_again, "retry"},
             mutant{defect::tries_again_what_is_refused, "rejected"},
             mutant{defect::stays_broken, "others"},
             mutant{defect::counts_nobody, "counted"},
         }) {
        CAPTURE(static_cast<int>(what), rule);
        CHECK(broken_rules(what).contains(rule));
    }
}
