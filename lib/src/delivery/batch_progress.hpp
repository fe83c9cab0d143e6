// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/publisher.hpp>

#include "delivery/delivery_batch.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

namespace once::detail {

/// @throws once::misuse unless there is one answer for each message
void check_answers(publish_report const& report, std::size_t messages);

/// How many messages have an answer of their own.
[[nodiscard]] std::size_t count_answers(publish_report const& report) noexcept;

/// What a call of a publisher has brought.
enum class call_result {
    /// At least one message has an answer of its own.
    progress,
    /// None has, because there were too many for the time: fewer may pass.
    too_much,
    /// None has, and the publisher says that nobody can take anything. That may be true, or one of them is why.
    refused,
};

/// How far a batch has come while it is published in several calls, and whom its failures speak of. No I/O.
/**
 * **The rule of evidence.** When a call was refused and nothing was accepted, the batch is *in doubt*: the receiver
 * may be unavailable, or one of those messages makes it seem so. Then up to `most_witnesses` messages are sent alone,
 * each of another key, chosen by chance from the whole batch.
 * - One of them is accepted: the receiver is there. Whatever was refused by itself meanwhile is suspect, and sent once
 *   more. Refused again it is to blame, and its attempt counts: refused twice, and others were accepted in between.
 * - None is, or there is no other key: the batch stays in doubt, nobody is blamed, and the caller decides (see
 *   dispatcher).
 */
class batch_progress {
public:
    static constexpr int most_witnesses = 5;

    /// @param random   chooses the witnesses
    /// @param in_doubt the receiver took nothing last time: so witnesses come first
    explicit batch_progress(std::vector<delivery> messages, std::uint64_t random = 0, bool in_doubt = false);

    /// Up to `most` messages that may be sent now, in order, or one witness; none when all have an answer or are
    /// behind one that failed, or when there is no further witness.
    [[nodiscard]] std::span<delivery const> next(std::size_t most);

    /// Takes the report on what next() returned; each call of next() is followed by one of take().
    /// @param time_is_up whether the call ended because its time did, or its memory
    /// @throws once::misuse when a publisher gave too few or too many answers
    call_result take(publish_report const& report, bool time_is_up = false);

    /// Whether nobody knows if the receiver is there.
    [[nodiscard]] bool in_doubt() const noexcept { return m_doubt.has_value(); }
    /// Whether what next() returned is neither a witness nor a suspect.
    [[nodiscard]] bool goes_in_order() const noexcept { return !m_doubt && !m_is_retrial; }
    /// Whether the last refused call said of none of its messages that it was why.
    [[nodiscard]] bool nobody_named() const noexcept { return m_doubt && m_doubt->held.empty(); }
    /// Somebody else's message was accepted meanwhile: ends the doubt.
    void receiver_is_there();

    /// What was refused by itself since the receiver was last seen, and may be why.
    [[nodiscard]] std::vector<message_id> suspects() const;
    /// Blames one of them.
    void blame(message_id const& whom);
    /// Parks all that is left, without an attempt.
    void set_aside();

    /// What can be acknowledged now: up to the last message that was settled. Those before it that were not sent are
    /// parked, which costs them no attempt; those after it stay, and come with the next batch. Nothing: none was
    /// settled.
    [[nodiscard]] std::optional<progress> settle() const;
    /// The same for messages that were parked before: what came of each.
    [[nodiscard]] std::vector<settlement> settlements() const;

    struct counts {
        std::size_t accepted = 0;
        std::size_t retry = 0;
        std::size_t rejected = 0;
    };
    /// Messages that come again no sooner than their receiver asked for, by id.
    [[nodiscard]] std::vector<settlement> const& pauses() const noexcept { return m_pauses; }
    [[nodiscard]] bool empty() const noexcept { return m_messages.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return m_messages.size(); }
    [[nodiscard]] counts const& counted() const noexcept { return m_counted; }

private:
    /// held: refused by itself, and nobody knows yet whose fault that was.
    enum class state : unsigned char { open, held, accepted, retry, rejected, behind };
    struct suspect {
        std::size_t place;
        /// The report said of it that it was refused; else it was sent alone.
        bool named;
    };
    struct doubt {
        std::vector<suspect> held{};
        int witnesses_left = most_witnesses;
        /// It began here, with a call that was refused; else the receiver was in doubt before.
        bool is_new = true;
    };

    [[nodiscard]] std::span<delivery const> next_in_order(std::size_t most);
    [[nodiscard]] std::span<delivery const> next_witness();
    [[nodiscard]] std::span<delivery const> next_suspects(std::size_t most);
    [[nodiscard]] bool all_open(std::size_t end) const;
    void lend(std::size_t place);
    void give_back();
    void take(std::size_t place, publish_answer const& answer);
    void refused(std::vector<std::size_t> const& places, publish_report const& report);
    call_result take_retrial(std::vector<std::size_t> const& places, publish_report const& report);
    void hold(std::size_t place, bool named, publish_answer const& answer, publish_report const& report);
    [[nodiscard]] state settled_state(std::size_t place) const;

    std::vector<delivery> m_messages;
    std::vector<state> m_states;
    std::vector<std::string> m_errors;
    std::vector<std::optional<std::chrono::milliseconds>> m_retry_after;
    std::unordered_set<std::string> m_blocked;
    std::vector<settlement> m_pauses;
    std::size_t m_first_open = 0;
    // Lent to the publisher: where they lie, and those that had to be gathered from between others.
    std::vector<delivery> m_sent;
    std::vector<std::size_t> m_places;
    counts m_counted;
    std::uint64_t m_random;
    std::optional<doubt> m_doubt;
    // Refused by themselves before the receiver was seen; they are sent once more.
    std::vector<suspect> m_suspects;
    bool m_is_retrial = false;
};

} // namespace once::detail
