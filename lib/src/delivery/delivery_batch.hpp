// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/message.hpp>
#include <once/statement.hpp>

#include "sql/outbox_statements.hpp"
#include "wire/pg_result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace once::detail {

/// What next_batch() handed out.
struct delivery_batch {
    /// To be delivered, in order. The relay may have moved them out.
    std::vector<delivery> messages{};
    /// Their positions, which stay.
    std::vector<std::int64_t> positions{};
    /// Positions of messages that must be parked, because an earlier one of their key is.
    std::vector<std::int64_t> behind{};
    /// What acknowledge() takes, as text. Only the server takes it apart.
    std::string token{};
    /// Counts the batches of the slice.
    std::int64_t number = 0;
    /// Of the server that it was read on.
    std::int64_t timeline = 0;
    /// Position of the last one, of either kind.
    std::int64_t last_position = 0;
    /// There may be more: acknowledge() has to be told how far it went.
    bool full = false;
    /// Of an empty one: acknowledging it saves later ones a longer way.
    bool worth_acknowledging = false;

    [[nodiscard]] bool empty() const noexcept { return positions.empty() && behind.empty(); }
};

/// Reads the rows of next_batch.
[[nodiscard]] delivery_batch read_batch(pg_result const& answer);

/// Reads the rows of take_parked: in order, and of one key more than one when they were never tried.
[[nodiscard]] std::vector<delivery> read_parked(pg_result const& answer);

/// How a message is parked.
enum class parked_as {
    /// An attempt failed.
    retry,
    /// It was rejected.
    dead,
    /// It was not tried; an earlier message of its key is parked.
    behind,
    /// It may have ended the worker that had it.
    suspect,
};

struct parked_entry {
    std::int64_t position = 0;
    parked_as as = parked_as::retry;
    std::string error{};
};

/// How far a batch was carried.
struct progress {
    /// Up to this position; empty: the whole batch.
    std::optional<std::int64_t> up_to{};
    /// Messages up to there that could not be delivered. Those of `behind` come by themselves.
    std::vector<parked_entry> parked{};
};

/// The statement that moves the slice past the batch. Run by another reader before, it raises ON065.
[[nodiscard]] statement acknowledgement(sql::outbox_statements const& texts, std::string const& subscription,
                                        int slice, delivery_batch const& batch, progress const& made,
                                        bool durable);

/// What came of an attempt with a parked message.
enum class settled_as { accepted, retry, rejected, unavailable };

struct settlement {
    std::int64_t position = 0;
    message_id id;
    settled_as as = settled_as::accepted;
    std::string error{};
    std::optional<std::chrono::milliseconds> retry_after{};
};

/// The statement that reports attempts with parked messages.
[[nodiscard]] statement settlement_report(sql::outbox_statements const& texts,
                                          std::string const& subscription, int slice,
                                          std::vector<settlement> const& settled);

} // namespace once::detail
