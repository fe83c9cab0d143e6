// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/borrowed.hpp>
#include <once/claim.hpp>
#include <once/database.hpp>
#include <once/detail/fields.hpp>
#include <once/execute.hpp>
#include <once/export.hpp>
#include <once/fingerprint.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace once {

/// What a one-time token is issued for.
struct token_terms {
    /// Whom it is given to, from the authenticated session: printable ASCII, 1 to 180 bytes, no space at either end.
    std::string principal{};
    /// What it is good for, e.g. "reset-password": printable ASCII without spaces, 1 to 64 bytes.
    std::string purpose{};
    /// How long, by the clock of the database. 1 second to 366 days.
    detail::time_field<"token_terms.lifetime"> lifetime{std::chrono::minutes{15}};
};

/// A token that came back, to be redeemed.
struct redemption {
    /// As it came from the client. Anything may stand here; what is no token is refused like one that is unknown.
    std::string token{};
    /// Who sent it, from the authenticated session and never from the request; ranges as in `token_terms`.
    std::string principal{};
    /// What it is to be good for; ranges as in `token_terms`.
    std::string purpose{};
    /// What was asked, so that a repeat with another question is `key_reused`. With `no_fingerprint`, the token alone
    /// decides.
    once::fingerprint fingerprint;
};

/// Checks principal, purpose and lifetime.
/// @throws once::invalid_argument naming the field.
ONCE_EXPORT void validate(token_terms const& terms);
/// Checks principal and purpose; never the token.
ONCE_EXPORT void validate(redemption const& redemption);

/// Issues `count` tokens (1 to 10000) in one statement.
/**
 * A token is 256 random bits of this machine's kernel (getrandom) in 43 characters of base64url: fit for a URL, a form
 * field, a header. Only its SHA-256 goes to the database, so neither its tables nor its logs nor its backups hold
 * anything that could be redeemed. It cannot be read again: send it, then forget it.
 *
 * @par Transaction
 * One of its own, one round trip. Durable as the session's `synchronous_commit` says; a token that a crash took away is
 * refused.
 * @par Throws
 * `once::invalid_argument`; what connecting throws; `pqxx::in_doubt_error` when nobody knows whether they were issued:
 * issue others.
 * @par Thread safety
 * Safe.
 */
[[nodiscard]] ONCE_EXPORT std::vector<std::string> issue_tokens(database& db, token_terms const& terms,
                                                                std::size_t count);

/// One token, as above.
[[nodiscard]] ONCE_EXPORT std::string issue_token(database& db, token_terms const& terms);

/// The same in a transaction that the caller owns, that of a callback of `execute` included: they exist if it commits.
/**
 * Do not return a token in the response of `execute`: that is stored for repeats.
 * @par Thread safety
 * That of `tx`.
 */
[[nodiscard]] ONCE_EXPORT std::vector<std::string> issue_tokens(borrowed const& tx, token_terms const& terms,
                                                                std::size_t count);
[[nodiscard]] ONCE_EXPORT std::string issue_token(borrowed const& tx, token_terms const& terms);

/// The idempotency record that a redeemed token turns into: scope "token PURPOSE PRINCIPAL", key the SHA-256 in hex.
[[nodiscard]] ONCE_EXPORT request record_of(redemption const& redemption);

namespace detail {
ONCE_EXPORT reply execute(database& db, redemption const& redemption,
                          std::function<response(transaction&)> const& callback, call_options const& options);
}

/// `execute` whose key is a one-time token: redeems it in the same transaction, so that it takes effect once.
/**
 * The token turns into the idempotency record of the request. So a repeat with the same token is not an error: it gets
 * the stored response. Everything that `execute` says about retries, lost answers to COMMIT and options holds.
 *
 * A rollback (an exception, a response that `call_options::stored` does not keep) leaves the token as it was.
 *
 * @par Outcome
 * As `execute`, and `refused`: the token is unknown, belongs to another principal, is good for another purpose, has
 * expired, or was redeemed so long ago that its record has gone. It is one and the same answer, found in one and the
 * same way. Expiry is checked by the clock of the database when the token is locked for this transaction.
 * @par Transaction
 * As `execute`, at the same number of round trips.
 */
template <class Callback>
    requires std::invocable<Callback&, transaction&>
[[nodiscard]] reply execute(database& db, redemption const& redemption, Callback&& callback,
                            call_options const& options = {}) {
    return detail::execute(
        db, redemption, [&](transaction& tx) { return detail::call(callback, tx); }, options);
}

/// Refused by the compiler: a callback that does not fit.
template <class Callback>
    requires(detail::no_callback<Callback>)
reply execute(database&, redemption const&, Callback&&, call_options const& = {}) {
    static_assert(detail::never<Callback>, "once: the callback of once::execute takes (once::transaction&)");
    return detail::nothing<reply>();
}

/// The same in one round trip, for statements that are known beforehand; see the form of `execute` with a request.
[[nodiscard]] ONCE_EXPORT reply execute(database& db, redemption const& redemption,
                                        std::vector<statement> const& work, int status = 200,
                                        call_options const& options = {});

/// The token is not valid (any more) for this principal and purpose.
struct refused {};

/// What redeeming on a borrowed transaction came to.
using redeem_result = std::variant<started, replayed, in_progress, key_reused, refused>;

/// Redeems a token in a transaction that the caller owns; then do the work and `complete`, as after `claim`.
/**
 * @par Transaction
 * One round trip. Locks the token's row; otherwise as `claim`. `refused` writes nothing.
 * @par Throws
 * As `claim`.
 * @par Thread safety
 * That of `tx`.
 */
[[nodiscard]] ONCE_EXPORT redeem_result redeem(borrowed const& tx, redemption const& redemption,
                                               claim_options const& options = {});

} // namespace once
