// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <stop_token>
#include <vector>

namespace once::command {

/// What one connection does again and again. Returns how many jobs the call has done; 0: there is nothing left to do.
using bench_step = std::function<std::size_t()>;

/// What several connections did side by side.
struct measured {
    std::size_t jobs = 0;
    std::chrono::duration<double> took{0};
    /// Of each call, in milliseconds, sorted.
    std::vector<double> milliseconds;

    [[nodiscard]] double per_second() const;
    /// The value that a share of the calls does not exceed (nearest rank); nothing when there were none. Pure.
    /// @param share above 0, up to 1
    [[nodiscard]] std::optional<double> percentile(double share) const;
};

/// Runs each step in a thread of its own: once to warm up, then until the time is up, it is done, or a stop is
/// requested.
/**
 * @param begin called when all are warm and nothing runs, \a end when all have ended
 * @throws what a step threw first; the others are stopped then
 */
[[nodiscard]] measured measure(std::vector<bench_step> const& steps, std::chrono::milliseconds time,
                               std::stop_token const& stop, std::function<void()> const& begin,
                               std::function<void()> const& end);

} // namespace once::command
