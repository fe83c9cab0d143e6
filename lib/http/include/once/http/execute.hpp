// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/execute.hpp>
#include <once/http/export.hpp>
#include <once/http/options.hpp>
#include <once/http/request.hpp>

#include <concepts>
#include <functional>

namespace once::http {

namespace detail {
ONCE_HTTP_EXPORT response execute(database& db, request const& request,
                                  std::function<response(transaction&)> const& callback,
                                  options const& options);
}

/// Answers one HTTP request so that it takes effect once: reads the key, claims it, runs `callback`, maps the outcome.
/**
 * `once::execute` does the work, with the scope of `scope_of` and the fingerprint of `fingerprint_of`; `callback` is
 * what it is there. The returned response is complete: hand its status, headers, content type and body to the
 * framework.
 *
 * - With `options.token_purpose` the key is a one-time token, and is redeemed: `once::execute` with a `redemption`.
 * - A key that is missing or not valid is answered 400, before anything is sent to the database.
 * - What `call.stored` does not keep (by default, status 400 and above) is rolled back and returned.
 * - `Set-Cookie` goes out with the first answer and is not stored: it is a secret of one user agent. A client that lost
 *   the first answer does not get it, so do not start sessions in such a request. Headers of the connection are not
 *   stored either; see `without_connection_headers`.
 * - Safe methods (GET, HEAD, OPTIONS, TRACE) pass by: they run in a transaction without a claim, and a key is not
 *   looked at. So does a request without a key where `key_required` is false; if the answer to its COMMIT is lost,
 *   it is answered 500, because a repeat could do it twice.
 *
 * @par Transaction
 * That of `once::execute`, or of `once::transact` for what passes by.
 * @par Outcome
 * The response. `once::deadline_exceeded`, and what says that the database cannot be reached or cannot work now (a lost
 * connection; conflicts that used up their attempts; SQLSTATE 25006 and those of class 53, 57 and 58), become 503:
 * nothing took effect.
 * @par Throws
 * What `once::execute` throws otherwise; answer 500, and do not tell the client the text. `once::invalid_argument` for
 * a principal that `scope_of` refuses.
 * @par Thread safety
 * Safe; each call takes a connection of its own.
 */
template <class Callback>
    requires std::invocable<Callback&, transaction&>
[[nodiscard]] response execute(database& db, request const& request, Callback&& callback,
                               options const& options = {}) {
    return detail::execute(
        db, request, [&](transaction& tx) { return once::detail::call(callback, tx); }, options);
}

/// Refused by the compiler: a callback that does not fit.
template <class Callback>
    requires(!std::invocable<Callback&, transaction&>)
response execute(database&, request const&, Callback&&, options const& = {}) {
    static_assert(once::detail::never<Callback>,
                  "once: the callback of once::http::execute takes (once::transaction&)");
    return once::detail::nothing<response>();
}

} // namespace once::http
