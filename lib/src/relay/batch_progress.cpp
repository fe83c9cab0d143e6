// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "relay/batch_progress.hpp"

#include <once/error.hpp>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>

namespace once::detail {

namespace {

std::ptrdiff_t offset(std::size_t place) {
    return static_cast<std::ptrdiff_t>(place);
}

} // namespace

batch_progress::batch_progress(std::vector<delivery> messages)
    : m_messages{std::move(messages)},
      m_states(m_messages.size(), state::open),
      m_errors(m_messages.size()) {}

std::span<delivery const> batch_progress::next(std::size_t most) {
    while (m_first_open < m_states.size() && m_states[m_first_open] != state::open) {
        ++m_first_open;
    }
    auto const end = std::min(m_messages.size() - m_first_open, most) + m_first_open;
    auto const is_open = [](state one) { return one == state::open; };
    if (m_blocked.empty() &&
        std::all_of(m_states.begin() + offset(m_first_open), m_states.begin() + offset(end), is_open)) {
        // All of them, as long as nothing went wrong: they are lent where they lie.
        m_places.resize(end - m_first_open);
        std::iota(m_places.begin(), m_places.end(), m_first_open);
        return std::span{m_messages}.subspan(m_first_open, m_places.size());
    }
    for (auto i = m_first_open; i < m_messages.size() && m_sent.size() < most; ++i) {
        if (m_states[i] == state::open && m_blocked.contains(m_messages[i].key)) {
            m_states[i] = state::behind;
        } else if (m_states[i] == state::open) {
            m_places.push_back(i);
            m_sent.push_back(std::move(m_messages[i]));
        }
    }
    return m_sent;
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
    if (now == state::retry && answer.retry_after) {
        m_pauses.push_back({message.position, message.id, settled_as::retry, answer.error, answer.retry_after});
    }
}

void check_answers(publish_report const& report, std::size_t messages) {
    if (report.answers.size() != messages) {
        throw misuse{"once: the publisher gave " + std::to_string(report.answers.size()) + " answers to " +
                     std::to_string(messages) + " messages"};
    }
}

bool batch_progress::take(publish_report const& report) {
    auto const places = m_places;
    give_back();
    if (report.answers.empty() && report.unavailable) {
        return false;
    }
    check_answers(report, places.size());
    bool changed = false;
    for (std::size_t i = 0; i < places.size(); ++i) {
        take(places[i], report.answers[i]);
        changed = changed || report.answers[i].result != publish_result::not_sent;
    }
    return changed;
}

std::optional<progress> batch_progress::settle() const {
    auto states = m_states;
    std::size_t done = 0;
    for (std::size_t i = 0; i < states.size(); ++i) {
        if (states[i] == state::open && m_blocked.contains(m_messages[i].key)) {
            states[i] = state::behind;
        }
        done = states[i] == state::open ? done : i + 1;
    }
    if (done == 0) {
        return std::nullopt;
    }
    progress made;
    if (done < states.size()) {
        made.up_to = m_messages[done - 1].position;
    }
    for (std::size_t i = 0; i < done; ++i) {
        if (states[i] == state::accepted) {
            continue;
        }
        auto const as = states[i] == state::retry      ? parked_as::retry
                        : states[i] == state::rejected ? parked_as::dead
                                                       : parked_as::behind;
        made.parked.push_back({m_messages[i].position, as, m_errors[i]});
    }
    return made;
}

} // namespace once::detail
