// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "delivery/dispatcher.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace once::testing {

/// A relay whose outbox, parked messages and clock are in memory: its judgement is the library's, so thousands of
/// rounds take no time, and the same seed gives the same run. Its time is counted in rounds.
class paper_relay {
public:
    struct fate {
        /// That failed.
        int attempts = 0;
        bool accepted = false;
        bool dead = false;
    };

    paper_relay(std::vector<delivery> log, int max_attempts, std::uint64_t seed,
                detail::dispatcher::publish publish, std::size_t batch_messages = 1000)
        : m_log{std::move(log)},
          m_fates(m_log.size()),
          m_max_attempts{max_attempts},
          m_seed{seed},
          m_publish{std::move(publish)},
          m_batch_messages{batch_messages},
          m_dispatcher{1000} {
        for (std::size_t i = 0; i < m_log.size(); ++i) {
            m_log[i].position = static_cast<std::int64_t>(i);
        }
    }

    /// As relay_worker::round does it.
    /// @return whether the receiver is unavailable
    bool round() {
        ++m_now;
        std::size_t accepted = 0;
        std::optional<detail::batch_progress> parked;
        if (auto due = take_due(); !due.empty()) {
            parked = m_dispatcher.begin(std::move(due), ++m_seed);
            deliver(detail::dispatcher::kind::parked, *parked);
        }
        bool const parked_in_doubt = parked && parked->in_doubt();
        if (parked && !parked_in_doubt) {
            accepted += settle(*parked);
        }
        bool in_doubt = false;
        auto const before = accepted;
        if (auto messages = take_fresh(); !messages.empty()) {
            detail::batch_progress batch{messages, ++m_seed,
                                         parked_in_doubt || m_dispatcher.receiver_is_away()};
            deliver(detail::dispatcher::kind::fresh, batch);
            m_dispatcher.close(batch);
            accepted += batch.counted().accepted;
            if (messages.size() >= m_batch_messages && batch.in_doubt() && accepted == 0 &&
                m_dispatcher.wants_to_look_behind()) {
                batch.set_aside();
            }
            acknowledge(batch, messages);
            in_doubt = batch.in_doubt();
        }
        if (parked_in_doubt) {
            if (accepted > before) {
                parked->receiver_is_there();
                deliver(detail::dispatcher::kind::parked, *parked);
            }
            in_doubt = in_doubt || parked->in_doubt();
            accepted += settle(*parked);
        }
        return m_dispatcher.end_round(accepted, in_doubt);
    }

    /// Appends a message, as a service does meanwhile.
    void publish(delivery one) {
        one.position = static_cast<std::int64_t>(m_log.size());
        m_log.push_back(std::move(one));
        m_fates.emplace_back();
    }

    [[nodiscard]] std::vector<delivery> const& log() const noexcept { return m_log; }
    [[nodiscard]] fate const& fate_of(std::size_t position) const { return m_fates[position]; }
    [[nodiscard]] int rounds() const noexcept { return m_now; }

private:
    struct parked_message {
        bool waits = false;
        int due = 0;
    };

    void deliver(detail::dispatcher::kind what, detail::batch_progress& batch) {
        m_dispatcher.deliver(what, batch, m_publish, [](auto const&) { return true; });
    }

    std::vector<delivery> take_due() {
        constexpr std::size_t most = 32;
        std::vector<std::pair<int, std::size_t>> by_time;
        for (auto const& [position, one] : m_parked) {
            auto const place = static_cast<std::size_t>(position);
            if (!one.waits && !m_fates[place].dead && one.due <= m_now) {
                by_time.emplace_back(one.due, place);
            }
        }
        std::ranges::sort(by_time);
        by_time.resize(std::min(by_time.size(), most));
        std::ranges::sort(by_time, {}, &std::pair<int, std::size_t>::second);
        std::vector<delivery> due;
        for (auto const& [time, place] : by_time) {
            due.push_back(m_log[place]);
            due.back().attempt = ++m_fates[place].attempts;
        }
        return due;
    }

    std::vector<delivery> take_fresh() {
        std::vector<delivery> messages;
        while (m_next < m_log.size() && messages.size() < m_batch_messages) {
            auto const& one = m_log[m_next++];
            if (is_blocked(one.key)) {
                park(one.position, true, 0);
            } else {
                messages.push_back(one);
            }
        }
        return messages;
    }

    [[nodiscard]] bool is_blocked(std::string const& key) const {
        return !key.empty() && m_parked_keys.contains(key) && m_parked_keys.at(key) > 0;
    }

    void park(std::int64_t position, bool waits, int due) {
        if (m_parked.emplace(position, parked_message{waits, due}).second) {
            ++m_parked_keys[m_log[static_cast<std::size_t>(position)].key];
        }
    }

    void acknowledge(detail::batch_progress const& batch, std::vector<delivery> const& messages) {
        auto const made = batch.settle();
        std::map<std::int64_t, detail::parked_entry> failed;
        for (auto const& one : made ? made->parked : std::vector<detail::parked_entry>{}) {
            failed.emplace(one.position, one);
        }
        std::size_t done = 0;
        for (auto const& one : messages) {
            if (!made || (made->up_to && one.position > *made->up_to)) {
                break;
            }
            ++done;
            auto& its = m_fates[static_cast<std::size_t>(one.position)];
            auto const found = failed.find(one.position);
            if (found == failed.end()) {
                its.accepted = true;
                continue;
            }
            bool const waits = is_blocked(one.key);
            bool const tried = found->second.as != detail::parked_as::behind;
            its.attempts += tried ? 1 : 0;
            its.dead =
                found->second.as == detail::parked_as::dead || (tried && its.attempts >= m_max_attempts);
            park(one.position, waits, m_now + (tried ? 2 : 0));
        }
        if (done < messages.size()) {
            m_next = static_cast<std::size_t>(messages[done].position);
        }
    }

    std::size_t settle(detail::batch_progress& batch) {
        m_dispatcher.close(batch);
        for (auto const& one : batch.settlements()) {
            auto& its = m_fates[static_cast<std::size_t>(one.position)];
            auto& parked = m_parked.at(one.position);
            parked.due = m_now + (1 << std::min(its.attempts, 10));
            switch (one.as) {
            case detail::settled_as::accepted:
                its.accepted = true;
                --its.attempts; // it did not fail
                remove(one.position);
                break;
            case detail::settled_as::retry:
                its.dead = its.attempts >= m_max_attempts;
                break;
            case detail::settled_as::rejected:
                its.dead = true;
                break;
            case detail::settled_as::unavailable:
                --its.attempts;
                break;
            }
        }
        return batch.counted().accepted;
    }

    void remove(std::int64_t position) {
        auto const& key = m_log[static_cast<std::size_t>(position)].key;
        m_parked.erase(position);
        --m_parked_keys[key];
        for (auto& [other, one] : m_parked) {
            if (!key.empty() && m_log[static_cast<std::size_t>(other)].key == key) {
                one = {.waits = false, .due = m_now};
                return;
            }
        }
    }

    std::vector<delivery> m_log;
    std::vector<fate> m_fates;
    int m_max_attempts;
    std::uint64_t m_seed;
    detail::dispatcher::publish m_publish;
    std::size_t m_batch_messages;
    detail::dispatcher m_dispatcher;
    std::size_t m_next = 0;
    int m_now = 0;
    std::map<std::int64_t, parked_message> m_parked;
    std::map<std::string, int> m_parked_keys;
};

} // namespace once::testing
