// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/execute.hpp>
#include <once/token.hpp>

#include "request/call.hpp"
#include "sql/claim_statements.hpp"
#include "sql/session_statements.hpp"
#include "wire/stored_response.hpp"

#include <pqxx/except>

namespace once {

namespace {

using detail::call_context;
using detail::claim_answer;

constexpr std::string_view claim_not_started = "ON001";
constexpr std::string_view token_refused = "ON020";
constexpr std::string_view lock_not_available = "55P03";

void validate_work(std::vector<statement> const& work, int status, call_options const& options) {
    if (work.empty()) {
        throw invalid_argument{"work", "there is no statement to take the response from"};
    }
    for (auto const& one : work) {
        if (one.sql.empty() || one.sql.find('\0') != std::string::npos) {
            throw invalid_argument{"work", "a statement is empty or contains a NUL"};
        }
    }
    if (status < 200 || status > 399) {
        throw invalid_argument{"status", "statements that succeed are answered with 200 to 399"};
    }
    if (options.stored == store::nothing) {
        throw invalid_argument{"call_options.stored", "the one-round-trip form always stores its response"};
    }
}

// The stored response, after a claim that did not start ended the pipeline. Nothing of the caller has run.
claim_answer look_up(call_context const& context, detail::session& session) {
    statement const rollback{sql::rollback, {}};
    auto const lookup = context.lookup_statement();
    std::vector<statement const*> const both{&rollback, &lookup};
    std::vector<detail::pg_result> answers;
    session.exchange(both, context.reply_deadline(), answers);
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (answers[i].failed()) {
            detail::throw_sql_error(answers[i], both[i]->sql);
        }
    }
    return detail::read_claim_answer(answers.back());
}

// BEGIN, the claim, the guard of a lease, the caller's statements (the last one wrapped) and COMMIT.
struct pipeline_plan {
    statement begin;
    statement claim;
    statement guard;
    statement last;
    std::vector<statement const*> sent;

    pipeline_plan(call_context const& context, detail::session const& session,
                  std::vector<statement> const& work, int status)
        : begin{sql::begin(context.options.isolation_level), {}},
          claim{context.claim_or_abort_statement(session)},
          last{context.finish_with_row_statement(work.back(), status)} {
        sent = {&begin, &claim};
        if (context.options.fence) { // here it stops a former holder, and all behind it is one exchange
            guard = context.fence_guard();
            sent.push_back(&guard);
        }
        for (std::size_t i = 0; i + 1 < work.size(); ++i) {
            sent.push_back(&work[i]);
        }
        sent.push_back(&last);
        sent.push_back(&detail::commit_statement);
    }
};

reply::facts attempt_statements(call_context const& context, detail::session& session,
                                std::vector<statement> const& work, int status) {
    pipeline_plan const plan{context, session, work, status};
    session.used_by_caller();
    auto const commits = session.commits();
    std::vector<detail::pg_result> answers;
    // The caller's statements run in this exchange, so only the deadline of the call bounds it.
    auto const lost = detail::exchange_with_commit(session, plan.sent, context.deadline, answers, true);
    if (answers.size() > 1 && answers[1].failed()) {
        detail::refuse_standby(answers[1]);
        if (answers[1].sqlstate() == lock_not_available) {
            throw detail::claim_wait_over{};
        }
        if (answers[1].sqlstate() == token_refused) {
            session.roll_back_later();
            return {.outcome = outcome::refused};
        }
        if (answers[1].sqlstate() == claim_not_started) {
            auto answer = look_up(context, session);
            if (answer.absent) { // expired or rolled back in between: the key is free, claim it again
                throw pqxx::serialization_failure{"once: the record of this key went while it was looked up",
                                                  "", "40001"};
            }
            return detail::to_facts(std::move(answer));
        }
    }
    if (answers.size() > 1 && answers[1].ok()) {
        context.pool.note_timeline(detail::timeline_of(answers[1]));
        context.in_doubt.resolve();
    }
    if (context.options.fence && answers.size() > 2 && detail::says_fence_refused(answers[2])) {
        throw detail::fence_refused{};
    }
    try {
        if (answers.size() >= plan.sent.size() - 1) {
            detail::refuse_second_record(answers[plan.sent.size() - 2]);
        }
        detail::require_committed(answers, plan.sent, lost);
    } catch (detail::commit_in_doubt const&) {
        throw;
    } catch (...) {
        if (auto stored = detail::after_failure(context, session, commits)) {
            return detail::to_facts(std::move(*stored));
        }
        throw;
    }
    auto const& row = answers[answers.size() - 2];
    return {.outcome = outcome::done,
            .response = response{.status = status, .body = body::json_text(row.text(0))},
            .committed = true,
            .committed_locally = session.replication_wait_cancelled()};
}

reply run_statements(database& db, request const& request, redemption const* redeeming,
                     std::vector<statement> const& work, int status, call_options const& options) {
    validate(options);
    validate_work(work, status, options);
    return detail::run_call(db, request, redeeming, options,
                            [&](call_context const& context, detail::session& session, int) {
                                return attempt_statements(context, session, work, status);
                            });
}

} // namespace

reply execute(database& db, request const& request, std::vector<statement> const& work, int status,
              call_options const& options) {
    validate(request);
    return run_statements(db, request, nullptr, work, status, options);
}

reply execute(database& db, redemption const& redemption, std::vector<statement> const& work, int status,
              call_options const& options) {
    return run_statements(db, record_of(redemption), &redemption, work, status, options);
}

} // namespace once
