// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "database/connection_pool.hpp"
#include "wire/pg_result.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

namespace once::detail {

/// Names what failed without the server's message, which may quote data.
[[nodiscard]] std::string describe(pg_result const& failed);

/// For messages of a transaction that was given up.
[[nodiscard]] std::string too_slow(std::size_t messages, std::chrono::steady_clock::duration allowed,
                                   std::size_t next);

/// Asks the server to plan a statement made by sql::with_message, with nulls. It says whether the statement, its
/// names and the rights are right, runs nothing, and its text can show no data.
/// @return what it says against it
[[nodiscard]] std::optional<std::string> refusal_of(connection_pool& pool, std::string const& sql,
                                                    std::chrono::steady_clock::time_point deadline);

} // namespace once::detail
