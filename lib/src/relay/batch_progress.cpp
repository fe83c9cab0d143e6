// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "relay/batch_progress.hpp"

#include <once/error.hpp>

#include <utility>

namespace once::detail {

std::string_view to_string(parked_as value) noexcept {
    switch (value) {
    case parked_as::retry:
        return "retry";
    case parked_as::dead:
        return "dead";
    case parked_as::behind:
        break;
    }
    return "behind";
}

batch_progress::batch_progress(std::vector<delivery> messages, std::vector<bool> const& blocked)
    : m_messages{std::move(messages)}, m_states(m_messages.size(), state::open), m_errors(m_messages.size()) {
    m_ids.reserve(m_messages.size());
    for (std::size_t i = 0; i < m_messages.size(); ++i) {
        m_ids.push_back(m_messages[i].position);
        if (blocked[i]) {
            m_blocked.insert(m_messages[i].key);
        }
    }
}

std::span<delivery const> batch_progress::next(std::size_t most) {
    while (m_first_open < m_states.size() && m_states[m_first_open] != state::open) {
        ++m_first_open;
    }
    for (std::size_t i = m_first_open; i < m_messages.size() && m_sent.size() < most; ++i) {
        if (m_states[i] != state::open) {
            continue;
        }
        if (m_blocked.contains(m_messages[i].key)) {
            m_states[i] = state::behind;
            continue;
        }
        m_places.push_back(i);
        m_sent.push_back(std::move(m_messages[i]));
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

bool batch_progress::take(publish_report const& report) {
    if (report.answers.empty() && report.unavailable) {
        give_back();
        return false;
    }
    if (report.answers.size() != m_sent.size()) {
        auto const sent = m_sent.size();
        give_back();
        throw misuse{"once: the publisher gave " + std::to_string(report.answers.size()) + " answers to " +
                     std::to_string(sent) + " messages"};
    }
    bool changed = false;
    for (std::size_t i = 0; i < m_sent.size(); ++i) {
        auto const& answer = report.answers[i];
        auto& now = m_states[m_places[i]];
        switch (answer.result) {
        case publish_result::accepted:
            now = state::accepted;
            ++m_counted.accepted;
            break;
        case publish_result::retry:
            now = state::retry;
            ++m_counted.retry;
            break;
        case publish_result::rejected:
            now = state::rejected;
            ++m_counted.rejected;
            break;
        case publish_result::not_sent:
            continue;
        }
        changed = true;
        if (now != state::accepted) {
            m_errors[m_places[i]] = answer.error;
            if (!m_sent[i].key.empty()) {
                m_blocked.insert(m_sent[i].key);
            }
            if (now == state::retry && answer.retry_after) {
                m_pauses.emplace_back(m_ids[m_places[i]], *answer.retry_after);
            }
        }
    }
    give_back();
    return changed;
}

acknowledgement batch_progress::settle() const {
    acknowledgement made;
    std::vector<state> states = m_states;
    for (std::size_t i = 0; i < states.size(); ++i) {
        if (states[i] == state::open && m_blocked.contains(m_messages[i].key)) {
            states[i] = state::behind;
        }
        if (states[i] != state::open) {
            made.done = i + 1;
        }
    }
    for (std::size_t i = 0; i < made.done; ++i) {
        switch (states[i]) {
        case state::accepted:
            break;
        case state::retry:
            made.parked.push_back({m_ids[i], parked_as::retry, m_errors[i]});
            break;
        case state::rejected:
            made.parked.push_back({m_ids[i], parked_as::dead, m_errors[i]});
            break;
        case state::open:
        case state::behind:
            made.parked.push_back({m_ids[i], parked_as::behind, {}});
            break;
        }
    }
    return made;
}

} // namespace once::detail
