// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "support/shell.hpp"

#include <string>
#include <vector>

namespace once::testing {

/// Names of the files in migrations/ that end with `suffix` (".up.sql", ".down.sql"), in order.
[[nodiscard]] std::vector<std::string> migration_names(std::string const& suffix);

/// The full path of one of them.
[[nodiscard]] std::string migration_path(std::string const& name);

/// All bytes of one of them.
[[nodiscard]] std::string migration_text(std::string const& name);

/// Creates `schema` and applies all migrations to it.
void migrate(std::string const& dsn, std::string const& schema);

/// Applies a step that might come after the newest one, or takes it back: tests/support/next_migration/.
/**
 * It serves libraries that know the file before it. Applied twice, it is two versions ahead.
 */
[[nodiscard]] shell_result apply_next(std::string const& dsn, std::string const& schema = "once");
[[nodiscard]] shell_result take_back_next(std::string const& dsn, std::string const& schema = "once");

/// Applies one file with psql as the manual says.
/// @param options `-1` for one transaction
[[nodiscard]] shell_result apply_with_psql(std::string const& dsn, std::string const& schema,
                                           std::string const& name, std::string const& options = "-1");

} // namespace once::testing
