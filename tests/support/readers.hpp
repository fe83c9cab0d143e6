// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "support/storm.hpp"

#include <cstdint>
#include <string>

namespace once::testing {

/// Reads the way a relay and a consumer do, by turns: small batches, acknowledged in whole or in part.
[[nodiscard]] reader right_reader(std::string subscription, std::uint64_t seed, int slice = 0);

/// The functions of wrong_reader() in the schema `proof`.
void prepare_wrong_readers(session& db);

/// A design that loses messages or breaks their order: "by_id", "by_xid", "early_bound" or "by_time".
[[nodiscard]] reader wrong_reader(std::string design);

} // namespace once::testing
