// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "request.hpp"
#include "verdict.hpp"

#include <chrono>
#include <cstddef>
#include <curl/curl.h>
#include <memory>
#include <string>
#include <vector>

namespace once::webhook {

using time_point = std::chrono::steady_clock::time_point;

/// Requests under way side by side, on connections that stay open for the next batch.
class transfers {
public:
    /// @param options must outlive it
    transfers(std::string url, webhook_options const& options);
    ~transfers();
    transfers(transfers const&) = delete;
    transfers(transfers&&) = delete;
    transfers& operator=(transfers const&) = delete;
    transfers& operator=(transfers&&) = delete;

    [[nodiscard]] std::size_t running() const noexcept { return m_running; }

    /// Begins one; `running()` must be below `webhook_options::parallel`.
    /// @param place comes back with its end
    void start(std::size_t place, request request, time_point deadline);

    struct finished {
        std::size_t place;
        ending how;
    };
    /// Waits until one or more have ended; none when the deadline is there. Sends nothing after the deadline.
    [[nodiscard]] std::vector<finished> wait(time_point deadline);

    /// Drops those that are still running, with their connections.
    /// @return their places
    std::vector<std::size_t> abandon() noexcept;

private:
    struct transfer;

    [[nodiscard]] transfer& free_transfer();
    void configure(transfer& one, time_point deadline);
    [[nodiscard]] ending how_it_ended(transfer& one, CURLcode code) const;

    std::string m_url;
    webhook_options const& m_options;
    CURLM* m_multi;
    std::vector<std::unique_ptr<transfer>> m_transfers;
    std::size_t m_running = 0;
};

} // namespace once::webhook
