// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/export.hpp>
#include <once/message.hpp>

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace once {

/// What came of one message.
enum class publish_result {
    /// The receiver has it, durably.
    accepted,
    /// Not now, or the reply was lost: the message is parked and comes again, later ones of its key wait behind it.
    retry,
    /// Never: the message is dead until a person decides.
    rejected,
    /// Not sent: an earlier message of its key in this batch was not accepted, the time was up, or the receiver was
    /// unavailable. It comes again, and no attempt is counted. The error may say why, for the log.
    not_sent,
};

/// The word that C++, documentation and logs use for it.
[[nodiscard]] ONCE_EXPORT std::string_view to_string(publish_result value) noexcept;

/// The answer to one message.
struct publish_answer {
    publish_result result = publish_result::accepted;
    /// Why it was not accepted, for people: no payload, no secret. Cut at 1000 characters.
    std::string error{};
    /// The least pause that the receiver asked for; the retry policy of the subscription may make it longer.
    std::optional<std::chrono::milliseconds> retry_after{};
};

/// What came of a batch.
struct publish_report {
    /// One for each message, in their order. May be empty when the receiver is unavailable: nothing was accepted.
    std::vector<publish_answer> answers{};
    /// Set when nobody seems able to take anything at present (no connection, 503 to everything, a full disk). Says
    /// why. What was accepted before stays accepted; the rest is `not_sent`, also what was under way when the
    /// receiver went away; or `retry` where the receiver refused that message itself.
    /**
     * The relay does not take the word of one call for it. When nothing was accepted it sends a few messages of other
     * keys, each alone. If none is accepted the receiver is unavailable: it is left alone for a while, and no attempt
     * counts, not even of what was answered `retry` here. If one is accepted, those are sent once more, and what is
     * refused again is to blame: its attempt counts. A call that named nobody is repeated in smaller parts until it is
     * clear which message is why.
     */
    std::optional<std::string> unavailable{};
    /// How long to leave an unavailable receiver alone, if it said so.
    std::optional<std::chrono::milliseconds> retry_after{};
};

/// Where a relay sends messages: the seam for brokers.
/**
 * Rules that every publisher keeps, and that the conformance tests check:
 * - Messages of one key are sent in order, and none is sent after an earlier one of its key in the same batch was not
 *   accepted: it is answered `not_sent`. Messages of different keys, or without a key, may travel side by side.
 * - `accepted` means that the receiver has said so. When a reply is lost the answer is `retry`: the receiver gets the
 *   message again, with the same id, and must detect that. A message that surely did not leave is `not_sent`. So may be
 *   one whose reply was lost because the receiver went away, when `unavailable` is set: an outage must not cost the
 *   attempts of a thousand messages that were under way.
 * - `publish` returns by `deadline`; what was sent and not answered until then is `retry`, what had not been sent is
 *   `not_sent`. A publisher that was stopped beyond the deadline sends nothing more when it wakes up.
 * - It does not change the messages, and sends each with its id. All attempts send the same bytes.
 * - It may batch, pipeline and wait for many answers at a time inside of one call; after it returned, nothing of the
 *   batch is under way any more.
 * - Errors are for people: no payload, no header values, no secrets, no address that may hold one.
 *
 * @par Thread safety
 * One relay uses one publisher from one thread.
 */
class ONCE_EXPORT publisher {
public:
    publisher() = default;
    virtual ~publisher();
    publisher(publisher const&) = delete;
    publisher(publisher&&) = delete;
    publisher& operator=(publisher const&) = delete;
    publisher& operator=(publisher&&) = delete;

    /// Sends the messages, in order within each key, and waits for the answers.
    /**
     * @param messages at least one
     * @param deadline lies within the lease of the relay: past it, another relay may be sending
     *
     * An exception is judged like a report that is unavailable, with its text as the reason and nothing accepted: if
     * it is thrown for one message, that one is found and parked, and the others flow. std::bad_alloc and
     * std::length_error say that there were too many: the next call gets fewer.
     */
    [[nodiscard]] virtual publish_report publish(std::span<delivery const> messages,
                                                 std::chrono::steady_clock::time_point deadline) = 0;
};

} // namespace once
