// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/database.hpp>
#include <once/detail/fields.hpp>
#include <once/export.hpp>
#include <once/options.hpp>
#include <once/reply.hpp>
#include <once/request.hpp>
#include <once/response.hpp>
#include <once/statement.hpp>
#include <once/transaction.hpp>

#include <concepts>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace once {

namespace detail {
ONCE_EXPORT reply execute(database& db, request const& request,
                          std::function<response(transaction&)> const& callback, call_options const& options);
ONCE_EXPORT reply transact(database& db, std::function<void(transaction&)> const& callback,
                           transaction_options const& options);

/// What stands where a callback should, and is none: neither to be called with a transaction, nor statements.
template <class Callback>
concept no_callback =
    !std::invocable<Callback&, transaction&> && !std::convertible_to<Callback, std::vector<statement>>;

/// Makes the response of what a callback returned: a response as it is, nothing as 204, a value as JSON with 200.
template <class Callback>
response call(Callback& callback, transaction& tx) {
    using result = std::invoke_result_t<Callback&, transaction&>;
    if constexpr (std::is_void_v<result>) {
        std::invoke(callback, tx);
        return {.status = 204};
    } else if constexpr (std::convertible_to<result, response>) {
        return std::invoke(callback, tx);
    } else {
        static_assert(
            std::constructible_from<body, result>,
            "a callback of once::execute returns once::response, void, or what nlohmann/json can write");
        return {.body = body(std::invoke(callback, tx))};
    }
}
} // namespace detail

/// Runs `callback` in one transaction with the claim of `request`, so that it takes effect once.
/**
 * BEGIN and the claim go out first. If the key is new, `callback(transaction&)` does the business write and returns
 * the response, which is stored with COMMIT. If the key was used before, nothing of the caller runs and the stored
 * response is the answer. See `outcome` for what else can be.
 *
 * `callback` returns a `response`, or any value that nlohmann/json can write (status 200), or nothing (status 204).
 * It may run more than once: on 40001, 40P01 and a broken connection the transaction is begun again, with capped
 * exponential backoff and full jitter, until `options.deadline` or `options.max_attempts`. Each run starts from a
 * rolled back database; effects outside of it are the caller's to repeat safely (`transaction::attempt`).
 *
 * When the answer to COMMIT is lost, the library claims the same key on a new connection: the unique constraint makes
 * that wait for the old server process, and the answer is then definite.
 *
 * @par Transaction
 * One of the library's own: 2 round trips plus the statements of the callback; a repeat takes 1, and 2 when it had
 * to wait for a connection that was lost. Writes one row of `idempotency_record`. Waits up to `options.wait` for a
 * running duplicate.
 * @par Outcome
 * done, replayed, in_progress, key_reused, unknown; a response whose status `options.stored` does not keep is
 * returned as done with `reply::committed()` false.
 * @par Throws
 * What the callback throws, after the rollback; the key is then free again. `once::invalid_argument` before anything
 * is sent; `once::misuse` and `once::transaction_poisoned` when the callback broke the rules of `transaction`;
 * `once::deadline_exceeded` when time ran out and certainly nothing took effect; the last `pqxx` exception when
 * retries are used up; what `database::check` throws.
 * @par Thread safety
 * Safe; each call takes a connection of its own.
 */
template <class Callback>
    requires std::invocable<Callback&, transaction&>
[[nodiscard]] reply execute(database& db, request const& request, Callback&& callback,
                            call_options const& options = {}) {
    return detail::execute(db, request, [&](transaction& tx) { return detail::call(callback, tx); }, options);
}

/// Refused by the compiler: a callback that does not fit.
template <class Callback>
    requires(detail::no_callback<Callback>)
reply execute(database&, request const&, Callback&&, call_options const& = {}) {
    static_assert(detail::never<Callback>, "once: the callback of once::execute takes (once::transaction&)");
    return detail::nothing<reply>();
}

/// The same in one round trip, for work that is known beforehand: statements with bound parameters.
/**
 * BEGIN, the claim, the statements, the stored response and COMMIT go out as one pipeline. A claim that does
 * not start raises an error on the server, so that nothing behind it runs; the stored response is then read.
 *
 * The response is the row that the last statement returns, as a JSON object with the column names, and `status`.
 * The last statement is wrapped in a common table expression, so it must be a single SELECT, or INSERT, UPDATE,
 * DELETE with RETURNING, that yields one row and does not itself begin with a WITH that changes data. If it yields no
 * row, everything is rolled back and the call throws `pqxx::sql_error` with SQLSTATE ON003; more than one row is
 * SQLSTATE 21000.
 *
 * Only status 200 to 399 make sense, and `options.stored` must not be `nothing`.
 *
 * @par Transaction
 * 1 round trip; a repeat takes 2. Otherwise as above.
 */
[[nodiscard]] ONCE_EXPORT reply execute(database& db, request const& request,
                                        std::vector<statement> const& work, int status = 200,
                                        call_options const& options = {});

/// Runs `callback` in a transaction without a claim, with the same retries, guards and deadlines.
/**
 * Without a key a lost answer to COMMIT cannot be resolved: the outcome is then `unknown`, and running it again may
 * do it twice. Use it for reads and for work that is idempotent by itself (a version, a natural key).
 *
 * @par Outcome
 * done (committed) or unknown; never any other. `reply` carries no response. What the callback returns is dropped.
 */
template <class Callback>
    requires std::invocable<Callback&, transaction&>
[[nodiscard]] reply transact(database& db, Callback&& callback, transaction_options const& options = {}) {
    return detail::transact(
        db, [&](transaction& tx) { static_cast<void>(std::invoke(callback, tx)); }, options);
}

/// Refused by the compiler: a callback that does not fit.
template <class Callback>
    requires(detail::no_callback<Callback>)
reply transact(database&, Callback&&, transaction_options const& = {}) {
    static_assert(detail::never<Callback>, "once: the callback of once::transact takes (once::transaction&)");
    return detail::nothing<reply>();
}

} // namespace once
