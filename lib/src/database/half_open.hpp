// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "database/session.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <string_view>

namespace once::detail {

/// Ends sessions of the server that wait for the rest of what a client sent them, and hold what others need.
/**
 * When a network swallows the rest of an exchange, the server's session stands inside a transaction and waits for the
 * next message. It is not idle, so no timeout of PostgreSQL before 17 ends it; only TCP keepalives do, after two hours
 * by default. The library never pauses inside an exchange: a session of its own role that has waited there for longer
 * than a reply may take has lost its client.
 *
 * @par Thread safety
 * Any thread.
 */
class half_open_sessions {
public:
    using log_function = std::function<void(std::string_view)>;

    /// Looks for them when something is locked that should be free, at most every few seconds in one process.
    /// @param on a session outside of a transaction; closed when it is lost meanwhile
    /// @param silent_for for so long they must have waited
    void end(session& on, std::chrono::milliseconds silent_for, time_point deadline,
             log_function const& log) noexcept;

private:
    std::atomic<time_point::rep> m_next_look = 0;
};

} // namespace once::detail
