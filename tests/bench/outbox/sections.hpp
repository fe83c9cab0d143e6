// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "bed.hpp"
#include "cost.hpp"

/** @file
 * What is measured, one function for each part of the page. Each has a database of its own.
 */
namespace once::bench {

/// A million messages in one transaction, beside COPY of the same rows.
void measure_bulk(report& report, sizes const& sizes);
/// Writers at full speed, each message in a transaction of its own: what a reader costs them, and what waking it does.
void measure_writers(report& report, sizes const& sizes);
/// A backlog drained, beside others.
void measure_drain(report& report, sizes const& sizes);
/// Drain rate against the size of the backlog.
void measure_backlogs(report& report, sizes const& sizes);
/// Full load while another session holds an old snapshot.
void measure_old_snapshot(report& report, sizes const& sizes);
/// From before publish() to the publisher of a relay.
void measure_latency(report& report, sizes const& sizes);

/// All of the outbox by one relay for each slice.
[[nodiscard]] cost drain(std::string const& dsn, int batch, int slices, std::int64_t expected);

} // namespace once::bench
