// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "delivery/batch_reader.hpp"

#include <algorithm>
#include <span>

namespace once::detail {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

bool batch_reader::has_work() const noexcept {
    return !m_lease.held() || (m_batch && !m_batch->empty()) || parked_is_due();
}

batch_reader::clock::time_point batch_reader::next_event() const noexcept {
    return std::min({m_scheduled_at, m_parked_at, m_lease.renew_at()});
}

void batch_reader::wait(std::stop_token const& stop) {
    unless_taken([&] {
        if (!m_lease.held()) {
            m_session.wait(std::max(m_lease.try_at(), clock::now() + 1ms), stop, false);
        } else if (streaming()) {
            m_session.wait(std::min(next_event(), m_read_at + m_options.gather), stop, false);
            if (!stop.stop_requested()) {
                read(false);
            }
        } else if (can_listen() && clock::now() >= m_busy_until) {
            sleep(stop);
        } else {
            poll_shortly(stop);
        }
    });
}

void batch_reader::poll_shortly(std::stop_token const& stop) {
    m_session.wait(std::min(next_event(), clock::now() + m_idle_pause), stop, false);
    m_idle_pause = std::min<std::chrono::milliseconds>(m_idle_pause * 2, m_options.longest_poll);
    if (!stop.stop_requested()) {
        read(true);
    }
}

// The order is what no wake-up is lost by: announce the sleep, then look who may have missed that, then read once more.
void batch_reader::sleep(std::stop_token const& stop) {
    if (m_channel.empty()) {
        pipeline one;
        one.add({m_texts.wake_channel, {}});
        m_channel = exchange(one).front().text(0);
    }
    m_session.listen(m_channel);

    auto const wakes_at = std::min(next_event(), clock::now() + m_options.longest_sleep);
    auto const sleep_time = std::max(1ms, std::chrono::ceil<milliseconds>(wakes_at - clock::now()));
    pipeline one;
    add_empty_acknowledgement(one);
    add_wake_up(one);
    auto const announced =
        one.add_transaction(statement{m_texts.fall_asleep, parameters{sleep_time.count()}});
    auto const at = add_read(one, true);
    auto const answers = exchange(one);
    take_read(at, answers);
    if (has_work()) {
        return;
    }
    auto const writers = answers[announced].bytes(1);
    constexpr std::size_t empty_array_bytes = 12;
    if (writers.size() > empty_array_bytes) {
        wait_for_writers(parameters{std::as_bytes(std::span{writers})}, stop);
        if (has_work() || stop.stop_requested()) {
            return;
        }
    }
    m_session.wait(std::min(next_event(), wakes_at), stop, true);
    m_batch.reset(); // read again
}

// They may have staged messages before they could see that a reader sleeps.
void batch_reader::wait_for_writers(parameters const& writers, std::stop_token const& stop) {
    for (auto pause = milliseconds{1}; !stop.stop_requested();
         pause = std::min<std::chrono::milliseconds>(pause * 2, m_options.longest_poll)) {
        m_session.wait(std::min(next_event(), clock::now() + pause), stop, true);
        pipeline one;
        add_wake_up(one);
        auto const left = one.add_transaction(statement{m_texts.writers_left, writers});
        auto const at = add_read(one, true); // after the look: who is gone has committed before this reads
        auto const answers = exchange(one);
        take_read(at, answers);
        if (has_work() || answers[left].int4(0) == 0) {
            return;
        }
    }
}

} // namespace once::detail
