// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/relay.hpp>

#include "delivery/batch_progress.hpp"
#include "delivery/batch_reader.hpp"
#include "delivery/dispatcher.hpp"

#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace once::detail {

/// Longest pause before an unavailable receiver is asked again: doubles up to the cap, between half and all of it.
/// @param times  how often in a row it was unavailable, from 1
/// @param random 64 uniformly random bits
[[nodiscard]] std::chrono::milliseconds pause_before_asking_again(relay_options const& options, int times,
                                                                  std::uint64_t random) noexcept;

/// What `once::relay` does.
class relay_worker {
public:
    relay_worker(database& db, std::string subscription, publisher& publisher, relay_options options);
    ~relay_worker() { m_reader.release(); }
    relay_worker(relay_worker const&) = delete;
    relay_worker(relay_worker&&) = delete;
    relay_worker& operator=(relay_worker const&) = delete;
    relay_worker& operator=(relay_worker&&) = delete;

    relay_summary once();
    relay_summary round(std::stop_token const& stop);
    relay_summary run(std::stop_token const& stop);

private:
    using kind = dispatcher::kind;

    /// Parked messages that are due. What has to wait for evidence from new ones is left in the batch, in doubt.
    [[nodiscard]] batch_progress deliver_parked(relay_summary& summary, std::stop_token const& stop);
    /// @return whether all of it was accepted
    bool settle_parked(batch_progress& batch, relay_summary& summary);
    [[nodiscard]] bool parked_may_go();
    void rest_from_parked(std::chrono::steady_clock::duration took, bool all_accepted);
    /// @return whether it is in doubt at the end
    bool deliver_batch(relay_summary& summary, std::stop_token const& stop, bool in_doubt);
    void acknowledge_batch(batch_progress const& batch, std::size_t behind, relay_summary& summary,
                           std::stop_token const& stop);
    void deliver(kind what, batch_progress& batch, relay_summary& summary, std::stop_token const& stop);
    [[nodiscard]] dispatcher::call publish(std::span<delivery const> messages, relay_summary& summary);
    void conclude(relay_summary& summary, bool in_doubt);

    relay_summary turn(std::stop_token const& stop);
    void note_success();
    void pause_unavailable(relay_summary const& summary, std::stop_token const& stop);
    void recover(std::exception const& e, std::stop_token const& stop);
    void log_once(std::string_view what);
    void log(std::string_view line) const noexcept;

    relay_options m_options;
    std::string m_subscription;
    publisher& m_publisher;
    connection_pool& m_pool;
    batch_reader m_reader;
    std::chrono::steady_clock::time_point m_parked_rest_until{};
    std::size_t m_most_parked;
    dispatcher m_dispatcher;
    // Of this round: the last call that got nothing out, and whether the receiver asked to be left alone.
    std::string m_trouble;
    std::optional<std::chrono::milliseconds> m_retry_after;
    bool m_asked_to_pause = false;
    bool m_was_stuck = false;
    int m_unavailable_times = 0;
    int m_failures = 0;
    std::string m_last_line;
};

} // namespace once::detail
