// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/options.hpp>
#include <once/outcome.hpp>
#include <once/reply.hpp>
#include <once/request.hpp>
#include <once/response.hpp>
#include <once/statement.hpp>
#include <once/token.hpp>
#include <once/transaction.hpp>

#include "database/connection_pool.hpp"
#include "request/claim_answer.hpp"
#include "request/doubt.hpp"
#include "request/staged_work.hpp"
#include "sql/session_statements.hpp"

#include <pqxx/except>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace once::detail {

/// A claim did not come back within its wait: another transaction still holds the key.
struct claim_wait_over {};

/// The lease of the call is not held with its fence any more. Certain: nothing took effect.
struct fence_refused {};

/// The answer to a COMMIT of the library's own was lost. A type of its own, because a callback may throw libpqxx's for
/// a transaction of another connection.
class commit_in_doubt : public pqxx::in_doubt_error {
public:
    explicit commit_in_doubt(std::string const& text) : pqxx::in_doubt_error{text} {}
};

/// The role that a callback left the transaction in may not call the library's functions at its end. The pool knows
/// now, and the next attempt calls them in the role that the transaction began with.
class role_refused : public pqxx::sql_error {
public:
    role_refused(pg_result const& answer, std::string const& sql, bool own_role);

    /// Whether that role was refused, so that there is nothing more to try.
    [[nodiscard]] bool in_own_role() const noexcept { return m_own_role; }

private:
    bool m_own_role;
};

/// @throws pqxx::broken_connection when the claim failed because a pooler has led to a standby
void refuse_standby(pg_result const& claim);

/// @param finished the answer to finish_statement() or finish_with_row_statement()
/// @throws once::misuse when the transaction claimed its own key again; pqxx::serialization_failure when another one
///         had locked the record: certain, and worth another try
void refuse_second_record(pg_result const& finished);

/// The timeline of the server that answered `claim_statement` or `claim_or_abort_statement`; 0 where that one did not
/// say, because it is the newest that is known.
[[nodiscard]] std::int64_t timeline_of(pg_result const& claim) noexcept;

/// Sends a pipeline that begins with BEGIN and `claim_statement` or `claim_or_abort_statement`, which look at the role
/// that a callback may have left. Where that one may not even call them, it is sent once more behind RESET ROLE.
void exchange_from_begin(session& session, std::vector<statement const*> const& sent, time_point deadline,
                         std::vector<pg_result>& answers);

/// The reply to a claim that did not start.
[[nodiscard]] inline reply::facts to_facts(claim_answer answer) {
    return {.outcome = answer.outcome,
            .response = std::move(answer.response),
            .committed = answer.outcome == outcome::replayed};
}

/// For a call without a request.
inline call_options const no_record{};

