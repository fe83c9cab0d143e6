// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <cstddef>
#include <string>

namespace once::bench {

/// Reads the messages of a subscription by a relay; what it says: see peers/reader.
/// @return the exit status
int read_messages(std::string const& dsn, std::string const& subscription, std::size_t total, int batch);

/// Makes requests through `execute`; what it says: see peers/caller.
/// @return the exit status
int answer_requests(std::string const& dsn);

/// What this process has used until now.
[[nodiscard]] double cpu_seconds();

} // namespace once::bench
