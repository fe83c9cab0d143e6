// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "session.hpp"

#include <iosfwd>
#include <stop_token>

namespace once::command {

/// Reads the command line and runs the command that it names.
/**
 * @param out results; what it leads to is said by set_screen (screen.hpp)
 * @param err what went wrong, and what to do
 * @return the exit status, see exit_status.hpp
 */
int run_command_line(int argc, char const* const* argv, std::stop_token stop, std::ostream& out,
                     std::ostream& err);

} // namespace once::command
