// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/claim.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>
#include <once/export.hpp>
#include <once/request.hpp>
#include <once/response.hpp>
#include <once/transaction.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace once {

/// The same question under another key is still running, longer than the wait.
/** Thrown by `per_window`; nothing took effect. Answer as for `outcome::in_progress` (409): a repeat will tell. */
class ONCE_EXPORT duplicate_in_progress : public error {
public:
    using error::error;
};

/// Asks whether another key of this scope asked the same (by fingerprint) within `window`.
/**
 * For clients that make a new key for each click, where no natural unique key tells the second order from a mistake.
 * Call it in the transaction that has claimed `request` and before the work. The first one does the work; a second
 * one that comes while the first is running waits for it; later ones, until the window closes, are given the response
 * of the first. They complete their own key with it and commit, so that a repeat gets it even after the window.
 *
 * The window opens with the first request and is not prolonged by others. It is a guess about people, not a
 * guarantee: who really wants two coffees within the window gets one.
 *
 * @param window 1 millisecond to 1 day, not longer than the retention of the records
 *
 * @return `started`: it is the first one. `replayed`: the response of the first one. `in_progress`: roll back. Never
 *         `key_reused`.
 *
 * @par Transaction
 * One round trip; writes one row in the transaction. Waits up to `options.wait` for a transaction that asks the same;
 * a wait that ran out leaves `tx` usable. Under repeatable read and serializable a lost race is error 40001.
 * @par Throws
 * `once::invalid_argument` before anything is sent, also for a request without a fingerprint.
 * @par Thread safety
 * That of `tx`.
 */
[[nodiscard]] ONCE_EXPORT claim_result open_window(borrowed const& tx, request const& request,
                                                   std::chrono::milliseconds window,
                                                   claim_options const& options = {});

/// Wraps the callback of `execute`, so that it runs once per scope and fingerprint within `window`.
/**
 * @code
 * once::execute(db, request, once::per_window(request, 10s, [&](once::transaction& tx) { ... }));
 * @endcode
 *
 * A second key within the window gets the response of the first one, as `done`: it is stored under its own key,
 * too. (204 when only the key of the first was kept.) When the first one is still running after the wait, the call
 * throws `duplicate_in_progress`, and nothing took effect.
 *
 * `request` is copied. `options.retention` means nothing here.
 */
template <class Callback>
    requires std::invocable<Callback&, transaction&>
[[nodiscard]] auto per_window(request request, std::chrono::milliseconds window, Callback callback,
                              claim_options options = {}) {
    return [request = std::move(request), window, callback = std::move(callback),
            options = std::move(options)](transaction& tx) mutable -> response {
        auto answer = open_window(tx, request, window, options);
        if (auto* const first = std::get_if<replayed>(&answer)) {
            return first->response ? std::move(*first->response) : response{.status = 204};
        }
        if (std::holds_alternative<in_progress>(answer)) {
            throw duplicate_in_progress{
                "once: the same request under another key is still running; nothing took "
                "effect, ask again with the same key"};
        }
        return detail::call(callback, tx);
    };
}

} // namespace once
