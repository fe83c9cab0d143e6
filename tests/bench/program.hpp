// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "report.hpp"

#include <functional>

namespace once::bench {

/// Runs the body of a program, and says what went wrong under the program's name.
/// @return the exit status: that of the body; 2 for std::invalid_argument, 1 for any other exception
[[nodiscard]] int run_program(char const* name, std::function<int()> const& body);

/// Whether there is a server to measure, and how to get one where there is none.
/// @param command what the reader should run instead
[[nodiscard]] bool has_server(char const* command);
/// The exit status without a server: ctest counts it as skipped.
inline constexpr int skipped = 4;

/// The targets all together, and the file with the numbers. @return the exit status
[[nodiscard]] int finish(report const& report, arguments const& given);

} // namespace once::bench
