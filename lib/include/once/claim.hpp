// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/borrowed.hpp>
#include <once/detail/fields.hpp>
#include <once/export.hpp>
#include <once/request.hpp>
#include <once/response.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <variant>

namespace once {

/// The key is yours until the transaction ends: do the work, then `complete`.
struct started {
    std::string scope;
    std::string key;
};

/// It was done before.
struct replayed {
    /// The stored response; empty when only the key was kept.
    std::optional<once::response> response;
};

/// Another transaction holds the key, or one committed it without `complete` (only SQL of its own can).
struct in_progress {};

/// The key belongs to a request with another fingerprint.
struct key_reused {};

/// What a claim came to.
using claim_result = std::variant<started, replayed, in_progress, key_reused>;

/// How a claim on a borrowed transaction behaves; ranges as in `call_options`.
struct claim_options {
    detail::time_field<"claim_options.wait"> wait{std::chrono::milliseconds{2'000}};
    detail::time_field<"claim_options.retention"> retention{std::chrono::hours{24}};
};

/// Claims `request` in a transaction that the caller owns.
/**
 * `tx` is not committed, aborted or changed otherwise; that is the caller's. A `pqxx::nontransaction` does not fit
 * the parameter, because a claim that commits by itself guards nothing.
 *
 * @par Transaction
 * One round trip. Inserts one row into `idempotency_record`; waits up to `options.wait` for a transaction that
 * holds the same key. A wait that ran out is a value and leaves `tx` usable (the claim runs in a savepoint).
 * Under repeatable read and serializable a lost race is error 40001: run the transaction again.
 * @par Throws
 * `once::invalid_argument` before anything is sent, and `once::configuration_error` when the connection's
 * client_encoding is not UTF8; else what libpqxx throws, and `tx` is then unusable.
 * @par Thread safety
 * That of `tx`.
 */
[[nodiscard]] ONCE_EXPORT claim_result claim(borrowed const& tx, request const& request,
                                             claim_options const& options = {});

/// Stores the response of a claimed request; call it before the transaction is committed.
/**
 * Without a response, only the key is kept: repeats are answered `replayed` with no response.
 *
 * A COMMIT without it is refused: SQLSTATE ON005, and nothing took effect. So is one after `redeem`.
 *
 * After this, check that COMMIT really committed: libpqxx reports success for a transaction that the server rolled
 * back because a failed statement was swallowed earlier. In such a transaction this function throws, so calling it
 * last is that check.
 *
 * @par Transaction
 * One round trip. Updates the row that `claim` inserted.
 * @par Throws
 * `once::invalid_argument` before anything is sent; `pqxx::sql_error` with SQLSTATE ON002 when the claim is not there
 * (any more).
 */
ONCE_EXPORT void complete(borrowed const& tx, started const& claimed,
                          std::optional<response> const& response);

} // namespace once
