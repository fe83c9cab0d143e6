// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

namespace once::bench {

/// Reads the messages of a subscription by a relay; what it says: see peers/reader.
/// @param gather reader_options::gather, where it is not the default
/// @return the exit status
int read_messages(std::string const& dsn, std::string const& subscription, std::size_t total, int batch,
                  std::optional<std::chrono::milliseconds> gather);

/// Makes requests through `execute`; what it says: see peers/caller.
/// @return the exit status
int answer_requests(std::string const& dsn);

/// What this process has used until now.
[[nodiscard]] double cpu_seconds();

} // namespace once::bench
