// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/export.hpp>
#include <once/message.hpp>

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace once {

/// What a receiver said to one message.
enum class publish_result {
    /// It has it, durably.
    accepted,
    /// Not now: the message is parked and comes again, later ones of its key wait behind it.
    retry,
    /// Never: the message is dead until a person decides.
    rejected,
    /// Not sent, because an earlier message of its key in this batch was not accepted.
    not_sent,
};

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
    /// One for each message, in their order; empty when the receiver is unavailable.
    std::vector<publish_answer> answers{};
    /// Set when nobody can take anything at present (no connection, 503): the whole batch comes again, and no attempt is
    /// counted. Says why.
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
 *   message again, with the same id, and must detect that.
 * - `publish` returns by `deadline`; what has not been answered until then is `retry`.
 * - It does not change the messages, and sends each with its id.
 * - It may batch, pipeline and wait for many answers at a time inside of one call; after it returned, nothing of the
 *   batch is under way any more.
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
     * An exception counts as unavailable, with its text as the reason.
     */
    [[nodiscard]] virtual publish_report publish(std::span<delivery const> messages,
                                                 std::chrono::steady_clock::time_point deadline) = 0;
};

} // namespace once
