// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "database/watchdog.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace once::detail {

watchdog::~watchdog() {
    {
        std::lock_guard const lock{m_mutex};
        m_stop = true;
    }
    m_changed.notify_all();
    if (m_thread.joinable()) {
        m_thread.join();
    }
}

std::uint64_t watchdog::arm(int socket, time_point deadline) {
    int const duplicate = ::fcntl(socket, F_DUPFD_CLOEXEC, 0);
    if (duplicate < 0) {
        throw std::system_error{errno, std::generic_category(), "once: cannot watch the deadline of a call"};
    }
    std::lock_guard const lock{m_mutex};
    if (!m_thread.joinable()) {
        m_thread = std::thread{[this] { watch(); }};
    }
    auto const id = m_next_id++;
    m_entries.emplace(id, entry{duplicate, deadline});
    // Calls come with much the same deadline, so the thread nearly never has to be woken.
    if (deadline < m_wakes_at) {
        m_changed.notify_all();
    }
    return id;
}

void watchdog::disarm(std::uint64_t id) {
    std::lock_guard const lock{m_mutex};
    auto const mine = m_entries.find(id);
    if (mine != m_entries.end()) {
        ::close(mine->second.socket);
        m_entries.erase(mine);
    }
}

void watchdog::watch() {
    std::unique_lock lock{m_mutex};
    while (!m_stop) {
        auto const now = std::chrono::steady_clock::now();
        m_wakes_at = time_point::max();
        for (auto next = m_entries.begin(); next != m_entries.end();) {
            if (next->second.deadline <= now) {
                ::shutdown(next->second.socket, SHUT_RDWR);
                ::close(next->second.socket);
                next = m_entries.erase(next);
            } else {
                m_wakes_at = std::min(m_wakes_at, next->second.deadline);
                ++next;
            }
        }
        if (m_wakes_at == time_point::max()) {
            m_changed.wait(lock);
        } else {
            m_changed.wait_until(lock, m_wakes_at);
        }
    }
}

} // namespace once::detail
