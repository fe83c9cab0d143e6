// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/message.hpp>
#include <once/statement.hpp>

#include "database/session.hpp"
#include "outbox/staged_messages.hpp"
#include "sql/outbox_statements.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace once::detail {

/// What travels with COMMIT: statements and messages, in the order in which they were added. What was added in a
/// savepoint that is rolled back goes with it.
/**
 * While the transaction has had no savepoint, all of it waits here and costs nothing. From then on the server keeps a
 * mark, in a setting that is local to the transaction: it rolls the setting back with the savepoint, and so tells what
 * is left. A mark costs a round trip, once for all that is added between two commands about savepoints.
 */
class staged_work {
public:
    staged_work(session& session, sql::outbox_statements const& texts);

    /// @throws once::transaction_poisoned, once::misuse when the server cannot be asked where it has to be
    void add(statement statement, time_point deadline);
    message_id add(message const& message, time_point deadline);

    /// All that was not rolled back. Empty afterwards.
    [[nodiscard]] std::vector<statement> take(time_point deadline);

private:
    struct entry {
        statement what;
        std::uint64_t mark;
    };

    void put_messages_in_line();
    void follow_savepoints(time_point deadline);
    void require_idle() const;
    void drop_behind(std::string_view mark);

    session& m_session;
    sql::outbox_statements const& m_texts;
    std::vector<entry> m_entries;
    // Behind all of m_entries.
    staged_messages m_messages;
    // Of what is added now. 0: from before the first savepoint.
    std::uint64_t m_mark = 0;
    // Tells our marks from whatever else may stand in the setting.
    std::string m_name;
    std::uint64_t m_seen_commands;
};

} // namespace once::detail
