// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <cstdint>

namespace once::testing {

/// Where every random choice of a test begins; the same for the whole process.
/**
 * From the environment variable ONCE_SEED, otherwise random. A failing test prints it.
 * @par Throws std::invalid_argument when ONCE_SEED is not a number.
 */
[[nodiscard]] std::uint64_t seed();

} // namespace once::testing
