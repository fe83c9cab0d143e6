// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "delivery/batch_progress.hpp"

#include <once/error.hpp>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string_view>
#include <utility>

namespace once::detail {

namespace {

std::ptrdiff_t offset(std::size_t place) {
    return static_cast<std::ptrdiff_t>(place);
}

// splitmix64: enough to choose witnesses, and the same for the same seed.
std::uint64_t next_random(std::uint64_t& state) noexcept {
    state += 0x9e3779b97f4a7c15U;
    auto mixed = state;
    mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31U);
}

} // namespace

void check_answers(publish_report const& report, std::size_t messages) {
    if (report.answers.size() != messages) {
        throw misuse{"once: the publisher gave " + std::to_string(report.answers.size()) + " answers to " +
                     std::to_string(messages) + " messages"};
    }
}

std::size_t count_answers(publish_report const& report) noexcept {
    return static_cast<std::size_t>(std::ranges::count_if(
        report.answers, [](auto const& one) { return one.result != publish_result::not_sent; }));
}

batch_progress::batch_progress(std::vector<delivery> messages, std::uint64_t random, bool in_doubt)
    : m_messages{std::move(messages)},
      m_states(m_messages.size(), state::open),
      m_errors(m_messages.size()),
      m_retry_after(m_messages.size()),
      m_random{random} {
    if (in_doubt && !m_messages.empty()) {
        m_doubt = doubt{.is_new = false};
    }
}

std::span<delivery const> batch_progress::next(std::size_t most) {
    while (m_first_open < m_states.size() && m_states[m_first_open] > state::held) {
        ++m_first_open;
    }
    m_is_retrial = !m_doubt && !m_suspects.empty();
    return m_doubt ? next_witness() : m_is_retrial ? next_suspects(most) : next_in_order(most);
}

bool batch_progress::all_open(std::size_t end) const {
    return m_blocked.empty() &&
           std::all_of(m_states.begin() + offset(m_first_open), m_states.begin() + offset(end),
                       [](state one) { return one == state::open; });
}

std::span<delivery const> batch_progress::next_in_order(std::size_t most) {
    auto const end = std::min(m_messages.size() - m_first_open, most) + m_first_open;
    if (all_open(end)) {
        // All of them, as long as nothing went wrong: they are lent where they lie.
        m_places.resize(end - m_first_open);
        std::iota(m_places.begin(), m_places.end(), m_first_open);
        return std::span{m_messages}.subspan(m_first_open, m_places.size());
    }
    for (auto i = m_first_open; i < m_messages.size() && m_sent.size() < most; ++i) {
        if (m_states[i] == state::open && m_blocked.contains(m_messages[i].key)) {
            m_states[i] = state::behind;
        } else if (m_states[i] == state::open) {
            lend(i);
        }
    }
    return m_sent;
}

// The first message of a key, if it is open, anywhere in the batch: messages at its head have much in common.
std::span<delivery const> batch_progress::next_witness() {
    if (m_doubt->witnesses_left == 0) {
        return {};
    }
    std::unordered_set<std::string_view> seen;
    std::vector<std::size_t> candidates;
    for (auto i = m_first_open; i < m_messages.size(); ++i) {
        auto const& key = m_messages[i].key;
        bool const waits = m_states[i] > state::held || m_blocked.contains(key);
        bool const first_of_key = !waits && (key.empty() || seen.insert(key).second);
        if (first_of_key && m_states[i] == state::open) {
            candidates.push_back(i);
        }
    }
    if (candidates.empty()) {
        return {};
    }
    --m_doubt->witnesses_left;
    lend(candidates[next_random(m_random) % candidates.size()]);
    return m_sent;
}

// All together where a report named them, for it can do so again. Otherwise each alone.
std::span<delivery const> batch_progress::next_suspects(std::size_t most) {
    bool const together = std::ranges::all_of(m_suspects, &suspect::named);
    for (auto const& one : std::span{m_suspects}.first(together ? std::min(most, m_suspects.size()) : 1)) {
        lend(one.place);
    }
    return m_sent;
}

void batch_progress::lend(std::size_t place) {
    m_places.push_back(place);
    m_sent.push_back(std::move(m_messages[place]));
}

void batch_progress::give_back() {
    for (std::size_t i = 0; i < m_sent.size(); ++i) {
        m_messages[m_places[i]] = std::move(m_sent[i]);
    }
    m_sent.clear();
    m_places.clear();
}

void batch_progress::take(std::size_t place, publish_answer const& answer) {
    auto& now = m_states[place];
    switch (answer.result) {
    case publish_result::accepted:
        now = state::accepted;
        ++m_counted.accepted;
        return;
    case publish_result::retry:
        now = state::retry;
        ++m_counted.retry;
        break;
    case publish_result::rejected:
        now = state::rejected;
        ++m_counted.rejected;
        break;
    case publish_result::not_sent:
        return;
    }
    auto const& message = m_messages[place];
    m_errors[place] = answer.error;
    if (!message.key.empty()) {
        m_blocked.insert(message.key);
    }
    m_retry_after[place] = answer.retry_after;
    if (now == state::retry && answer.retry_after) {
        m_pauses.push_back(
            {message.position, message.id, settled_as::retry, answer.error, answer.retry_after});
    }
}