/// What all attempts of one call share.
struct call_context {
    connection_pool& pool;
    once::request const* request; // null: no claim
    once::redemption const*
        redeeming; // not null: the claim redeems this token, and `request` names its record
    /// How its transactions behave.
    transaction_options const& options;
    /// What becomes of its record; no_record where it has none.
    call_options const& record;
    time_point deadline;
    /// Of the request's fingerprint, made once: head and tail send it, in each attempt, and what it is of can be large.
    std::string digest{};
    /// About an earlier COMMIT of the call.
    doubt& in_doubt;
    /// The deadline for one exchange of the library's own, started now; `extra` is a wait that the server is allowed.
    [[nodiscard]] time_point reply_deadline(std::chrono::milliseconds extra = {}) const {
        return std::min(deadline, std::chrono::steady_clock::now() + options.reply_timeout + extra);
    }
    /// How long the server waits for this client inside a transaction.
    [[nodiscard]] std::chrono::milliseconds idle_limit() const noexcept {
        return options.deadline + options.reply_timeout;
    }
    /// Whether the record is written once, by its last statement, and an advisory lock keeps others out until then: at
    /// the higher levels to read a key that is not there would be a conflict with its neighbours, and a token is a row
    /// that excludes already.
    [[nodiscard]] bool writes_once() const noexcept {
        return request != nullptr && redeeming == nullptr &&
               options.isolation_level == isolation::read_committed;
    }
    /// How long the server may wait for a row of the same key at the end, where the lock did not exclude. The answer
    /// to that must come before the connection counts as broken, or the deadline cuts it: it is certain, and what is
    /// broken or cut would be in doubt.
    [[nodiscard]] std::chrono::milliseconds record_wait() const noexcept {
        using namespace std::chrono;
        using namespace std::chrono_literals;
        auto const left = duration_cast<milliseconds>(deadline - steady_clock::now());
        return std::clamp<milliseconds>(std::min<milliseconds>(options.reply_timeout, left) / 2, 1ms,
                                        2'000ms);
    }
    /// The statement that claims on this session, as its answer is wanted; with the settings alone when there is no
    /// request.
    [[nodiscard]] statement claim_statement(session const& on) const;
    [[nodiscard]] statement claim_or_abort_statement(session const& on) const;
    /// The claim by a row, whatever writes_once() says.
    [[nodiscard]] statement claim_by_row_statement(session const& on, std::chrono::milliseconds wait) const;
    /// What a repeat would be told.
    [[nodiscard]] statement lookup_statement() const;
    /// The statement that stores the response, null to keep the key only; `refuse_second_record` reads its answer.
    [[nodiscard]] statement finish_statement(std::optional<response> const& response) const;
    /// The same for the one row of `last`, the caller's.
    [[nodiscard]] statement finish_with_row_statement(statement const& last, int status) const;
    /// The guard of the lease that the call is made under; only with `options.fence`.
    [[nodiscard]] statement fence_guard() const;

private:
    [[nodiscard]] parameters settings_values(session const& on) const;
    void add_claim(parameters& to, bool by_row, std::chrono::milliseconds wait) const;
};

/// The stored answer of the request, asked for on the way out of an attempt that failed, or is rolled back: where its
/// lock did not exclude (a row made by hand, a client that claims by rows, a stranger who held the lock) another
/// transaction may have answered it while this one worked, and its answer counts then, not our failure.
/**
 * Rolls back in the same exchange, so it costs no round trip of its own. Nothing where the record is not written once,
 * the session is gone, or the question fails, too.
 */
[[nodiscard]] std::optional<claim_answer> roll_back_and_look(call_context const& context,
                                                             session& session) noexcept;

/// What an attempt that failed after its claim started leaves to do, unless COMMIT is in doubt:
/// keep_key_after_commit(), else roll_back_and_look().
/// @return the answer that counts instead of the failure
[[nodiscard]] std::optional<claim_answer> after_failure(call_context const& context, session& session,
                                                        std::uint64_t commits_before) noexcept;

/// What an attempt committed that was not told to: SQL of the caller's ended its transaction with COMMIT. What it did
/// stands, and there is no answer to it. So that no repeat does it a second time, the key is claimed without one:
/// repeats are `in_progress` until the record expires. Does nothing when no transaction was committed since `before`,
/// or the record is claimed by a row, which stands as well.
/// @param before what session::commits() was when the attempt began
/// @return whether there was such a COMMIT
bool keep_key_after_commit(call_context const& context, session& session, std::uint64_t before) noexcept;

/// How long assert_fence() may wait for a process that is acquiring the lease.
inline constexpr std::chrono::milliseconds fence_wait{2'000};
[[nodiscard]] bool says_fence_refused(pg_result const& answer) noexcept;

/// The last statement of every pipeline that commits.
inline statement const commit_statement{sql::commit, {}};

/// One attempt: the transaction from BEGIN to COMMIT on one session. `transaction` is what the callback sees of it.
class work {
public:
    work(call_context const& context, session& session, int attempt);
    ~work();
    work(work const&) = delete;
    work(work&&) = delete;
    work& operator=(work const&) = delete;
    work& operator=(work&&) = delete;

    /// BEGIN, the settings, and the claim when there is a request: one round trip.
    /// @throws claim_wait_over
    claim_answer begin();

    /// What the callback sees of it.
    [[nodiscard]] transaction face();

    /// Stores what travels with COMMIT; `transaction` calls `commit` with it.
    void at_commit(statement statement);
    message_id publish(message const& message);

    /// Commits through `transaction` (so that libpqxx knows), with the record completed in the same round trip.
    /// @param response what to keep; null keeps the key only
    void allow_commit(std::optional<response> response);

    /// Called by `transaction`.
    void commit();
    void abort() noexcept;

    /// Whether the callback ended the transaction, or left it failed.
    /// @throws once::misuse, once::transaction_poisoned
    void require_usable() const;

    [[nodiscard]] session& on() noexcept { return m_session; }
    [[nodiscard]] call_context const& context() const noexcept { return m_context; }
    [[nodiscard]] int attempt() const noexcept { return m_attempt; }
    [[nodiscard]] bool committed_locally() const noexcept { return m_committed_locally; }

private:
    [[noreturn]] void refuse_role(pg_result const& answer, std::string const& sql, bool own_role) const;

    call_context const& m_context;
    session& m_session;
    int m_attempt;
    staged_work m_staged;
    std::optional<response> m_response;
    bool m_commit_allowed = false;
    bool m_commit_refused = false;
    bool m_aborted = false;
    bool m_committed_locally = false;
};

/// Sends a pipeline that ends with COMMIT.
/// @param whole it begins with BEGIN, too: see exchange_from_begin()
/// @return why the connection was lost, if it went before all answers had come
[[nodiscard]] std::optional<std::string>
exchange_with_commit(session& session, std::vector<statement const*> const& sent, time_point deadline,
                     std::vector<pg_result>& answers, bool whole = false);

/// Reads the answers of a pipeline that ends with COMMIT.
/**
 * @param lost what `exchange_with_commit` returned
 * @throws commit_in_doubt when COMMIT may have been carried out; the server's error when it certainly was not;
 *         once::transaction_poisoned when the server answered ROLLBACK
 */
void require_committed(std::vector<pg_result> const& answers, std::vector<statement const*> const& sent,
                       std::optional<std::string> const& lost);

} // namespace once::detail
