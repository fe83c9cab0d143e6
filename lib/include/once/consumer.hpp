// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/database.hpp>
#include <once/detail/fields.hpp>
#include <once/error.hpp>
#include <once/export.hpp>
#include <once/message.hpp>
#include <once/options.hpp>
#include <once/subscription.hpp>
#include <once/transaction.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

namespace once {

/// A handler throws this for a message that it will never take: the message is dead at once, without further attempts.
/// The text becomes `last_error` of the parked message, so it must hold no payload and no secret.
class ONCE_EXPORT message_rejected : public error {
public:
    using error::error;
};

/// What a consumer did.
struct consumer_summary {
    /// Whether it is the active one of its slice; false: it stands by.
    bool active = false;
    /// Messages whose effect was committed.
    std::size_t handled = 0;
    /// Failed attempts; the message comes again, or is dead when its attempts are used up.
    std::size_t retried = 0;
    /// Messages that the handler rejected.
    std::size_t rejected = 0;
    /// Messages that were parked untried, because an earlier one of their key is.
    std::size_t behind = 0;

    [[nodiscard]] bool idle() const noexcept { return handled + retried + rejected + behind == 0; }

    /// Counts a later round in; `active` is that of the later one.
    consumer_summary& operator+=(consumer_summary const& later) noexcept {
        active = later.active;
        handled += later.handled;
        retried += later.retried;
        rejected += later.rejected;
        behind += later.behind;
        return *this;
    }
};

/// How a consumer works.
struct consumer_options {
    reader_options reader{};

    /// One transaction: the handler with all messages of a batch, and COMMIT. When it is not enough, batches get
    /// smaller. 100 milliseconds to 1 hour, and at least half a second shorter than `reader.lease`, so that nobody else
    /// takes the slice over meanwhile.
    detail::time_field<"consumer_options.deadline"> deadline{std::chrono::milliseconds{10'000}};

    isolation isolation_level = isolation::read_committed;

    /// How often a transaction is begun anew after 40001 and 40P01 before that counts as a failed attempt. 1 to 1000.
    int max_attempts = 20;

    once::durability durability = once::durability::at_least_on;

    /// Gets lines for people: lost connections, a takeover, why it waits. Empty: that of the database.
    std::function<void(std::string_view)> log{};

    /// Gets each round that was not idle, for metrics. It must not throw.
    std::function<void(consumer_summary const&)> observer{};
};

/// Checks the ranges above.
/// @throws once::invalid_argument naming the field.
ONCE_EXPORT void validate(consumer_options const& options);

/// Receives messages in a service that shares the database: the handler's writes and the position are one transaction.
/**
 * So each message has its effect exactly once, whatever dies when: either the effect and the position are committed, or
 * neither is and the message comes again. What the handler does outside of the database is repeated then.
 *
 * The handler gets an ordinary `once::transaction`, in which it may also `publish`. When it throws, everything of the
 * transaction is rolled back; the messages before the failing one are handled again and committed, and the failing one
 * is parked: it comes again after a pause (`subscription_options`), alone, and later ones of its key wait behind it.
 * Everything else flows. `message_rejected` makes the message dead at once. Conflicts (40001, 40P01) are no failure:
 * the transaction is begun anew. Neither is a lost connection, a full disk, a server that shuts down: everything comes
 * again.
 *
 * Of all consumers of a slice, in whatever process, one is active; the others stand by and take over within
 * `reader_options::lease`. After a takeover from one that died, the messages that it may have had come one at a time,
 * with the attempt counted before: so a message that kills its process ends up dead.
 *
 * @par Connections
 * It keeps one connection of `db` for itself.
 * @par Thread safety
 * One thread at a time; for more throughput use slices and one consumer for each. `db` must live longer.
 */
class ONCE_EXPORT consumer {
public:
    using handler = std::function<void(delivery const&, transaction&)>;
    using batch_handler = std::function<void(std::span<delivery const>, transaction&)>;

    /// Handles messages one by one, many in one transaction.
    /// @throws once::invalid_argument. Does not connect yet.
    consumer(database& db, std::string subscription, handler handle, consumer_options const& options = {});

    /// Handles messages in batches, in order, never empty. When it throws, halves of the batch come, to find the
    /// failing message.
    consumer(database& db, std::string subscription, batch_handler handle,
             consumer_options const& options = {});

    /// Refused by the compiler: a handler that does not fit.
    template <class Handler>
        requires(!std::convertible_to<Handler, handler> && !std::convertible_to<Handler, batch_handler>)
    consumer(database&, std::string, Handler&&, consumer_options const& = {}) {
        static_assert(detail::never<Handler>,
                      "once: the handler of a consumer takes (once::delivery const&, once::transaction&), or "
                      "(std::span<once::delivery const>, once::transaction&)");
    }

    /// Gives the slice back, so that others need not wait until the lease runs out.
    ~consumer();
    consumer(consumer&&) noexcept;
    consumer& operator=(consumer&&) noexcept;
    consumer(consumer const&) = delete;
    consumer& operator=(consumer const&) = delete;

    /// Handles parked messages that are due, and one batch. Does not wait for messages.
    /**
     * @par Throws
     * what `database::check` throws; `pqxx::broken_connection` when the connection was lost: call it again.
     * `pqxx::sql_error` with SQLSTATE ON060 (no such subscription, or slice), ON061 (it is paused or expired), ON062
     * (the database was restored, see rebase()). `once::misuse` when the handler broke the rules of `transaction`.
     */
    [[nodiscard]] consumer_summary run_once();

    /// Goes on until a stop is requested, then gives the slice to another consumer that stands by. Returns what it
    /// did in all.
    /**
     * It finishes the message that it is at, and commits what it has done.
     *
     * Waited out and logged, as by every worker of the library: a database that cannot be
     * reached, is shut down or read-only, has no disk or memory left, a statement that was cancelled, conflicts, and a
     * subscription that is paused or expired.
     * @throws what no waiting can fix: no such subscription, a schema that is missing or does not fit, missing rights,
     *         a database that was restored, a handler that broke the rules of `transaction`
     */
    consumer_summary run(std::stop_token stop);

private:
    class implementation;
    std::unique_ptr<implementation> m_implementation;
};

} // namespace once
