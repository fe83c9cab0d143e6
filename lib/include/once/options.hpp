// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/detail/fields.hpp>
#include <once/export.hpp>
#include <once/fence.hpp>

#include <chrono>
#include <cstddef>
#include <optional>

namespace once {

/// Isolation level of the transaction. Each call states it, whatever the default of the server is.
enum class isolation {
    read_committed,
    /// Conflicts with concurrent transactions surface as 40001, and the call runs again.
    repeatable_read,
    /// As repeatable_read, and the outcome is that of some serial order.
    serializable,
};

/// Which responses are kept for repeats. What is not kept is rolled back: no effect stays, the key is free again.
enum class store {
    /// Status below 400 is committed and stored; anything else is rolled back and returned.
    success,
    /// Status below 500 is committed and stored; server errors are rolled back and returned.
    success_and_client_errors,
    /// Status below 400 is committed, but only the key is kept: repeats are answered `replayed` without a response.
    nothing,
};

/// What COMMIT waits for.
enum class durability {
    /// At least the local flush and the synchronous standbys: `synchronous_commit` is raised to `on` if it is less.
    at_least_on,
    /// Whatever the session is set to. With `off`, an acknowledged request can be lost in a crash and run again.
    as_configured,
};

/// How a transaction of the library's behaves. All times are bounded by the deadline.
struct transaction_options {
    isolation isolation_level = isolation::read_committed;

    /// The whole call, retries included. 100 milliseconds to 1 hour. The server ends an abandoned transaction of the
    /// call after it, too (idle_in_transaction_session_timeout).
    detail::time_field<"transaction_options.deadline"> deadline{std::chrono::milliseconds{30'000}};

    /// The longest silence of the server in an exchange of the library's own (begin, COMMIT). A connection that is
    /// silent for longer counts as broken. From 100 milliseconds.
    detail::time_field<"transaction_options.reply_timeout"> reply_timeout{std::chrono::milliseconds{10'000}};

    /// How often the transaction is begun before the last error is passed on, 1 to 1000.
    int max_attempts = 20;

    once::durability durability = once::durability::at_least_on;

    /// The lease that the work is done under, as in `call_options`.
    std::optional<once::fence> fence{};
};

/// How a call with a claim behaves. All times are bounded by the deadline.
struct call_options {
    isolation isolation_level = isolation::read_committed;

    /// How long to wait for a running duplicate before the answer is `in_progress`. 0 fails fast. At most 1 hour.
    detail::time_field<"call_options.wait"> wait{std::chrono::milliseconds{2'000}};

    store stored = store::success;

    /// How long the response is kept, from when it is stored: 1 second to 366 days, not shorter than the deadline.
    /// Longer than any client retries: a repeat that comes after it is a new request.
    detail::time_field<"call_options.retention"> retention{std::chrono::hours{24}};

    /// The whole call, retries included. 100 milliseconds to 1 hour. The server ends an abandoned transaction of the
    /// call after it, too (idle_in_transaction_session_timeout).
    detail::time_field<"call_options.deadline"> deadline{std::chrono::milliseconds{30'000}};

    /// The longest silence of the server in an exchange of the library's own (begin, claim, COMMIT), beyond `wait`.
    /// A connection that is silent for longer counts as broken. From 100 milliseconds.
    detail::time_field<"call_options.reply_timeout"> reply_timeout{std::chrono::milliseconds{10'000}};

    /// How often the transaction is begun before the last error is passed on, 1 to 1000.
    int max_attempts = 20;

    /// Largest body that is stored.
    std::size_t max_response_bytes = std::size_t{1024} * 1024;

    once::durability durability = once::durability::at_least_on;

    /// The lease that the work is done under. When it is not held with this fence, nothing runs, or everything is
    /// rolled back, and the outcome is `lease_lost`: a look before the work, and the guard (`assert_fence`) with
    /// COMMIT, both at no round trip of their own. A repeat of a request that took effect is answered without it.
    std::optional<once::fence> fence{};

    /// The part of it that is about the transaction, for `transact`.
    [[nodiscard]] transaction_options transaction() const {
        return {.isolation_level = isolation_level,
                .deadline = deadline,
                .reply_timeout = reply_timeout,
                .max_attempts = max_attempts,
                .durability = durability,
                .fence = fence};
    }
};

/// Checks the ranges above.
/// @throws once::invalid_argument naming the field.
ONCE_EXPORT void validate(transaction_options const& options);
ONCE_EXPORT void validate(call_options const& options);

} // namespace once
