// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/consumer.hpp>

#include "delivery/batch_reader.hpp"
#include "judgement/failure.hpp"
#include "request/call.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

namespace once::detail {

/// Where the handler is among the messages that it was given.
struct handler_place {
    std::stop_token stop;
    /// How many are done.
    std::size_t at = 0;
    /// Whether an exception would be about message `at`; else it is about one of all.
    bool knows = false;
    bool inside = false;
};

using run_handler = std::function<void(std::span<delivery const>, transaction&, handler_place&)>;

/// The loop of a consumer.
class consumer_worker {
public:
    consumer_worker(database& db, std::string subscription, run_handler handle,
                    consumer_options const& options);
    ~consumer_worker() { m_reader.release(); }
    consumer_worker(consumer_worker const&) = delete;
    consumer_worker(consumer_worker&&) = delete;
    consumer_worker& operator=(consumer_worker const&) = delete;
    consumer_worker& operator=(consumer_worker&&) = delete;

    consumer_summary run_once(std::stop_token const& stop);
    consumer_summary run(std::stop_token const& stop);

private:
    /// A message that failed, in front of which a batch has to end.
    struct stumble {
        std::size_t at = 0;
        parked_as as = parked_as::retry;
        std::string why{};
    };

    /// How a transaction ended.
    struct ending {
        bool committed = false;
        /// Messages that took effect.
        std::size_t handled = 0;
        fault what = fault::message;
        std::string why{};
        handler_place place{};
    };

    /// How much of a batch is tried, and what stands behind it.
    struct part {
        std::size_t end = 0;
        std::optional<stumble> failed{};
    };

    /// What became of messages that were carried together.
    enum class fate {
        /// As many took effect, and it is reported.
        committed,
        /// Nothing is reported: there is none, or the first one has failed.
        failed,
        /// A stop was requested before anything took effect.
        stopped,
        /// Another reader is at work.
        lost
    };
    struct carried {
        fate how = fate::committed;
        std::size_t handled = 0;
        /// Which one failed, behind all that took effect.
        std::optional<stumble> failed{};
    };
    /// The statements that report how many took effect and which one then failed.
    using report = std::function<std::vector<statement>(std::size_t, std::optional<stumble> const&)>;

    /// As many of the messages as take effect before one fails, in one transaction with the report.
    carried carry(std::span<delivery const> all, std::stop_token const& stop, report const& statements);

    /// One transaction: the handler for these messages, then the statements that `close` makes of how many it did.
    ending attempt(std::span<delivery const> messages, std::stop_token const& stop, int number,
                   std::function<std::vector<statement>(std::size_t)> const& close);
    ending attempt_with_retries(std::span<delivery const> messages, std::stop_token const& stop,
                                std::function<std::vector<statement>(std::size_t)> const& close);

    void handle_parked(std::stop_token const& stop, consumer_summary& summary);
    void handle_run(std::span<delivery const> run, std::stop_token const& stop, consumer_summary& summary);
    void handle_batch(std::stop_token const& stop, consumer_summary& summary);
    void make_smaller(part& to_do, ending const& ended);
    void note_handled(std::size_t handled) noexcept;
    void count(delivery_batch const& batch, progress const& made, std::size_t handled,
               consumer_summary& summary);
    [[nodiscard]] progress progress_of(std::span<delivery const> messages, std::size_t handled,
                                       std::optional<stumble> const& failed) const;
    void remember_loss(bool in_handler);
    void log(std::string_view line) const noexcept;
    void pause_after(std::exception const& e, fault what, int failures, std::stop_token const& stop);

    connection_pool& m_pool;
    std::string m_subscription;
    run_handler m_handle;
    consumer_options m_options;
    transaction_options m_transaction;
    batch_reader m_reader;
    // The batch whose handler has lost its connection, and how often in a row.
    std::int64_t m_lossy_batch = 0;
    int m_losses = 0;
    // As many messages can be handled in one transaction before its deadline.
    std::size_t m_most = 1'000'000;
};

} // namespace once::detail
