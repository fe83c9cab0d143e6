// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string>

namespace once::command {

/// Reads a connection string as an operator may give it on a command line or in a file that others may read.
/// @param option where it was given, for the error
/// @throws std::invalid_argument when it holds a password, or libpq does not understand it; neither is shown
void refuse_password(std::string const& conninfo, std::string const& option = "--database");

/// The connection string with `keyword` set, where neither it nor libpq's own `variable` (may be null) says it already.
/// Returns one that libpq does not understand as it is: the attempt to connect says so.
[[nodiscard]] std::string with_default(std::string const& conninfo, std::string const& keyword,
                                       char const* variable, std::string const& value);

/// The connection string with `keyword` set to `value`, whatever it says. One that libpq does not understand stays
/// as it is.
[[nodiscard]] std::string with_setting(std::string const& conninfo, std::string const& keyword,
                                       std::string const& value);

/// Where a connection string leads to, for people: host, port, dbname and user, as libpq's environment and defaults
/// complete it. Never a password.
[[nodiscard]] std::string place_of(std::string const& conninfo);

/// A word as a shell takes it back.
[[nodiscard]] std::string shell_quoted(std::string const& word);

} // namespace once::command
