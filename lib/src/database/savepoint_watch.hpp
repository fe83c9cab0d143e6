// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <libpq-events.h>
#include <libpq-fe.h>

#include <cstdint>

namespace once::detail {

/// Counts the commands of a connection that begin or end a savepoint, commit, or set something, from any source:
/// pqxx::subtransaction, or SQL of the caller's.
/**
 * It goes by the tags of the answers, which do not name the savepoint: the count says that something may have been
 * rolled back, never what.
 */
class savepoint_watch {
public:
    /// @throws std::bad_alloc
    explicit savepoint_watch(PGconn* connection);
    savepoint_watch(savepoint_watch const&) = delete;
    savepoint_watch& operator=(savepoint_watch const&) = delete;
    savepoint_watch(savepoint_watch&&) = delete;
    savepoint_watch& operator=(savepoint_watch&&) = delete;
    ~savepoint_watch() = default;

    /// SAVEPOINT, RELEASE and ROLLBACK (TO SAVEPOINT or not) since the connection was made.
    [[nodiscard]] std::uint64_t commands() const noexcept { return m_commands; }
    /// COMMIT that was answered as such, not with ROLLBACK.
    [[nodiscard]] std::uint64_t commits() const noexcept { return m_commits; }

    /// SET, SET LOCAL and their kin. What a function sets is not among them.
    [[nodiscard]] std::uint64_t settings() const noexcept { return m_settings; }

private:
    static int on_event(PGEventId id, void* event, void* self) noexcept;

    std::uint64_t m_commands = 0;
    std::uint64_t m_commits = 0;
    std::uint64_t m_settings = 0;
};

} // namespace once::detail
