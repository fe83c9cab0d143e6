// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "report.hpp"

namespace once::bench {

/// The rate of claims among many records, compared with that among 10 thousand.
void measure_growth(report& report, arguments const& given, std::uint64_t seed);

} // namespace once::bench
