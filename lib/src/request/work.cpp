// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "request/work.hpp"

#include <once/error.hpp>

#include "sql/claim_statements.hpp"
#include "sql/lease_statements.hpp"
#include "sql/outbox_statements.hpp"
#include "sql/session_statements.hpp"
#include "wire/stored_body.hpp"
#include "wire/stored_response.hpp"

#include <pqxx/except>

#include <array>
#include <optional>
#include <string_view>

namespace once::detail {

namespace {

constexpr std::string_view lock_not_available = "55P03";
// A standby has no WAL file that it writes. A pooler can lead to one.
constexpr std::string_view recovery_in_progress = "55000";
constexpr std::string_view insufficient_privilege = "42501";

std::array<statement, 2> const leave_role{{{sql::leave_role[0], {}}, {sql::leave_role[1], {}}}};
statement const return_role{sql::return_role, {}};
statement const speak_utf8{sql::speak_utf8, {}};

// Each text of the library begins so; those of the caller's do not.
bool is_own(statement const& one) {
    return one.sql.starts_with("/* once: ");
}

/// The same statements, the library's own in the role that the transaction began with, all others in the callback's.
std::vector<statement const*> in_own_role(std::vector<statement const*> const& tail) {
    std::vector<statement const*> made;
    bool own = false;
    for (auto const* const one : tail) {
        if (is_own(*one) != own) {
            if (own) {
                made.push_back(&return_role);
            } else {
                made.insert(made.end(), {&leave_role[0], &leave_role[1]});
            }
            own = !own;
        }
        made.push_back(one);
    }
    return made;
}

} // namespace

bool says_fence_refused(pg_result const& answer) noexcept {
    return answer.failed() && answer.sqlstate() == "ON010";
}

void refuse_standby(pg_result const& claim) {
    if (claim.failed() && claim.sqlstate() == recovery_in_progress) {
        throw pqxx::broken_connection{"once: the server is a standby; writes need the primary"};
    }
}

std::int64_t timeline_of(pg_result const& claim) noexcept {
    constexpr std::size_t digits = 8;
    auto const column = claim.columns() - 1;
    return claim.is_null(column) ? 0 : from_hex_digits(claim.bytes(column).substr(0, digits));
}

void exchange_from_begin(session& session, std::vector<statement const*> const& sent, time_point deadline,
                         std::vector<pg_result>& answers) {
    session.exchange(sent, deadline, answers, left_role::looked_at);
    auto const& head = answers[1];
    if (head.failed() && head.sqlstate() == insufficient_privilege && session.distrust_role()) {
        session.settle(deadline);
        session.exchange(sent, deadline, answers);
    } else if (head.ok() && !head.is_null(1) && head.bytes(1) == "role") {
        session.role_was_left();
    }
}

std::optional<std::string> exchange_with_commit(session& session, std::vector<statement const*> const& sent,
                                                time_point deadline, std::vector<pg_result>& answers,
                                                bool whole) {
    try {
        if (whole) {
            exchange_from_begin(session, sent, deadline, answers);
        } else {
            session.exchange(sent, deadline, answers);
        }
        return std::nullopt;
    } catch (pqxx::broken_connection const& e) {
        return e.what();
    }
}

namespace {

// Whether an error leaves open what became of a COMMIT that was sent together with the statement that it answers.
bool leaves_commit_open(pg_result const& answer, bool is_commit, bool connection_lost) {
    // A pooler that speaks for a server that it has lost does not know how far that one came, COMMIT included.
    if (answer.sqlstate() == "40003" || answer.sqlstate() == "08007" || !answer.from_server()) {
        return true;
    }
    return is_commit && (answer.ended_session() || connection_lost);
}

} // namespace

void require_committed(std::vector<pg_result> const& answers, std::vector<statement const*> const& sent,
                       std::optional<std::string> const& lost) {
    for (std::size_t i = 0; i < answers.size(); ++i) {
        auto const& answer = answers[i];
        bool const is_commit = i + 1 == sent.size();
        if (answer.failed()) {
            if (leaves_commit_open(answer, is_commit, lost.has_value())) {
                throw commit_in_doubt{"once: the answer to COMMIT is unclear: " + answer.message()};
            }
            if (answer.ended_session()) {
                throw pqxx::broken_connection{"once: connection lost before COMMIT: " + answer.message()};
            }
            throw_sql_error(answer, sent[i]->sql);
        }
        if (is_commit) {
            if (answer.command_tag() == "COMMIT") {
                return;
            }
            throw transaction_poisoned{"once: the server answered COMMIT with " +
                                       std::string{answer.command_tag()} +
                                       ": a statement had failed before; nothing took effect"};
        }
    }
    if (lost) {
        throw commit_in_doubt{"once: no answer to COMMIT: " + *lost};
    }
    throw error{"once: the server left out the answer to COMMIT"};
}

role_refused::role_refused(pg_result const& answer, std::string const& sql, bool own_role)
    : pqxx::sql_error{"once: the role of this connection may not call the library's functions at the end of "
                      "the "
                      "transaction; an administrator grants it once_producer (GRANT once_producer TO the "
                      "role). The "
                      "server says: " +
                          answer.message(),
                      sql, std::string{insufficient_privilege}.c_str()},
      m_own_role{own_role} {}

void work::refuse_role(pg_result const& answer, std::string const& sql, bool own_role) const {
    m_context.pool.expect_other_roles();
    throw role_refused{answer, sql, own_role};
}

work::work(call_context const& context, session& session, int attempt)
    : m_context{context},
      m_session{session},
      m_attempt{attempt},
      m_staged{session, context.pool.texts<sql::outbox_statements>()} {}

work::~work() = default;

transaction work::face() {
    return transaction{*this};
}

claim_answer work::begin() {
    bool const claims = m_context.request != nullptr;
    auto const& fence = m_context.options.fence;
    statement const begin{sql::begin(m_context.options.isolation_level), {}};
    auto const claim = m_context.claim_statement(m_session);
    std::vector<statement const*> head{&begin, &claim};
    // A former holder must not begin; what it does is guarded at the end, where nobody has to wait for it.
    statement look;
    if (fence) {
        look = {m_context.pool.texts<sql::lease_statements>().lease_held,
                parameters{fence->lease, fence->number}};
        head.push_back(&look);
    }
    std::vector<pg_result> answers;
    std::chrono::milliseconds const wait = m_context.record.wait;
    exchange_from_begin(m_session, head,
                        m_context.reply_deadline(claims ? wait : std::chrono::milliseconds{}), answers);
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (answers[i].failed()) {
            refuse_standby(answers[i]);
            if (claims && answers[i].sqlstate() == lock_not_available) {
                throw claim_wait_over{};
            }
            throw_sql_error(answers[i], head[i]->sql);
        }
    }
    m_context.pool.require_timeline(timeline_of(answers[1]));
    auto answer = claims ? read_claim_answer(answers[1]) : claim_answer{.outcome = outcome::done};
    if (answer.outcome == outcome::done && fence && !answers[2].is_true(0)) {
        m_context.in_doubt.resolve(); // the claim started
        throw fence_refused{};
    }
    return answer;
}

