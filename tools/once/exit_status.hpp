// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

/// What the command ends with; the manual page lists them, scripts rely on them.
namespace once::command::exit_status {

inline constexpr int ok = 0;
/// Done, and something is not as it should be: pending migrations, differences, dead messages.
inline constexpr int found = 1;
/// The command line is wrong.
inline constexpr int usage = 2;
/// The database cannot be reached.
inline constexpr int unreachable = 3;
/// The database refused: rights, a lock, a schema that does not fit.
inline constexpr int refused = 4;
/// What was named is not there.
inline constexpr int not_found = 5;
/// What was to be said was not taken: the reader of standard output has gone, or its disk is full.
inline constexpr int output_lost = 6;

} // namespace once::command::exit_status
