// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/database.hpp>

#include "database/connection_pool.hpp"
#include "delivery/pipeline.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace once::detail {

/// A descriptor that becomes readable when a stop is requested, so that a wait on a socket ends then.
class stop_signal {
public:
    stop_signal();
    ~stop_signal();
    stop_signal(stop_signal const&) = delete;
    stop_signal& operator=(stop_signal const&) = delete;

    void raise() const noexcept;
    [[nodiscard]] int descriptor() const noexcept { return m_descriptor; }

private:
    int m_descriptor;
};

/// The connection that a reader keeps for itself, because it may LISTEN on it.
class reader_session {
public:
    reader_session(database& db, std::chrono::milliseconds reply_timeout)
        : m_pool{pool_of(db)}, m_reply_timeout{reply_timeout} {}
    ~reader_session() { drop(); }
    reader_session(reader_session const&) = delete;
    reader_session& operator=(reader_session const&) = delete;

    /// The session, connected when it was not.
    /// @throws what connection_pool::take throws
    [[nodiscard]] session& on();
    [[nodiscard]] connection_pool& pool() const noexcept { return m_pool; }

    /// One round trip; every statement succeeds, or the first error is thrown and the session is usable again or
    /// closed.
    std::vector<pg_result> exchange(pipeline const& pipeline);

    /// What should be free is locked: ends sessions that hold it and have lost their clients.
    void look_at_holder() noexcept;

    /// Closes the connection; it must not go back into the pool while it listens.
    void drop() noexcept;

    /// LISTENs on the channel, once per connection.
    void listen(std::string const& channel);

    /// The payload of the last notification that has come since the last time; empty when none has. Anybody may notify,
    /// so nothing but a look at the outbox may follow from it.
    [[nodiscard]] std::optional<std::string> take_notification();

    /// Waits until something arrives, `until`, or a stop. Returns at once when a notification is there already.
    /// @param heed_server false: waits for time and stop only
    void wait(std::chrono::steady_clock::time_point until, std::stop_token const& stop, bool heed_server);

private:
    void gather_notifications();

    connection_pool& m_pool;
    std::chrono::milliseconds m_reply_timeout;
    std::optional<connection_pool::checkout> m_checkout;
    bool m_listening = false;
    std::optional<std::string> m_notified;
};

} // namespace once::detail