void work::at_commit(statement statement) {
    m_staged.add(std::move(statement), m_context.reply_deadline());
}

message_id work::publish(message const& message) {
    return m_staged.add(message, m_context.reply_deadline());
}

void work::allow_commit(std::optional<response> response) {
    m_response = std::move(response);
    m_commit_allowed = true;
}

void work::require_usable() const {
    if (m_commit_refused) {
        throw misuse{
            "once: the callback called commit(); the library commits after it returns. Nothing took effect"};
    }
    if (m_aborted) {
        throw misuse{
            "once: the callback called abort(); throw an exception to roll back. Nothing took effect"};
    }
    switch (m_session.transaction_status()) {
    case PQTRANS_INTRANS:
        if (!m_session.authorized_as_before()) {
            throw misuse{
                "once: the callback changed session_authorization, so the session is another service now; "
                "use SET LOCAL ROLE. Nothing took effect"};
        }
        return;
    case PQTRANS_INERROR:
        throw transaction_poisoned{
            "once: a statement failed and the callback went on as if it had not; nothing took "
            "effect. Let the exception out, or use pqxx::subtransaction for what may fail"};
    case PQTRANS_IDLE:
        throw misuse{
            "once: the callback ended the transaction with SQL of its own; what it did before that may have "
            "been committed without a stored response. Leave BEGIN, COMMIT and ROLLBACK to the library"};
    case PQTRANS_ACTIVE:
        throw misuse{"once: the callback returned while a statement of it was still running"};
    case PQTRANS_UNKNOWN:
        break;
    }
    throw pqxx::broken_connection{"once: connection lost before COMMIT"};
}

void work::commit() {
    using namespace std::chrono_literals;
    if (!m_commit_allowed) {
        m_commit_refused = true;
        throw misuse{"once: a callback must not call commit(); the library commits after it returns"};
    }
    m_commit_allowed = false;
    auto const staged = m_staged.take(m_context.reply_deadline());
    statement finish;
    std::vector<statement const*> tail;
    tail.reserve(staged.size() + 3);
    for (auto const& one : staged) {
        tail.push_back(&one);
    }
    if (m_context.request != nullptr) {
        finish = m_context.finish_statement(m_response);
        tail.push_back(&finish);
    }
    statement guard;
    if (m_context.options
            .fence) { // as late as can be: from then on others have to wait with acquiring the lease
        guard = m_context.fence_guard();
        tail.push_back(&guard);
    }
    tail.push_back(&commit_statement);
    bool const own_role = m_context.pool.expects_other_roles();
    if (own_role) {
        tail = in_own_role(tail);
    }
    if (!m_session.speaks_utf8()) {
        tail.insert(tail.begin(), &speak_utf8);
    }

    std::vector<pg_result> answers;
    auto const lost = exchange_with_commit(
        m_session, tail, m_context.reply_deadline(m_context.options.fence ? fence_wait : 0ms), answers);
    m_committed_locally = m_session.replication_wait_cancelled();
    for (std::size_t i = 0; i < answers.size() && i < tail.size(); ++i) {
        if (tail[i] == &guard && says_fence_refused(answers[i])) {
            throw fence_refused{};
        }
        if (tail[i] == &finish) {
            refuse_second_record(answers[i]);
        }
        if (answers[i].failed() && answers[i].sqlstate() == insufficient_privilege && is_own(*tail[i])) {
            refuse_role(answers[i], tail[i]->sql, own_role);
        }
    }
    require_committed(answers, tail, lost);
}

void work::abort() noexcept {
    m_aborted = true;
    m_session.settle(m_context.reply_deadline());
}

} // namespace once::detail
