// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <thread>

namespace once::detail {

/// Shuts a socket down when its time has come.
/**
 * libpqxx waits for a reply for ever; neither keepalives nor tcp_user_timeout end that, because the connection is
 * healthy and only the answer is missing. Shutting the socket down turns the wait into a broken connection.
 *
 * Thread safety: safe. Its thread starts with the first guard.
 */
class watchdog {
public:
    using time_point = std::chrono::steady_clock::time_point;

    watchdog() = default;
    ~watchdog();
    watchdog(watchdog const&) = delete;
    watchdog(watchdog&&) = delete;
    watchdog& operator=(watchdog const&) = delete;
    watchdog& operator=(watchdog&&) = delete;

    /// Watches one socket while it lives; by a duplicate, since libpq closes a broken socket and its number may be
    /// another connection's by the time of the deadline.
    class guard {
    public:
        guard(watchdog& owner, int socket, time_point deadline)
            : m_owner{owner}, m_id{owner.arm(socket, deadline)} {}
        ~guard() { m_owner.disarm(m_id); }
        guard(guard const&) = delete;
        guard(guard&&) = delete;
        guard& operator=(guard const&) = delete;
        guard& operator=(guard&&) = delete;

    private:
        watchdog& m_owner;
        std::uint64_t m_id;
    };

private:
    struct entry {
        int socket;
        time_point deadline;
    };

    std::uint64_t arm(int socket, time_point deadline);
    void disarm(std::uint64_t id);
    void watch();

    std::mutex m_mutex;
    std::condition_variable m_changed;
    // A handful of entries, one per busy connection: scanning them is cheaper than keeping two indexes.
    std::map<std::uint64_t, entry> m_entries;
    std::uint64_t m_next_id = 1;
    time_point m_wakes_at = time_point::max();
    bool m_stop = false;
    std::thread m_thread;
};

} // namespace once::detail
