// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "report.hpp"

namespace once::bench {

/// What a job leaves behind: bytes of WAL, and dead row versions of idempotency_record.
void measure_storage(report& report, testbed const& bed, int batches, std::uint64_t seed);

} // namespace once::bench
