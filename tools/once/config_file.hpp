// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <CLI/CLI.hpp>
#include <istream>
#include <string>
#include <vector>

namespace once::command {

/// Lets every command take its settings from a file: TOML or INI, keys named like the options, a section per command.
/**
 * The command line wins over the environment, and that over the file. Unknown keys are errors. ONCE_CONFIG names the
 * file where --config does not.
 */
void add_config_file(CLI::App& app);

/// Gives each option of a command an environment variable: PREFIX and its name in capitals, ONCE_RELAY_BATCH_MESSAGES.
void add_variables(CLI::App& command, std::string const& prefix);

/// What CLI11 says of a file, with what to do about it.
[[nodiscard]] std::string explain_config_error(CLI::Error const& error);

} // namespace once::command
