// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/database.hpp>
#include <once/detail/fields.hpp>
#include <once/export.hpp>
#include <once/publisher.hpp>
#include <once/subscription.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

namespace once {

/// What one round of a relay did.
struct relay_summary {
    /// Whether it is the active one of its slice; false: it stands by, and nothing was done.
    bool active = false;
    /// Messages that the publisher accepted, parked ones among them.
    std::size_t accepted = 0;
    /// Asked for again: parked until their next attempt, or dead when that was the last one.
    std::size_t retried = 0;
    /// Rejected: dead until a person decides.
    std::size_t rejected = 0;
    /// Parked without an attempt: behind an earlier message of their key, or not sent before the receiver became
    /// unavailable.
    std::size_t behind = 0;
    /// Why the receiver takes nothing at present: it took none of several messages of different keys. No attempt was
    /// counted for what it did not take.
    std::optional<std::string> unavailable{};
    /// There were messages, and the publisher got none of them out; why. Also set when the receiver is unavailable.
    /// Alone: a call was too much for its time or the memory, and the next one is smaller.
    std::optional<std::string> stuck{};
    /// How long to leave it alone, as far as it said so.
    std::optional<std::chrono::milliseconds> retry_after{};
    /// From the first call of the publisher to the last answer.
    std::chrono::milliseconds published_for{0};
    /// The batch was acknowledged by another relay meanwhile: this relay was too slow, and its messages may arrive
    /// twice.
    bool overtaken = false;

    /// Whether there was nothing to do.
    [[nodiscard]] bool idle() const noexcept {
        return accepted + retried + rejected + behind == 0 && !unavailable && !stuck && !overtaken;
    }

    /// Counts the messages of a later round in; `active` is that of the later one, and what belongs to one round
    /// (`unavailable`, `stuck`, `retry_after`, `published_for`, `overtaken`) stays as it is.
    relay_summary& operator+=(relay_summary const& later) noexcept {
        active = later.active;
        accepted += later.accepted;
        retried += later.retried;
        rejected += later.rejected;
        behind += later.behind;
        return *this;
    }
};

/// How a relay works. Checked when it is constructed.
struct relay_options {
    /// Slice, size of a batch, lease, sleep. One checkpoint is written for each batch, so that a large batch means few
    /// checkpoints, and more repeats after a crash.
    reader_options reader{};

    /// Most messages that the publisher gets at once, 1 to 100 000. A batch is published in as many calls as it
    /// takes. When so many are too much for the time or the memory, calls get smaller, and grow again.
    std::size_t publish_messages = 1'000;

    /// After so long a checkpoint is written although the batch is not through. 1 millisecond to 1 hour.
    detail::time_field<"relay_options.checkpoint_every"> checkpoint_every{std::chrono::milliseconds{5'000}};

    /// For one call of the publisher, at most half of the lease. 0: two fifths of it. The relay makes sure before each
    /// call that its lease lasts longer than that; so the one that takes over does not send beside it. For slow
    /// receivers raise the lease.
    detail::time_field<"relay_options.publish_timeout"> publish_timeout{std::chrono::milliseconds{0}};

    /// When the receiver is unavailable: the limit of the first pause, from 1 millisecond. It doubles up to the cap;
    /// the pause is between half and all of it, by chance. A longer one that the receiver asked for counts up to the
    /// cap.
    detail::time_field<"relay_options.pause_base"> pause_base{std::chrono::milliseconds{250}};
    detail::time_field<"relay_options.pause_cap"> pause_cap{std::chrono::minutes{1}};

    /// Whether an acknowledged batch outlives a crash of the database server. Without, such a crash repeats the
    /// messages of the last half second or so; nothing is lost.
    bool durable_checkpoints = true;

    /// Gets lines for people: lost connections, an unavailable receiver, a takeover. Empty: that of the database.
    std::function<void(std::string_view)> log{};

    /// Gets each round that was not idle, and the first one after trouble that is, for metrics. It must not throw.
    std::function<void(relay_summary const&)> observer{};
};

/// Checks the ranges above.
/// @throws once::invalid_argument naming the field.
ONCE_EXPORT void validate(relay_options const& options);

namespace detail {
class relay_worker;
}

/// Reads a slice of a subscription and hands its messages to a publisher.
/**
 * Every message is delivered at least once, with the same id and the same bytes, and messages of one key in order, with
 * repeats taken out. A message comes twice when the relay, or its connection, ended between the receiver's answer and
 * the checkpoint; receivers detect that by the id.
 *
 * - No transaction is open while the publisher works.
 * - A message that fails is parked with the later ones of its key, and comes again as the subscription says; all other
 *   keys go on. When its attempts are used up it is dead, see redrive() and discard() in SQL.
 * - A message that ends the process counts as tried, so that it ends up dead, too.
 * - When the receiver is unavailable the relay pauses, and no attempt is counted. That is concluded only when messages
 *   of other keys, from anywhere in the batch, were refused, too. When one of those is accepted, what was refused is to
 *   blame: it is parked, its attempt counts, and everything else flows. An exception of the publisher is judged alike.
 * - Start as many relays as you like: one has the slice, the others stand by and take over within the lease.
 *
 * @par Thread safety
 * One thread at a time. Several relays may share a `database`; each keeps one connection for itself.
 */
class ONCE_EXPORT relay {
public:
    /// @param db        must outlive the relay
    /// @param publisher must outlive the relay; nobody else uses it meanwhile
    /// @throws once::invalid_argument naming the field
    relay(database& db, std::string subscription, publisher& publisher, relay_options options = {});
    /// Gives the slice back, so that others need not wait until the lease runs out.
    ~relay();
    relay(relay&&) noexcept;
    relay& operator=(relay&&) = delete;
    relay(relay const&) = delete;
    relay& operator=(relay const&) = delete;

    /// One round: parked messages that are due, then one batch. Does not wait for messages.
    /**
     * @throws what went wrong at the database; the next call connects again. SQLSTATE ON060: no such subscription,
     *         ON061: it is paused or expired, ON062: the database was restored, see rebase().
     */
    [[nodiscard]] relay_summary run_once();

    /// Rounds until a stop is requested. Then the publisher's call under way is finished, what was accepted is
    /// acknowledged, the rest is left for the next relay, and the slice is given back. Returns what it did in all: the
    /// counters.
    /**
     * Waited out and logged, as by every worker of the library: a database that cannot be reached, is shut down or
     * read-only, has no disk or memory left, a statement that was cancelled, conflicts, a subscription that is paused
     * or expired; and whatever the publisher says or throws.
     * @throws what no waiting can fix: no such subscription, a schema that is missing or does not fit, missing rights,
     *         a database that was restored, a publisher that answers too few or too many messages
     */
    relay_summary run(std::stop_token stop);

private:
    std::unique_ptr<detail::relay_worker> m_worker;
};

} // namespace once
