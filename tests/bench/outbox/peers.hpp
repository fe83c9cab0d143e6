// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "cost.hpp"

#include <cstdint>
#include <string>

namespace once::bench {

/// Whether the server has PgQ; installed by tools/dev/dependencies --pgq.
[[nodiscard]] bool has_pgq(std::string const& dsn);

/// Copies the outbox into a queue of PgQ, one tick for each `batch` events.
void fill_pgq(std::string const& dsn, int batch);
/// All of the queue by one new consumer with libpqxx, one batch per tick, into objects with strings.
[[nodiscard]] cost drain_pgq(std::string const& dsn);

/// DELETE .. SKIP LOCKED .. RETURNING with libpqxx, from a copy of the outbox that is made before the clock starts.
[[nodiscard]] cost drain_by_delete(std::string const& dsn, int batch);

/// COPY of the outbox to this process, which throws the lines away.
[[nodiscard]] cost copy_out(std::string const& dsn);

} // namespace once::bench
