// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "execute/work.hpp"

#include <once/error.hpp>

#include "claim/stored_response.hpp"
#include "request/stored_body.hpp"

#include <pqxx/except>

namespace once::detail {

namespace {

constexpr std::string_view lock_not_available = "55P03";

} // namespace

parameters call_context::claim_values() const {
    parameters values;
    values.add(options.durability == durability::as_configured ? "as_configured" : "at_least_on");
    values.add((options.deadline + options.reply_timeout).count());
    if (request != nullptr) {
        add_key(values, *request);
        add_fingerprint(values, request->fingerprint);
        values.add(options.retention.count()).add(options.wait.count());
    }
    return values;
}

claim_answer read_claim_answer(pg_result const& row) {
    auto const word = row.bytes(0);
    if (word == "started") {
        return {.outcome = outcome::started};
    }
    if (word == "in_progress") {
        return {.outcome = outcome::in_progress};
    }
    if (word == "key_reused") {
        return {.outcome = outcome::key_reused};
    }
    if (word == "absent") {
        return {.absent = true};
    }
    claim_answer answer{.outcome = outcome::replayed};
    if (!row.is_null(1)) {
        response stored{.status = row.int4(1)};
        if (!row.is_null(2)) {
            stored.headers = from_stored_headers(row.bytes(2), "an idempotency record");
        }
        stored.body = body::bytes(row.text(4), row.is_null(3) ? std::string{} : row.text(3));
        answer.response = std::move(stored);
    }
    return answer;
}

void require_committed(std::vector<pg_result> const& answers, std::vector<statement const*> const& sent,
                       bool lost, std::string const& why_lost) {
    for (std::size_t i = 0; i < answers.size(); ++i) {
        auto const& answer = answers[i];
        bool const is_commit = i + 1 == sent.size();
        if (answer.failed()) {
            bool const unclear = answer.sqlstate() == "40003" || (is_commit && answer.ended_session());
            if (unclear) {
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
        throw commit_in_doubt{"once: no answer to COMMIT: " + why_lost};
    }
    throw error{"once: the server left out the answer to COMMIT"};
}

work::work(call_context const& context, session& session, int attempt)
    : m_context{context}, m_session{session}, m_attempt{attempt} {}

work::~work() = default;

claim_answer work::begin() {
    auto const& texts = m_context.pool.statements();
    bool const claims = m_context.request != nullptr;
    statement const begin{sql::claim_statements::begin(m_context.options.isolation_level), {}};
    statement const claim{claims ? texts.claim : texts.settings, m_context.claim_values()};
    std::vector<statement const*> const head{&begin, &claim};
    std::vector<pg_result> answers;
    m_session.exchange(
        head, m_context.reply_deadline(claims ? m_context.options.wait : std::chrono::milliseconds{}),
        answers);
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (answers[i].failed()) {
            if (claims && answers[i].sqlstate() == lock_not_available) {
                throw claim_wait_over{};
            }
            throw_sql_error(answers[i], head[i]->sql);
        }
    }
    return claims ? read_claim_answer(answers.back()) : claim_answer{.outcome = outcome::started};
}

void work::at_commit(statement statement) {
    put_messages_in_line();
    m_at_commit.push_back(std::move(statement));
}

message_id work::publish(message const& message) {
    auto const id = m_messages.add(message);
    if (m_messages.full()) {
        put_messages_in_line();
    }
    return id;
}

void work::put_messages_in_line() {
    for (auto& one : m_messages.take(m_context.pool.outbox())) {
        m_at_commit.push_back(std::move(one));
    }
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
    if (!m_commit_allowed) {
        m_commit_refused = true;
        throw misuse{"once: a callback must not call commit(); the library commits after it returns"};
    }
    m_commit_allowed = false;
    put_messages_in_line();
    statement complete;
    std::vector<statement const*> tail;
    for (auto const& one : m_at_commit) {
        tail.push_back(&one);
    }
    if (m_context.request != nullptr) {
        complete.sql = m_context.pool.statements().complete;
        add_key(complete.parameters, *m_context.request);
        add_response(complete.parameters, m_response);
        tail.push_back(&complete);
    }
    tail.push_back(&commit_statement);

    std::vector<pg_result> answers;
    bool lost = false;
    std::string why_lost;
    try {
        m_session.exchange(tail, m_context.reply_deadline(), answers);
    } catch (pqxx::broken_connection const& e) {
        lost = true;
        why_lost = e.what();
    }
    m_committed_locally = m_session.replication_wait_cancelled();
    require_committed(answers, tail, lost, why_lost);
}

void work::abort() noexcept {
    m_aborted = true;
    m_session.settle(m_context.reply_deadline());
}

} // namespace once::detail
