// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "database/session.hpp"

#include <once/error.hpp>

#include "database/poll_timeout.hpp"
#include "sql/session_statements.hpp"

#include <pqxx/except>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <poll.h>
#include <utility>

namespace once::detail {

namespace {

// The library itself has about a dozen statements; the rest is room for the callers' own. Beyond it statements are
// sent unprepared rather than evicted: a service with that many texts builds them at run time.
constexpr std::size_t most_prepared_statements = 256;

statement const rollback{sql::rollback, {}};
std::array<statement, 2> const as_new{{{sql::as_new[0], {}}, {sql::as_new[1], {}}}};
std::span<statement const> const as_new_but_role{std::span{as_new}.subspan(1)};

// The name follows from the text: where a pooler hands our session to another client of this library, a name that is
// there already can only stand for the same text. PgBouncer remembers a name although the server did not get as far as
// preparing it, and ends a client that names it again; so the next attempt has another.
std::string prepared_name(std::string const& sql, std::size_t used_up) {
    std::uint64_t hash = 14695981039346656037U; // FNV-1a
    for (char const c : sql) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
    }
    auto const name = "once_" + std::to_string(hash) + "_" + std::to_string(sql.size());
    return used_up == 0 ? name : name + "_" + std::to_string(used_up);
}

} // namespace

session::session(PGconn* connection, bool prepare_statements)
    : m_connection{pqxx::connection::seize_raw_connection(connection)},
      m_raw{connection},
      m_savepoints{connection},
      m_prepare_statements{prepare_statements},
      m_authorization{reported("session_authorization")} {
    // The default receiver hands on to libpqxx's notice processor; ours looks first.
    m_default_receiver = PQsetNoticeReceiver(m_raw, &session::receive_notice, this);
}

session::~session() {
    close();
}

bool session::open() const noexcept {
    return m_raw != nullptr && PQstatus(m_raw) == CONNECTION_OK;
}

void session::close() noexcept {
    if (m_raw != nullptr) {
        m_raw = nullptr;
        try {
            m_connection->close();
        } catch (std::exception const&) { // NOLINT(bugprone-empty-catch): it is gone either way
        }
    }
}

PGTransactionStatusType session::transaction_status() const noexcept {
    if (m_raw == nullptr) {
        return PQTRANS_UNKNOWN;
    }
    // libpqxx leaves the end of a stream unread. To look for it takes nothing away from a pipeline of the caller's.
    if (PQtransactionStatus(m_raw) == PQTRANS_ACTIVE && PQconsumeInput(m_raw) != 0) {
        static_cast<void>(PQisBusy(m_raw));
    }
    return PQtransactionStatus(m_raw);
}

std::string session::name_of_prepared(std::string_view sql) const {
    auto const known = m_prepared.find(std::string{sql});
    return known == m_prepared.end() ? std::string{} : known->second;
}

void session::give_up(std::string const& why) {
    close();
    throw pqxx::broken_connection{"once: connection lost: " + why};
}

void session::notice_hang_up() noexcept {
    if (open() && (PQconsumeInput(m_raw) == 0 || PQstatus(m_raw) != CONNECTION_OK)) {
        close();
    }
}

std::string_view session::reported(char const* setting) const noexcept {
    char const* const value = m_raw == nullptr ? nullptr : PQparameterStatus(m_raw, setting);
    return value == nullptr ? std::string_view{} : std::string_view{value};
}

void session::hand_out_again(bool shared) noexcept {
    if (!m_used_by_caller) {
        return;
    }
    if (shared ? !speaks_utf8() : !authorized_as_before()) {
        close();
    }
    m_clean_first = !shared;
    // SET ROLE has this tag, too. To reset the role each time from now on costs less than to be refused for it once.
    m_resets_role = m_resets_role || m_savepoints.settings() != 0;
}

bool session::distrust_role() noexcept {
    if (!std::exchange(m_role_looked_at, false)) {
        return false;
    }
    m_resets_role = m_clean_first = true;
    return true;
}

void session::receive_notice(void* self, PGresult const* notice) {
    auto& me = *static_cast<session*>(self);
    if (me.m_last_statement_runs) {
        char const* const from = PQresultErrorField(notice, PG_DIAG_SOURCE_FUNCTION);
        if (from != nullptr && std::string_view{from} == "SyncRepWaitForLSN") {
            me.m_replication_wait_cancelled = true;
        }
    }
    me.m_default_receiver(nullptr, notice);
}

void session::send(statement const& statement, std::vector<pending>& sent) {
    auto const& values = statement.parameters.values();
    std::vector<char const*> data(values.size());
    std::vector<int> lengths(values.size());
    std::vector<int> formats(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
        data[i] = values[i].data ? values[i].data->data() : nullptr;
        lengths[i] = values[i].data ? static_cast<int>(values[i].data->size()) : 0;
        formats[i] = values[i].binary ? 1 : 0;
    }
    auto const count = static_cast<int>(values.size());
    constexpr int binary_results = 1;

    auto known = m_prepared.find(statement.sql);
    if (known == m_prepared.end() && m_prepare_statements &&
        m_prepared.size() + m_names_used_up < most_prepared_statements) {
        known = m_prepared.emplace(statement.sql, prepared_name(statement.sql, m_names_used_up)).first;
        sent.push_back({&statement, true, false});
        if (PQsendPrepare(m_raw, known->second.c_str(), statement.sql.c_str(), 0, nullptr) == 0) {
            give_up(PQerrorMessage(m_raw));
        }
    }
    sent.push_back({&statement, false, false});
    int const accepted = known != m_prepared.end()
                             ? PQsendQueryPrepared(m_raw, known->second.c_str(), count, data.data(),
                                                   lengths.data(), formats.data(), binary_results)
                             : PQsendQueryParams(m_raw, statement.sql.c_str(), count, nullptr, data.data(),
                                                 lengths.data(), formats.data(), binary_results);
    if (accepted == 0) {
        give_up(PQerrorMessage(m_raw));
    }
}

