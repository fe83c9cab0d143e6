// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/relay.hpp>

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <prometheus/metric_family.h>
#include <string>
#include <vector>

namespace once::command {

/// What a relay has done since it started, by slice.
/**
 * Thread safety: safe.
 */
class relay_numbers {
public:
    explicit relay_numbers(std::string subscription) : m_subscription{std::move(subscription)} {}

    /// A slice is read by this process.
    void begin(int slice);
    void add(int slice, relay_summary const& round);

    struct totals {
        std::size_t accepted = 0;
        std::size_t retry = 0;
        std::size_t rejected = 0;
        std::size_t behind = 0;
        std::size_t overtaken = 0;
        std::chrono::milliseconds published_for{0};
        /// Why the receiver takes nothing at present.
        std::optional<std::string> unavailable{};
        /// Why messages are there and none gets out at present.
        std::optional<std::string> stuck{};
    };
    /// Of all slices.
    [[nodiscard]] totals sum() const;

    [[nodiscard]] std::vector<prometheus::MetricFamily> families() const;

private:
    std::string m_subscription;
    mutable std::mutex m_mutex;
    std::map<int, totals> m_slices;
};

} // namespace once::command
