// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "delivery/batch_progress.hpp"
#include "judgement/call_size.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

namespace once::detail {

/// Hands messages to a publisher in calls of the right size, and judges the receiver. Knows no database; its time and
/// its publisher are the caller's.
/**
 * A round is: up to two batches (messages that were parked, and new ones), each `begin`, `deliver`, perhaps `deliver`
 * again, `close`; then `end_round`. The rule of evidence within a batch is batch_progress's. Beyond it:
 * - What one batch accepts is evidence for the other.
 * - A batch that ends in doubt, in a round that accepted nothing, means that the receiver is unavailable. The caller
 *   pauses, and the next round begins with witnesses.
 * - Where no other message could be asked: what was refused by itself, then others were accepted, and it was refused by
 *   itself again, is to blame. So a message that ends the receiver each time, or that is alone each time, is found.
 * - A call that was refused without a word about single messages is an eighth of its size next time; each call that
 *   fits doubles it. So what makes a publisher throw is alone soon.
 */
class dispatcher {
public:
    explicit dispatcher(std::size_t most_messages);

    struct call {
        publish_report report{};
        /// Its time was up, or its memory: less may fit.
        bool too_much = false;
    };
    using publish = std::function<call(std::span<delivery const>)>;
    /// Asked after each call.
    using may_go_on = std::function<bool(batch_progress const&)>;

    enum class kind : unsigned char { fresh, parked };
    [[nodiscard]] batch_progress begin(std::vector<delivery> messages, std::uint64_t random) const;
    void deliver(kind what, batch_progress& batch, publish const& publisher, may_go_on const& go_on);
    /// Before what came of a batch is reported: blames whom the history of the receiver speaks against.
    void close(batch_progress& batch);

    /// @return whether the receiver is unavailable
    bool end_round(std::size_t accepted, bool in_doubt);
    /// Whether the receiver took nothing last time.
    [[nodiscard]] bool receiver_is_away() const noexcept { return m_refused_rounds > 0; }
    /// Whether a whole batch that was refused is to be parked, without an attempt, to see what is behind it: now and
    /// then, ever more rarely, because all of it comes back from there when the receiver does.
    [[nodiscard]] bool wants_to_look_behind() const noexcept;

    /// Messages of one call at most, at present.
    [[nodiscard]] std::size_t size(kind what) const noexcept {
        return m_sizes[static_cast<std::size_t>(what)].now();
    }

private:
    std::vector<call_size> m_sizes; // by kind
    std::uint64_t m_accepted = 0;
    unsigned m_refused_rounds = 0;
    // Refused by itself, when so many had been accepted.
    std::map<message_id, std::uint64_t> m_suspects;
};

} // namespace once::detail
