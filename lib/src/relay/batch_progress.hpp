// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/publisher.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace once::detail {

/// How a parked message is to be parked; the words of park() in SQL.
enum class parked_as { retry, dead, behind };
[[nodiscard]] std::string_view to_string(parked_as value) noexcept;

struct parking {
    std::int64_t id;
    parked_as as;
    std::string error;
};

/// What to acknowledge of a batch.
struct acknowledgement {
    /// How many messages from the beginning are done: accepted, or in `parked`.
    std::size_t done = 0;
    std::vector<parking> parked{};
};

/// How far a batch has come while it is published in several calls. No I/O.
class batch_progress {
public:
    /// @param blocked for each message, whether an earlier one of its key is parked already
    batch_progress(std::vector<delivery> messages, std::vector<bool> const& blocked);

    /// Up to `most` messages that may be sent now, in order; none when all have an answer or are behind one that failed.
    [[nodiscard]] std::span<delivery const> next(std::size_t most);

    /// Takes the report on what next() returned; each call of next() is followed by one of take().
    /// @return whether anything has changed: a call without progress must not be repeated at once
    /// @throws once::misuse when a publisher gave too few or too many answers
    bool take(publish_report const& report);

    /// What can be acknowledged now: up to the last message that was settled. Those before it that were not sent are
    /// parked, which costs them no attempt; those after it stay, and come with the next batch.
    [[nodiscard]] acknowledgement settle() const;

    [[nodiscard]] std::size_t size() const noexcept { return m_messages.size(); }
    [[nodiscard]] std::int64_t id(std::size_t place) const { return m_ids[place]; }

    struct counts {
        std::size_t accepted = 0;
        std::size_t retry = 0;
        std::size_t rejected = 0;
    };
    /// Messages that come again no sooner than their receiver asked for, by id.
    [[nodiscard]] std::vector<std::pair<std::int64_t, std::chrono::milliseconds>> const&
    pauses() const noexcept {
        return m_pauses;
    }
    [[nodiscard]] counts const& counted() const noexcept { return m_counted; }

private:
    enum class state : unsigned char { open, accepted, retry, rejected, behind };

    void give_back();

    std::vector<delivery> m_messages;
    std::vector<std::int64_t> m_ids;
    std::vector<state> m_states;
    std::vector<std::string> m_errors;
    std::unordered_set<std::string> m_blocked;
    std::vector<std::pair<std::int64_t, std::chrono::milliseconds>> m_pauses;
    std::size_t m_first_open = 0;
    // Lent to the publisher, and where they belong.
    std::vector<delivery> m_sent;
    std::vector<std::size_t> m_places;
    counts m_counted;
};

} // namespace once::detail
