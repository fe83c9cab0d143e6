// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "delivery/dispatcher.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace once::detail {

namespace {

// What is remembered of suspects; who is forgotten is only suspected anew.
constexpr std::size_t most_suspects = 10'000;
// The first pauses are short, and many outages are over by then.
constexpr unsigned first_look_behind = 4;

} // namespace

dispatcher::dispatcher(std::size_t most_messages) : m_sizes(2, call_size{most_messages}) {}

batch_progress dispatcher::begin(std::vector<delivery> messages, std::uint64_t random) const {
    return batch_progress{std::move(messages), random, receiver_is_away()};
}

void dispatcher::deliver(kind what, batch_progress& batch, publish const& publisher, may_go_on const& go_on) {
    auto& size = m_sizes[static_cast<std::size_t>(what)];
    for (auto messages = batch.next(size.now()); !messages.empty(); messages = batch.next(size.now())) {
        auto const tried = messages.size();
        bool const in_order = batch.goes_in_order();
        auto const before = batch.counted().accepted;
        auto const [report, too_much] = publisher(messages);
        auto const result = batch.take(report, too_much);
        m_accepted += batch.counted().accepted - before;
        if (in_order && (result == call_result::too_much || batch.nobody_named() || too_much)) {
            size.was_too_much(tried, count_answers(report));
        } else if (in_order && result == call_result::progress) {
            size.fitted(tried);
        }
        if (!go_on(batch)) {
            return;
        }
    }
}

void dispatcher::close(batch_progress& batch) {
    if (m_suspects.size() > most_suspects) {
        m_suspects.clear();
    }
    for (auto const& suspect : batch.suspects()) {
        auto const [found, is_new] = m_suspects.emplace(suspect, m_accepted);
        if (!is_new && found->second < m_accepted) {
            m_suspects.erase(found);
            batch.blame(suspect);
        }
    }
}

bool dispatcher::end_round(std::size_t accepted, bool in_doubt) {
    bool const away = in_doubt && accepted == 0;
    if (away) {
        ++m_refused_rounds;
    } else if (accepted > 0) {
        m_refused_rounds = 0;
    }
    return away;
}

bool dispatcher::wants_to_look_behind() const noexcept {
    auto const rounds = m_refused_rounds + 1;
    return rounds >= first_look_behind && std::has_single_bit(rounds);
}

} // namespace once::detail
