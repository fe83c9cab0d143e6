// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "sample.hpp"

namespace once::bench {

/// Checks that each variant does its job in as many round trips as it says, and only its job.
/// @return how many do not; each is named on standard output
[[nodiscard]] int smoke(testbed const& bed, std::uint64_t seed);

} // namespace once::bench
