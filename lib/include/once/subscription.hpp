// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/borrowed.hpp>
#include <once/detail/fields.hpp>
#include <once/export.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace once {

/// Where a subscription begins.
enum class subscribe_from {
    /// Messages of transactions that have not committed yet.
    now,
    /// Everything that is still in the outbox.
    beginning,
};

/// What a subscription gets, and what happens to a message that cannot be delivered.
struct subscription_options {
    /// Exact topics ("orders.placed"), or prefixes that end with .* ("orders.*"); up to 100. Empty: all topics.
    std::vector<std::string> topics{};

    /// A time stands for: messages that were staged at or after it, as far as they are still in the outbox.
    std::variant<subscribe_from, std::chrono::sys_time<std::chrono::microseconds>> from = subscribe_from::now;

    /// Into how many slices its messages are divided, by key, so that as many workers read side by side. 1 to 64. It
    /// cannot be changed later.
    int slices = 1;

    /// After so many failed attempts a message is dead. 1 to 1000.
    int max_attempts = 10;

    /// Limit of the pause after the first failed attempt, from 1 millisecond. It doubles with each failure up to the
    /// cap; the pause is between half and all of it, by chance.
    detail::time_field<"subscription_options.backoff_base"> backoff_base{std::chrono::milliseconds{1'000}};
    /// At most 7 days.
    detail::time_field<"subscription_options.backoff_cap"> backoff_cap{std::chrono::minutes{10}};

    /// Whether a dead message holds back later ones of its key until an operator calls redrive() or discard() in SQL.
    bool dead_blocks_key = true;

    /// When it has acknowledged nothing for so long although messages wait, it no longer keeps them in the outbox.
    /// 1 minute to 366 days. Empty: it keeps them for ever.
    std::optional<std::chrono::milliseconds> expire_after{};
};

/// Checks the ranges above.
/// @throws once::invalid_argument naming the field.
ONCE_EXPORT void validate(subscription_options const& options);

/// Makes a subscription of the service that is connected.
/**
 * @param name   unique within the service: 1 to 63 bytes of printable ASCII
 * @return false when it is there already: nothing is changed then, whatever the options say
 * @par Transaction
 * One round trip. It exists when `tx` commits, and gets messages of transactions that commit later.
 * @par Throws
 * `once::invalid_argument` before anything is sent; else what libpqxx throws.
 */
ONCE_EXPORT bool subscribe(borrowed const& tx, std::string const& name,
                           subscription_options const& options = {});

/// Ends a subscription: its position and its parked messages are gone. False when there is none of this name.
/// Waits for acknowledgements that are under way, and holds up those of all subscriptions until `tx` ends.
ONCE_EXPORT bool unsubscribe(borrowed const& tx, std::string const& name);

/// Stops handing out messages, or goes on with it; they are kept meanwhile. False when it was so already.
ONCE_EXPORT bool pause_subscription(borrowed const& tx, std::string const& name, bool paused = true);

/// How a worker (a `consumer`, a relay) reads one slice of a subscription.
/**
 * Of all workers of a slice one is active; the others stand by and take over when it dies, within `lease`.
 * A worker keeps one connection of its `database` for itself.
 */
struct reader_options {
    /// From 0.
    int slice = 0;

    /// Most messages of one batch, 1 to 100 000.
    int batch_messages = 1'000;

    /// A batch has no more bytes of payload and headers than this, or one message. From 1 KiB.
    std::size_t batch_bytes = std::size_t{16} * 1024 * 1024;

    /// How long messages may gather while they stream, 0 to 1 second: a read costs the server nearly as much for one
    /// message as for a hundred. It delays a message by half of this on average, and what comes in this time is
    /// repeated after a crash. The first one after a silence of four times this is delivered at once. 0: none waits.
    detail::time_field<"reader_options.gather"> gather{std::chrono::milliseconds{3}};

    /// How long the slice stays reserved for a worker that is not heard of. 1 second to 1 hour.
    detail::time_field<"reader_options.lease"> lease{std::chrono::milliseconds{15'000}};

    /// Whether to LISTEN for messages. Not through a pooler, which may hand the session to others: there the worker
    /// says so in the log, and asks every `longest_poll` instead, as it does when this is off.
    bool listen = true;

    /// The longest sleep, and so the longest delay that a lost notification could cause. 100 milliseconds to 1 hour.
    detail::time_field<"reader_options.longest_sleep"> longest_sleep{std::chrono::milliseconds{5'000}};

    /// The longest pause where it has to ask again and again: without `listen`, and while a transaction runs that had
    /// staged messages before the worker went to sleep. 1 millisecond to 1 minute.
    detail::time_field<"reader_options.longest_poll"> longest_poll{std::chrono::milliseconds{20}};

    /// The longest silence of the server. From 100 milliseconds.
    detail::time_field<"reader_options.reply_timeout"> reply_timeout{std::chrono::milliseconds{10'000}};
};

/// Checks the ranges above.
/// @throws once::invalid_argument naming the field.
ONCE_EXPORT void validate(reader_options const& options);

} // namespace once