call_result batch_progress::take(publish_report const& report, bool time_is_up) {
    auto const places = m_places;
    give_back();
    if (!report.answers.empty() || !report.unavailable) {
        check_answers(report, places.size());
    }
    auto const answered = [&](publish_result result) {
        return std::ranges::any_of(report.answers, [&](auto const& one) { return one.result == result; });
    };
    if (m_is_retrial) {
        return take_retrial(places, report);
    }
    bool const accepted = answered(publish_result::accepted);
    bool const failed = answered(publish_result::retry) || answered(publish_result::rejected);
    if (!accepted && (report.unavailable || !failed)) {
        if (time_is_up && places.size() > 1) {
            return call_result::too_much;
        }
        refused(places, report);
        return call_result::refused;
    }
    if (accepted) {
        receiver_is_there();
    }
    for (std::size_t i = 0; i < places.size(); ++i) {
        take(places[i], report.answers[i]);
    }
    return call_result::progress;
}

void batch_progress::refused(std::vector<std::size_t> const& places, publish_report const& report) {
    if (!m_doubt) {
        m_doubt.emplace();
    }
    for (std::size_t i = 0; i < places.size(); ++i) {
        auto const answer =
            i < report.answers.size() ? report.answers[i] : publish_answer{publish_result::not_sent};
        if (answer.result == publish_result::rejected) {
            take(places[i], answer);
        } else if (answer.result == publish_result::retry || places.size() == 1) {
            hold(places[i], answer.result == publish_result::retry, answer, report);
        }
    }
}

void batch_progress::hold(std::size_t place, bool named, publish_answer const& answer,
                          publish_report const& report) {
    m_states[place] = state::held;
    m_errors[place] = !answer.error.empty() ? answer.error : report.unavailable.value_or("it was not sent");
    m_retry_after[place] = answer.retry_after;
    m_doubt->held.push_back({place, named});
}

call_result batch_progress::take_retrial(std::vector<std::size_t> const& places,
                                         publish_report const& report) {
    bool accepted = false;
    std::vector<suspect> left;
    for (std::size_t i = 0; i < places.size(); ++i) {
        auto answer =
            i < report.answers.size() ? report.answers[i] : publish_answer{publish_result::not_sent};
        if (answer.result == publish_result::not_sent && places.size() > 1) {
            left.push_back({places[i], false});
            continue;
        }
        if (answer.result == publish_result::not_sent) {
            answer = {publish_result::retry, report.unavailable.value_or(m_errors[places[i]]),
                      m_retry_after[places[i]]};
        }
        accepted = accepted || answer.result == publish_result::accepted;
        take(places[i], answer);
    }
    m_suspects.erase(m_suspects.begin(), m_suspects.begin() + offset(places.size()));
    m_suspects.insert(m_suspects.begin(), left.begin(), left.end());
    if (!accepted && report.unavailable) {
        m_doubt.emplace(); // it may have ended the receiver, so the next one must not pay for it
    }
    return left.size() < places.size() ? call_result::progress : call_result::refused;
}

void batch_progress::receiver_is_there() {
    if (auto const ended = std::exchange(m_doubt, std::nullopt)) {
        m_suspects.insert(m_suspects.end(), ended->held.begin(), ended->held.end());
    }
}

std::vector<message_id> batch_progress::suspects() const {
    std::vector<message_id> made;
    if (m_doubt && m_doubt->is_new) {
        for (auto const& one : m_doubt->held) {
            made.push_back(m_messages[one.place].id);
        }
    }
    return made;
}

void batch_progress::blame(message_id const& whom) {
    for (std::size_t i = 0; i < m_messages.size(); ++i) {
        if (m_states[i] == state::held && m_messages[i].id == whom) {
            take(i, {publish_result::retry, m_errors[i], m_retry_after[i]});
        }
    }
}

void batch_progress::set_aside() {
    std::ranges::replace_if(m_states, [](state one) { return one <= state::held; }, state::behind);
}

batch_progress::state batch_progress::settled_state(std::size_t place) const {
    bool const is_open = m_states[place] <= state::held;
    return !is_open                                    ? m_states[place]
           : m_blocked.contains(m_messages[place].key) ? state::behind
                                                       : state::open;
}

std::optional<progress> batch_progress::settle() const {
    std::size_t done = 0;
    for (std::size_t i = 0; i < m_states.size(); ++i) {
        done = settled_state(i) == state::open ? done : i + 1;
    }
    if (done == 0) {
        return std::nullopt;
    }
    progress made;
    if (done < m_states.size()) {
        made.up_to = m_messages[done - 1].position;
    }
    for (std::size_t i = 0; i < done; ++i) {
        auto const now = m_states[i];
        if (now != state::accepted) {
            auto const as = now == state::retry      ? parked_as::retry
                            : now == state::rejected ? parked_as::dead
                                                     : parked_as::behind;
            made.parked.push_back({m_messages[i].position, as, m_errors[i]});
        }
    }
    return made;
}

std::vector<settlement> batch_progress::settlements() const {
    std::vector<settlement> made;
    made.reserve(m_messages.size());
    for (std::size_t i = 0; i < m_messages.size(); ++i) {
        auto const now = m_states[i];
        auto const as = now == state::accepted   ? settled_as::accepted
                        : now == state::retry    ? settled_as::retry
                        : now == state::rejected ? settled_as::rejected
                                                 : settled_as::unavailable;
        made.push_back({m_messages[i].position, m_messages[i].id, as, m_errors[i], m_retry_after[i]});
    }
    return made;
}

} // namespace once::detail
