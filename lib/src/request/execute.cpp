// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/execute.hpp>
#include <once/token.hpp>

#include "database/watchdog.hpp"
#include "judgement/retry.hpp"
#include "request/call.hpp"
#include "wire/validate_response.hpp"

namespace once {

namespace detail {

namespace {

// Runs the callback under the deadline: a statement of it that never ends loses its connection then.
response run_callback(std::function<response(transaction&)> const& callback, transaction& tx, work& work) {
    auto const& context = work.context();
    watchdog::guard const guard{context.pool.deadlines(), PQsocket(work.on().raw()), context.deadline};
    return callback(tx);
}

} // namespace

namespace {

// From the claim that started to COMMIT.
reply::facts carry_out(call_context const& context, work& work, transaction& tx,
                       std::function<response(transaction&)> const& callback) {
    response made = run_callback(callback, tx, work);
    if (std::chrono::steady_clock::now() >= context.deadline) {
        // The watchdog has shut the socket: a COMMIT sent now would count as in doubt although it cannot arrive.
        throw deadline_exceeded{"once: the callback returned after the deadline of " +
                                std::to_string(context.options.deadline.count()) +
                                " ms; nothing took effect"};
    }
    work.require_usable();
    validate(made, context.record.max_response_bytes);

    bool const claims = context.request != nullptr;
    auto const verdict = claims ? judge(context.record.stored, made.status) : detail::verdict{true, false};
    if (!verdict.commit) {
        auto stored = roll_back_and_look(context, work.on());
        tx.abort();
        return stored ? to_facts(std::move(*stored))
                      : reply::facts{.outcome = outcome::done, .response = std::move(made)};
    }
    work.allow_commit(verdict.keep_response ? std::optional{made} : std::nullopt);
    tx.commit();
    return {.outcome = outcome::done,
            .response = claims ? std::optional{std::move(made)} : std::nullopt,
            .committed = true,
            .committed_locally = work.committed_locally()};
}

} // namespace

reply::facts attempt_with_callback(call_context const& context, session& session, int attempt,
                                   std::function<response(transaction&)> const& callback) {
    work work{context, session, attempt};
    auto answer = work.begin();
    if (answer.outcome != outcome::done) {
        session.roll_back_later();
        return to_facts(std::move(answer));
    }
    context.in_doubt.resolve();
    auto tx = work.face();
    session.used_by_caller();
    auto const commits = session.commits();
    try {
        return carry_out(context, work, tx, callback);
    } catch (commit_in_doubt const&) {
        throw;
    } catch (...) {
        if (auto stored = after_failure(context, session, commits)) {
            return to_facts(std::move(*stored));
        }
        throw;
    }
}

reply execute(database& db, request const& request, std::function<response(transaction&)> const& callback,
              call_options const& options) {
    once::validate(request);
    once::validate(options);
    return run_call(db, request, nullptr, options,
                    [&](call_context const& context, session& session, int attempt) {
                        return attempt_with_callback(context, session, attempt, callback);
                    });
}

reply execute(database& db, redemption const& redemption,
              std::function<response(transaction&)> const& callback, call_options const& options) {
    auto const record = record_of(redemption);
    once::validate(options);
    return run_call(db, record, &redemption, options,
                    [&](call_context const& context, session& session, int attempt) {
                        return attempt_with_callback(context, session, attempt, callback);
                    });
}

reply transact(database& db, std::function<void(transaction&)> const& callback,
               transaction_options const& given) {
    once::validate(given);
    return run_call(db, given, [&](call_context const& context, session& session, int attempt) {
        return attempt_with_callback(context, session, attempt, [&](transaction& tx) {
            callback(tx);
            return response{};
        });
    });
}

} // namespace detail

} // namespace once
