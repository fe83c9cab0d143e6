// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/publisher.hpp>

#include "subscription/delivery_batch.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

namespace once::detail {

/// @throws once::misuse unless there is one answer for each message
void check_answers(publish_report const& report, std::size_t messages);

/// How far a batch has come while it is published in several calls. No I/O.
class batch_progress {
public:
    explicit batch_progress(std::vector<delivery> messages);

    /// Up to `most` messages that may be sent now, in order; none when all have an answer or are behind one that failed.
    [[nodiscard]] std::span<delivery const> next(std::size_t most);

    /// Takes the report on what next() returned; each call of next() is followed by one of take().
    /// @return whether anything has changed: a call without progress must not be repeated at once
    /// @throws once::misuse when a publisher gave too few or too many answers
    bool take(publish_report const& report);

    /// What can be acknowledged now: up to the last message that was settled. Those before it that were not sent are
    /// parked, which costs them no attempt; those after it stay, and come with the next batch. Nothing: none was settled.
    [[nodiscard]] std::optional<progress> settle() const;

    struct counts {
        std::size_t accepted = 0;
        std::size_t retry = 0;
        std::size_t rejected = 0;
    };
    /// Messages that come again no sooner than their receiver asked for, by id.
    [[nodiscard]] std::vector<settlement> const& pauses() const noexcept { return m_pauses; }
    [[nodiscard]] bool empty() const noexcept { return m_messages.empty(); }
    [[nodiscard]] counts const& counted() const noexcept { return m_counted; }

private:
    enum class state : unsigned char { open, accepted, retry, rejected, behind };

    void give_back();
    void take(std::size_t place, publish_answer const& answer);

    std::vector<delivery> m_messages;
    std::vector<state> m_states;
    std::vector<std::string> m_errors;
    std::unordered_set<std::string> m_blocked;
    std::vector<settlement> m_pauses;
    std::size_t m_first_open = 0;
    // Lent to the publisher: where they lie, and those that had to be gathered from between others.
    std::vector<delivery> m_sent;
    std::vector<std::size_t> m_places;
    counts m_counted;
};

} // namespace once::detail
