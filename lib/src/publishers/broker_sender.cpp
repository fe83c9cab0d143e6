// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/detail/broker_sender.hpp>
#include <once/detail/lanes.hpp>
#include <once/error.hpp>

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace once::detail {

namespace {

using clock = std::chrono::steady_clock;
using time_point = broker_transport::time_point;

/// One call of publish().
class broker_call {
public:
    broker_call(std::span<delivery const> messages, time_point deadline, broker_options const& options,
                std::string_view attribute_prefix, broker_transport& transport)
        : m_messages{messages},
          m_deadline{deadline},
          m_options{options},
          m_attribute_prefix{attribute_prefix},
          m_transport{transport},
          m_lanes{messages},
          m_states(messages.size(), state::waits) {
        m_report.answers.assign(messages.size(), {.result = publish_result::not_sent});
        // What is sent too late to be answered would only cost its message an attempt.
        using namespace std::chrono_literals;
        m_last_start = deadline - std::min<clock::duration>(1s, (deadline - clock::now()) / 4);
    }

    publish_report run() {
        if (clock::now() >= m_deadline) {
            return std::move(m_report);
        }
        if (auto why = m_transport.open(m_deadline)) {
            m_report.unavailable = std::move(why);
            return std::move(m_report);
        }
        for (;;) {
            submit_what_fits();
            if (m_under_way == 0 || m_transport.lost()) {
                break;
            }
            auto const answers = m_transport.wait(m_deadline);
            for (auto const& one : answers) {
                settle(one);
            }
            if (answers.empty() || m_transport.lost()) {
                break;
            }
        }
        return conclude();
    }

private:
    enum class state : unsigned char { waits, under_way, done };

    void submit_what_fits() {
        bool const together = m_transport.all_or_nothing();
        if (together && m_under_way > 0) {
            return;
        }
        while (!m_lanes.empty() && m_under_way < m_options.window_messages && !seems_away() &&
               clock::now() < m_last_start && !m_transport.lost()) {
            auto const place = m_lanes.next();
            if (m_under_way > 0 && m_bytes + bytes_of(place) > m_options.window_bytes) {
                return;
            }
            auto message = make_broker_message(m_messages[place], m_options, m_attribute_prefix);
            if (together && goes_elsewhere(message)) {
                return;
            }
            m_lanes.take();
            if (submit(place, std::move(message)) && together) {
                m_lanes.go_on(place);
            }
        }
    }

    // What is taken together is so for each destination. A key that changes its destination waits for the next time.
    bool goes_elsewhere(broker_message const& message) {
        if (m_under_way == 0) {
            m_destination_of.clear();
        }
        auto const& key = message.source->key;
        return !key.empty() &&
               m_destination_of.try_emplace(key, message.destination).first->second != message.destination;
    }

    [[nodiscard]] std::size_t bytes_of(std::size_t place) const {
        return m_messages[place].payload.data().size();
    }

    // Enough of them to suspect the broker, and to leave the others alone.
    [[nodiscard]] bool seems_away() const {
        constexpr std::size_t enough = 64;
        return m_other_answers == 0 && m_refused.size() >= enough;
    }

    bool submit(std::size_t place, broker_message message) {
        try {
            message.place = place;
            m_transport.submit(std::move(message));
        } catch (invalid_argument const& e) {
            ++m_other_answers;
            fail(place, {.result = publish_result::rejected, .error = e.what()});
            return false;
        }
        m_states[place] = state::under_way;
        m_bytes += bytes_of(place);
        ++m_under_way;
        return true;
    }

    void settle(broker_answer const& one) {
        if (one.place >= m_states.size() || m_states[one.place] != state::under_way) {
            return; // of somebody who answers twice
        }
        m_states[one.place] = state::done;
        --m_under_way;
        m_bytes -= bytes_of(one.place);
        if (one.about_all && one.answer.result != publish_result::accepted) {
            m_refused.push_back(one.place);
        } else {
            ++m_other_answers;
        }
        if (one.answer.result != publish_result::accepted) {
            fail(one.place, one.answer);
        } else if (!is_blocked(one.place)) {
            m_report.answers[one.place] = one.answer;
            if (!m_transport.all_or_nothing()) {
                m_lanes.go_on(one.place);
            }
        }
    }

    [[nodiscard]] bool is_blocked(std::size_t place) const {
        auto const first = m_first_failed.find(m_messages[place].key);
        return first != m_first_failed.end() && first->second < place;
    }

    void fail(std::size_t place, publish_answer answer) {
        static constexpr char const* behind = "an earlier message of its key was not accepted";
        publish_answer const not_sent{.result = publish_result::not_sent, .error = behind};
        if (is_blocked(place)) {
            m_report.answers[place] = not_sent;
            return;
        }
        m_report.answers[place] = std::move(answer);
        if (m_messages[place].key.empty()) {
            return;
        }
        // Of a batch that is taken whole, a later one can have been found unfit before an earlier one fails.
        auto const known = m_first_failed.try_emplace(m_messages[place].key, place);
        if (!known.second) {
            m_report.answers[std::exchange(known.first->second, place)] = not_sent;
        }
        for (auto const later : m_lanes.behind(place)) {
            m_report.answers[later].error = behind;
        }
    }

    publish_report conclude() {
        bool const answered = m_other_answers > 0 || !m_refused.empty();
        if (auto lost = m_transport.lost(); lost && !all_accepted()) {
            // Nobody is to blame. A message that ends the connection each time is found by the relay.
            m_report.unavailable = std::move(lost);
            end_those_under_way(publish_result::not_sent, "the connection was lost before its answer came");
        } else if (m_under_way > 0) {
            static constexpr char const* silent = "no answer within the publish deadline";
            m_transport.abandon();
            if (!answered) {
                m_report.unavailable = silent;
            }
            end_those_under_way(answered ? publish_result::retry : publish_result::not_sent, silent);
        } else if (m_other_answers == 0 && !m_refused.empty()) {
            m_report.unavailable = m_report.answers[m_refused.front()].error;
        }
        return std::move(m_report);
    }

    [[nodiscard]] bool all_accepted() const {
        return std::ranges::all_of(m_report.answers,
                                   [](auto const& one) { return one.result == publish_result::accepted; });
    }

    void end_those_under_way(publish_result result, char const* why) {
        for (std::size_t place = 0; place < m_states.size(); ++place) {
            if (m_states[place] == state::under_way) {
                fail(place, {.result = result, .error = why});
            }
        }
    }

    std::span<delivery const> m_messages;
    time_point m_deadline;
    time_point m_last_start;
    broker_options const& m_options;
    std::string_view m_attribute_prefix;
    broker_transport& m_transport;
    lanes m_lanes;
    std::vector<state> m_states;
    publish_report m_report;
    std::unordered_map<std::string_view, std::string> m_destination_of;
    std::size_t m_under_way = 0;
    std::size_t m_bytes = 0;
    /// Of each key the first message that was not accepted.
    std::unordered_map<std::string_view, std::size_t> m_first_failed;
    // In a way in which a broker that can take nothing would.
    std::vector<std::size_t> m_refused;
    std::size_t m_other_answers = 0;
};

} // namespace

broker_transport::~broker_transport() = default;

broker_sender::broker_sender(broker_options options, std::string attribute_prefix,
                             std::unique_ptr<broker_transport> transport)
    : m_options{std::move(options)},
      m_attribute_prefix{std::move(attribute_prefix)},
      m_transport{std::move(transport)} {
    validate(m_options);
}

broker_sender::~broker_sender() = default;

publish_report broker_sender::publish(std::span<delivery const> messages, time_point deadline) {
    try {
        return broker_call{messages, deadline, m_options, m_attribute_prefix, *m_transport}.run();
    } catch (...) {
        m_transport->abandon();
        throw;
    }
}

} // namespace once::detail
