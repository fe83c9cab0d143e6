// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string>
#include <string_view>

namespace once::sql {

/// The library's statements for staging and reading messages, for one schema.
/**
 * Each begins with a comment that names it in pg_stat_activity. Unless it says otherwise, the arguments of a statement
 * are those of the function of the same name, in its order; the comment on the function says what it locks.
 */
struct outbox_statements {
    /// @param schema a checked identifier; it is quoted here
    explicit outbox_statements(std::string_view schema);

    /// $1 to $9: topic, key, json, bytes, content type, headers, traceparent, message id, fresh. Returns the id.
    std::string publish;
    /// The same as arrays, but fresh. Returns how many were staged.
    std::string publish_many;
    /// As publish_many, and $10 timestamptz[] when they are due. Returns how many messages it was given.
    std::string schedule_many;

    /// $1 name, $2 text[] topics, $3 from, $4 slices, $5 attempts, $6 and $7 backoff and its cap in milliseconds,
    /// $8 dead blocks key, $9 expire after in milliseconds.
    std::string subscribe;
    std::string unsubscribe;
    std::string pause_subscription;

    /// $1 subscription, $2 slice, $3 limit, $4 bytes, $5 number of a batch that was acknowledged. Columns: batch as
    /// text, id, message_id, given_id, published_at,
    /// service, topic, key, traceparent, content_type, headers, payload_json, payload_bytes, blocked, and of the batch:
    /// number, more, timeline.
    std::string next_batch;
    std::string acknowledge;
    /// $1 subscription, $2 slice, $3 limit, $4 keys, $5 bytes. Columns: as next_batch from id to payload_bytes, then
    /// attempts.
    std::string take_parked;
    /// $1 to $7: subscription, slice, ids, message ids, results, errors, least pauses in milliseconds.
    std::string settle_parked;
    /// $1 subscription, $2 slice. In how many milliseconds the next parked message is due, null: none.
    std::string parked_due;
    /// $1 limit. Columns: released, in how many milliseconds the next is due, null: none.
    std::string release_due;

    std::string wake_channel;
    /// $1 milliseconds. Columns: sleep_number, writers.
    std::string fall_asleep;
    /// $1 payload of a notification.
    std::string wake_up;
    /// $1 text[] writers that fall_asleep() has named. How many of them are still there.
    std::string writers_left;
};

} // namespace once::sql
