// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "request/staged_work.hpp"

#include <once/error.hpp>

#include "sql/session_statements.hpp"

#include <charconv>
#include <utility>

namespace once::detail {

staged_work::staged_work(session& session, sql::outbox_statements const& texts)
    : m_session{session}, m_texts{texts}, m_seen_commands{session.savepoint_commands()} {}

void staged_work::add(statement statement, time_point deadline) {
    follow_savepoints(deadline);
    put_messages_in_line();
    m_entries.push_back({std::move(statement), m_mark});
}

message_id staged_work::add(message const& message, time_point deadline) {
    validate(message);
    follow_savepoints(deadline);
    auto const id = m_messages.add(message);
    if (m_messages.full()) {
        put_messages_in_line();
    }
    return id;
}

std::vector<statement> staged_work::take(time_point deadline) {
    put_messages_in_line();
    // Without a mark, all of it is from before the first savepoint.
    if (m_mark > 0 && m_session.savepoint_commands() != m_seen_commands) {
        drop_behind(m_session.ask({std::string{sql::staged_mark}, {}}, deadline).text(0));
    }
    std::vector<statement> made;
    made.reserve(m_entries.size());
    for (auto& one : m_entries) {
        made.push_back(std::move(one.what));
    }
    m_entries.clear();
    return made;
}

void staged_work::put_messages_in_line() {
    for (auto& one : m_messages.take(m_texts)) {
        m_entries.push_back({std::move(one), m_mark});
    }
}

void staged_work::follow_savepoints(time_point deadline) {
    auto const commands = m_session.savepoint_commands();
    if (commands == m_seen_commands) {
        return; // whatever becomes of the last one becomes of this one
    }
    require_idle();
    put_messages_in_line();
    if (m_name.empty()) {
        m_name = message_id::random().to_string() + '/';
    }
    auto const next = m_mark + 1;
    auto const answer = m_session.ask(
        {std::string{sql::set_staged_mark}, parameters{m_name + std::to_string(next)}}, deadline);
    drop_behind(answer.text(0));
    m_mark = next;
    m_seen_commands = commands;
}

void staged_work::require_idle() const {
    switch (m_session.transaction_status()) {
    case PQTRANS_INERROR:
        throw transaction_poisoned{"once: a statement failed, and nothing can be staged until that is rolled "
                                   "back: end the pqxx::subtransaction first"};
    case PQTRANS_ACTIVE:
        throw misuse{"once: after a savepoint nothing can be staged while a stream or a pipeline is open: "
                     "publish before it, or after it"};
    default:
        break;
    }
}

// The marks of the entries only grow, and those behind the one that the server still has were rolled back.
void staged_work::drop_behind(std::string_view mark) {
    std::uint64_t left = 0;
    if (!m_name.empty() && mark.starts_with(m_name)) {
        mark.remove_prefix(m_name.size());
        std::from_chars(mark.data(), mark.data() + mark.size(), left);
    }
    while (!m_entries.empty() && m_entries.back().mark > left) {
        m_entries.pop_back();
    }
}

} // namespace once::detail
