// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/database.hpp>
#include <once/reply.hpp>
#include <once/transaction.hpp>

#include "request/work.hpp"

#include <functional>

namespace once::detail {

/// One attempt on one session: returns the facts of the reply, or throws what `run_call` decides about.
using attempt_function = std::function<reply::facts(call_context const&, session&, int attempt)>;

/// Runs attempts until one gives an answer, and resolves commits in doubt by the key.
/**
 * The loop knows three kinds of failure: certain and worth another try (conflict, connection), certain and final
 * (passed on), and in doubt. Once in doubt, every later attempt begins with the claim of the same key, which waits for
 * the old server process; only its answer ends the doubt. Without a key, or without an answer before the deadline,
 * the outcome is unknown.
 */
/// @param redeeming not null: the claim of `request` redeems this token
reply run_call(database& db, request const& request, redemption const* redeeming, call_options const& options,
               attempt_function const& attempt_once);

/// The same without a request.
reply run_call(database& db, transaction_options const& options, attempt_function const& attempt_once);

/// One attempt with a callback, from BEGIN to COMMIT; what run_call() runs for execute() and transact().
reply::facts attempt_with_callback(call_context const& context, session& session, int attempt,
                                   std::function<response(transaction&)> const& callback);

} // namespace once::detail