pg_result session::next_result(time_point deadline) {
    bool lost = false;
    for (;;) {
        int const unsent = PQflush(m_raw);
        if (PQisBusy(m_raw) == 0) {
            return pg_result{PQgetResult(m_raw)};
        }
        // What had arrived before the connection went is still worth reading, an answer to COMMIT above all.
        if (lost || unsent < 0) {
            give_up(PQerrorMessage(m_raw));
        }
        pollfd socket{PQsocket(m_raw), static_cast<short>(unsent > 0 ? POLLIN | POLLOUT : POLLIN), 0};
        int const ready = ::poll(&socket, 1, poll_timeout(deadline));
        if (ready == 0 && std::chrono::steady_clock::now() >= deadline) {
            give_up("the server did not answer in time");
        }
        if (ready > 0 && PQconsumeInput(m_raw) == 0) {
            lost = true;
        }
    }
}

void session::receive(std::span<pending const> sent, time_point deadline, std::vector<pg_result>& answers) {
    std::optional<pg_result> failed_preparation;
    for (std::size_t i = 0; i < sent.size(); ++i) {
        m_last_statement_runs = i + 1 == sent.size();
        auto result = next_result(deadline);
        if (!result || (result.failed() && result.sqlstate().empty())) {
            give_up(result ? result.message() : PQerrorMessage(m_raw));
        }
        bool const ended = result.ended_session();
        std::string const message = ended ? result.message() : std::string{};
        if (sent[i].is_preparation && !result.ok()) {
            m_prepared.erase(sent[i].statement->sql);
            ++m_names_used_up;
            if (result.failed()) {
                failed_preparation = std::move(result);
            }
        } else if (sent[i].is_cleaning) {
            if (failed_preparation || !result.ok()) { // another session will do
                give_up("what a callback left in its session cannot be removed: " + result.message());
            }
        } else if (!sent[i].is_preparation) {
            answers.push_back(failed_preparation ? std::move(*failed_preparation) : std::move(result));
            failed_preparation.reset();
        }
        if (ended) {
            give_up(message);
        }
        if (next_result(deadline)) { // each statement's results end with a null one
            give_up("unexpected result of a statement");
        }
    }
    m_last_statement_runs = false;
    auto const sync = next_result(deadline);
    if (!sync || sync.status() != PGRES_PIPELINE_SYNC) {
        give_up(PQerrorMessage(m_raw));
    }
}

void session::exchange(std::span<statement const* const> statements, time_point deadline,
                       std::vector<pg_result>& answers, left_role role) {
    answers.clear();
    m_role_looked_at = false;
    m_last_statement_runs = false;
    m_replication_wait_cancelled = false;
    if (!open()) {
        give_up("it was closed before");
    }
    // Non-blocking while the pipeline runs: else both sides could wait for the other to read.
    if (PQsetnonblocking(m_raw, 1) != 0 || PQenterPipelineMode(m_raw) == 0) {
        give_up(PQerrorMessage(m_raw));
    }
    std::vector<pending> sent;
    sent.reserve((as_new.size() + statements.size()) * 2);
    if (std::exchange(m_clean_first, false)) {
        // In the transaction that follows. If that is rolled back, so is this; then the next call does it again.
        m_role_looked_at = role == left_role::looked_at && !m_resets_role;
        for (auto const& one : m_role_looked_at ? as_new_but_role : std::span<statement const>{as_new}) {
            send(one, sent);
            sent.back().is_cleaning = true;
        }
    }
    for (auto const* const one : statements) {
        send(*one, sent);
    }
    if (PQpipelineSync(m_raw) == 0) {
        give_up(PQerrorMessage(m_raw));
    }
    receive(sent, deadline, answers);
    if (PQexitPipelineMode(m_raw) == 0 || PQsetnonblocking(m_raw, 0) != 0) {
        give_up(PQerrorMessage(m_raw));
    }
}

pg_result session::ask(statement const& statement, time_point deadline) {
    std::vector<pg_result> answers;
    auto const* const only = &statement;
    exchange({&only, 1}, deadline, answers);
    if (!answers.front().ok()) {
        throw_sql_error(answers.front(), statement.sql);
    }
    return std::move(answers.front());
}

void session::roll_back_later() noexcept {
    if (!open() || PQsendQuery(m_raw, sql::rollback) == 0) {
        close();
        return;
    }
    m_rollback_under_way = true;
}

void session::settle(time_point deadline) noexcept {
    try {
        if (m_rollback_under_way) {
            m_rollback_under_way = false;
            while (next_result(deadline)) {
            }
        }
        if (open() && transaction_status() != PQTRANS_IDLE) {
            ask(rollback, deadline);
        }
        if (open() && transaction_status() != PQTRANS_IDLE) {
            close();
        }
    } catch (std::exception const&) {
        close();
    }
}

} // namespace once::detail
