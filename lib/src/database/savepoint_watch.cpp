// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "database/savepoint_watch.hpp"

#include <new>
#include <string_view>

namespace once::detail {

savepoint_watch::savepoint_watch(PGconn* connection) {
    if (connection != nullptr &&
        PQregisterEventProc(connection, &savepoint_watch::on_event, "once savepoints", this) == 0) {
        throw std::bad_alloc{};
    }
}

// Results can outlive the connection and this object; only what happens when one is made looks at it.
int savepoint_watch::on_event(PGEventId id, void* event, void* self) noexcept {
    if (id == PGEVT_RESULTCREATE) {
        std::string_view const tag{PQcmdStatus(static_cast<PGEventResultCreate*>(event)->result)};
        if (tag == "SAVEPOINT" || tag == "RELEASE" || tag == "ROLLBACK") {
            ++static_cast<savepoint_watch*>(self)->m_commands;
        } else if (tag == "COMMIT") {
            ++static_cast<savepoint_watch*>(self)->m_commits;
        } else if (tag == "SET") {
            ++static_cast<savepoint_watch*>(self)->m_settings;
        }
    }
    return 1;
}

} // namespace once::detail
