// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/database.hpp>

#include "connection/connect.hpp"
#include "connection/session.hpp"
#include "connection/watchdog.hpp"
#include "sql/claim_statements.hpp"
#include "sql/outbox_statements.hpp"

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace once::detail {

/// The connections of one `database`, and what has been learnt about the server behind them.
class connection_pool {
public:
    connection_pool(std::string const& conninfo, database_options options);

    /// A session for one call; goes back when the lease ends.
    class lease {
    public:
        lease(connection_pool& pool, std::unique_ptr<session> session) noexcept
            : m_pool{&pool}, m_session{std::move(session)} {}
        ~lease();
        lease(lease&& other) noexcept = default;
        lease& operator=(lease&&) = delete;
        lease(lease const&) = delete;
        lease& operator=(lease const&) = delete;

        [[nodiscard]] session& operator*() const noexcept { return *m_session; }
        [[nodiscard]] session* operator->() const noexcept { return m_session.get(); }

    private:
        connection_pool* m_pool;
        std::unique_ptr<session> m_session;
    };

    /// Takes a free session, or opens one, or waits for one.
    /**
     * @throws pqxx::broken_connection when the server cannot be reached, or is a standby or an old primary: all that a
     *         later attempt can find mended. once::deadline_exceeded when every session stays busy. once::schema_error
     *         and once::configuration_error when the library cannot work there.
     */
    [[nodiscard]] lease take(time_point deadline);

    /// After a lost connection: closes the free ones too, since what broke one has often broken all.
    void distrust_free_sessions() noexcept;

    /// After the server forgot a prepared statement: stop using them, a pooler is in between.
    void stop_preparing() noexcept;

    [[nodiscard]] database_options const& options() const noexcept { return m_options; }
    [[nodiscard]] sql::claim_statements const& statements() const noexcept { return m_statements; }
    [[nodiscard]] sql::outbox_statements const& outbox() const noexcept { return m_outbox; }
    [[nodiscard]] watchdog& deadlines() noexcept { return m_watchdog; }
    void log(std::string_view line) const noexcept;

private:
    [[nodiscard]] std::unique_ptr<session> open_session(time_point deadline);
    void admit(server_facts const& facts, session& session, time_point deadline);
    void give_back(std::unique_ptr<session> session) noexcept;

    database_options m_options;
    connect_plan m_plan;
    sql::claim_statements m_statements;
    sql::outbox_statements m_outbox;
    watchdog m_watchdog;

    std::mutex m_mutex;
    std::condition_variable m_returned;
    std::vector<std::unique_ptr<session>> m_free; // guarded by m_mutex, as all below
    std::size_t m_open = 0;
    bool m_prepare;
    bool m_schema_checked = false;
    std::string m_system_identifier;
    unsigned long m_timeline = 0;
};

} // namespace once::detail
