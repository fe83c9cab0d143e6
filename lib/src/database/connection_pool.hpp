// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/database.hpp>

#include "database/connect.hpp"
#include "database/half_open.hpp"
#include "database/session.hpp"
#include "database/watchdog.hpp"
#include "sql/texts.hpp"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace once::detail {

/// The connections of one `database`, and what has been learnt about the server behind them.
class connection_pool {
public:
    connection_pool(std::string const& conninfo, database_options options);

    /// A session for one call; goes back when the checkout ends.
    class checkout {
    public:
        checkout(connection_pool& pool, std::unique_ptr<session> session) noexcept
            : m_pool{&pool}, m_session{std::move(session)} {}
        ~checkout();
        checkout(checkout&& other) noexcept = default;
        checkout& operator=(checkout&&) = delete;
        checkout(checkout const&) = delete;
        checkout& operator=(checkout const&) = delete;

        [[nodiscard]] session& operator*() const noexcept { return *m_session; }
        [[nodiscard]] session* operator->() const noexcept { return m_session.get(); }

    private:
        connection_pool* m_pool;
        std::unique_ptr<session> m_session;
    };

    /// Takes a free session, or opens one, or waits for one.
    /**
     * @throws pqxx::broken_connection when the server cannot be reached, or is a standby or an old primary: all that a
     *         later attempt can find fixed. once::deadline_exceeded when every session stays busy. once::schema_error
     *         and once::configuration_error when the library cannot work there.
     */
    [[nodiscard]] checkout take(time_point deadline);

    /// Asks one statement outside of any call: on a session of its own, in a transaction of its own.
    /**
     * @param repeatable whether it may be sent again when the connection is lost while it runs
     * @throws what `take` and the statement throw; pqxx::in_doubt_error when the connection was lost while a statement
     *         that is not repeatable ran
     */
    [[nodiscard]] pg_result ask(statement const& statement, time_point deadline, bool repeatable);

    /// After a lost connection: closes the free ones too, since what broke one has often broken all.
    void distrust_free_sessions() noexcept;

    /// When something is locked that should be free: ends sessions that hold locks and have lost their clients.
    /// @param on outside of a transaction
    /// @param silent_for for so long they must have waited for their clients
    void end_half_open(session& on, std::chrono::milliseconds silent_for) noexcept;

    /// After the server forgot a prepared statement: stop using them, a pooler is in between.
    void stop_preparing() noexcept;

    /// The newest timeline that a server has shown to this process; 0: none yet. What a pooler leads back to an older
    /// one is refused.
    [[nodiscard]] std::int64_t newest_timeline() const noexcept { return m_timeline; }
    void note_timeline(std::int64_t timeline) noexcept;
    /// @throws pqxx::broken_connection when it is older than the newest
    void require_timeline(std::int64_t timeline);
    /// After a callback ended in a role that may not call the library's functions: change it around them from now on.
    void expect_other_roles() noexcept;
    [[nodiscard]] bool expects_other_roles() const noexcept { return m_other_roles; }

    /// Whether the newest connection leads through a pooler, which can hand its session to others.
    [[nodiscard]] bool through_pooler() const noexcept { return m_through_pooler; }

    [[nodiscard]] database_options const& options() const noexcept { return m_options; }
    /// The statements `Texts` of a room, for the schema of this database.
    template <class Texts>
    [[nodiscard]] Texts const& texts() const {
        return sql::texts<Texts>(m_options.schema);
    }
    [[nodiscard]] watchdog& deadlines() noexcept { return m_watchdog; }
    void log(std::string_view line) const noexcept { log(line, m_options.log); }
    /// To `own`, the log of one worker, or to that of the database where it has none. One that fails stops nobody.
    void log(std::string_view line, std::function<void(std::string_view)> const& own) const noexcept;

private:
    [[nodiscard]] std::unique_ptr<session> open_session(time_point deadline);
    void admit(server_facts const& facts, session& session, time_point deadline);
    void give_back(std::unique_ptr<session> session) noexcept;

    database_options m_options;
    connect_plan m_plan;
    watchdog m_watchdog;
    half_open_sessions m_half_open;

    std::mutex m_mutex;
    std::condition_variable m_returned;
    std::vector<std::unique_ptr<session>> m_free; // guarded by m_mutex, as all below
    std::size_t m_open = 0;
    bool m_prepare;
    std::atomic<bool> m_through_pooler = false;
    std::atomic<bool> m_other_roles = false;
    bool m_schema_checked = false;
    std::string m_system_identifier;
    std::atomic<std::int64_t> m_timeline = 0;
};

} // namespace once::detail
