// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace once::bench {

/// What the command line asks for.
struct arguments {
    int rounds = 5;
    std::chrono::duration<double> sample{2.0};
    /// Only this workload, or this variant of all; empty: all.
    std::string only;
    std::string json;
    bool smoke = false;
    bool with_growth = false;
    std::int64_t growth_records = 10'000'000;
    bool enforce = false;
    bool help = false;
};

extern char const* const usage;

/// @throws std::invalid_argument naming the option
[[nodiscard]] arguments parse(int count, char const* const* words);

} // namespace once::bench
