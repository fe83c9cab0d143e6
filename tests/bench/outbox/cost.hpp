// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "../report.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace once::bench {

/// What a piece of work took. CPU hardly moves with what else the machine does; the rate does.
struct cost {
    std::int64_t messages = 0;
    double seconds = 0;
    /// Of this process, all threads.
    double client_cpu = 0;
    /// Of all processes of the server; negative when the server is not on this machine.
    double server_cpu = 0;

    [[nodiscard]] double rate() const noexcept { return static_cast<double>(messages) / seconds; }
};

/// Runs while it exists.
class cost_clock {
public:
    explicit cost_clock(std::string const& dsn);
    [[nodiscard]] cost stop(std::int64_t messages) const;

private:
    int m_postmaster;
    std::chrono::steady_clock::time_point m_begin;
    double m_client_cpu;
    double m_server_cpu;
};

/// One of those that are compared.
struct contestant {
    std::string name;
    std::function<cost()> run;
};

/// What came out, by name, one cost per round.
using costs = std::map<std::string, std::vector<cost>>;

/// Every round runs all contestants next to each other, in reversed order every other round.
[[nodiscard]] costs compete(std::vector<contestant> const& all, int rounds);

/// Median of the ratios of their rates within each round.
[[nodiscard]] double ratio(costs const& measured, std::string const& of, std::string const& to);
[[nodiscard]] double median_rate(costs const& measured, std::string const& name);

/// Prints the table of a section in the order of the contestants, and keeps it in JSON.
void add(report& report, std::string const& section, std::string const& title,
         std::vector<contestant> const& all, costs const& measured);

} // namespace once::bench
