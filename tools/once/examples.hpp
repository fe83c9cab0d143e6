// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <CLI/CLI.hpp>

namespace once::command {

/// Puts examples at the end of the help of every command.
void add_examples(CLI::App& app);

} // namespace once::command
