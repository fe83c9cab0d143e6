// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/statement.hpp>

#include "database/savepoint_watch.hpp"
#include "wire/pg_result.hpp"

#include <libpq-fe.h>
#include <pqxx/connection>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace once::detail {

using time_point = std::chrono::steady_clock::time_point;

/// What an exchange does about the role that a callback may have left its session in.
enum class left_role {
    /// Resets it before anything else.
    reset,
    /// Nothing: its statements compare the role themselves, for less.
    looked_at,
};

/// One connection, used by one thread at a time: libpqxx's object for the caller's statements, and libpq's pipeline
/// for the library's own, on the same socket.
class session {
public:
    /// Takes over an open connection.
    session(PGconn* connection, bool prepare_statements);
    ~session();
    session(session const&) = delete;
    session(session&&) = delete;
    session& operator=(session const&) = delete;
    session& operator=(session&&) = delete;

    [[nodiscard]] pqxx::connection& connection() noexcept { return *m_connection; }
    [[nodiscard]] PGconn* raw() const noexcept { return m_raw; }

    /// Whether the connection can be used on, as far as the client knows.
    [[nodiscard]] bool open() const noexcept;

    /// Looks whether the server has hung up meanwhile; closes the session then. Does not wait.
    void notice_hang_up() noexcept;

    /// Statements of the caller are about to run on it, which may leave anything behind.
    void used_by_caller() noexcept { m_used_by_caller = true; }

    /// It is about to be handed to another call. What a caller left in it goes with the next exchange, at no round trip
    /// of its own; it is closed where that would not be enough.
    /// @param shared a pooler stands between, and the settings of its sessions are the pooler's
    void hand_out_again(bool shared) noexcept;

    /// The role that it was opened with: current_user, which need not be session_user.
    [[nodiscard]] std::string const& role() const noexcept { return m_role; }
    void opened_as(std::string role) { m_role = std::move(role); }

    /// After an exchange that looked at the role: it was another one. From now on it is reset.
    void role_was_left() noexcept { m_resets_role = true; }

    /// After an exchange that was to look at the role, and was refused for want of rights before it could.
    /// @return whether to send it again, now that the role will be reset; false where it was no other role
    [[nodiscard]] bool distrust_role() noexcept;

    /// Whether what is sent as text is taken as UTF-8.
    [[nodiscard]] bool speaks_utf8() const noexcept { return reported("client_encoding") == "UTF8"; }

    /// Whether it still acts for the role that it was opened with.
    [[nodiscard]] bool authorized_as_before() const noexcept {
        return reported("session_authorization") == m_authorization;
    }

    /// Closes it at once, whatever it is in. The server rolls back when it notices.
    void close() noexcept;

    /// Under which name the server knows a statement of this session; "" when it is not prepared.
    [[nodiscard]] std::string name_of_prepared(std::string_view sql) const;

    [[nodiscard]] PGTransactionStatusType transaction_status() const noexcept;

    /// How many commands about savepoints, or that rolled back, have been carried out on this connection.
    [[nodiscard]] std::uint64_t savepoint_commands() const noexcept { return m_savepoints.commands(); }

    /// How many transactions have been committed on this connection.
    [[nodiscard]] std::uint64_t commits() const noexcept { return m_savepoints.commits(); }

    /// Sends the statements as one pipeline with one sync at its end, and waits for all answers: one round trip.
    /**
     * @param answers gets one result per statement, in order, as they arrive; after an exception it holds those that
     *                had arrived. Each is ok, failed, or skipped because an earlier one failed.
     * @throws pqxx::broken_connection when the connection is lost, or silent at the deadline; it is then closed.
     */
    void exchange(std::span<statement const* const> statements, time_point deadline,
                  std::vector<pg_result>& answers, left_role role = left_role::reset);

    /// exchange() of one statement that must succeed.
    pg_result ask(statement const& statement, time_point deadline);

    /// Sends ROLLBACK without waiting for the answer, which `settle` picks up before the next use.
    /**
     * A transaction that found only a stored response has nothing to wait for; this saves its second round trip.
     */
    void roll_back_later() noexcept;

    /// Brings the session to a state where the next transaction can begin; closes it when that fails.
    void settle(time_point deadline) noexcept;

    /// Whether the server warned, while the last statement of the last exchange ran, that a wait for synchronous
    /// replication was cancelled.
    [[nodiscard]] bool replication_wait_cancelled() const noexcept { return m_replication_wait_cancelled; }

private:
    struct pending {
        once::statement const* statement;
        bool is_preparation;
        bool is_cleaning; // its answer is nobody's
    };

    [[nodiscard]] std::string_view reported(char const* setting) const noexcept;
    void send(statement const& statement, std::vector<pending>& sent);
    void receive(std::span<pending const> sent, time_point deadline, std::vector<pg_result>& answers);
    [[nodiscard]] pg_result next_result(time_point deadline);
    [[noreturn]] void give_up(std::string const& why);
    static void receive_notice(void* self, PGresult const* notice);

    std::optional<pqxx::connection> m_connection;
    PGconn* m_raw = nullptr;
    savepoint_watch m_savepoints;
    bool m_prepare_statements;
    bool m_rollback_under_way = false;
    bool m_used_by_caller =
        false; // from then on always: what one call left, a rollback in the next one brings back
    bool m_clean_first = false;
    bool m_resets_role = false;    // its callers may change it
    bool m_role_looked_at = false; // by the last exchange, in place of RESET ROLE
    std::string m_authorization;
    std::string m_role;
    bool m_last_statement_runs = false;
    bool m_replication_wait_cancelled = false;
    PQnoticeReceiver m_default_receiver = nullptr;
    // SQL text -> name of the prepared statement.
    std::unordered_map<std::string, std::string> m_prepared;
    // How many preparations failed, or were not reached because something before them failed.
    std::size_t m_names_used_up = 0;
};

} // namespace once::detail
