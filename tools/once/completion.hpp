// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace once::command {

/// A bash function that completes the subcommands and options of `app`, at any depth.
[[nodiscard]] std::string bash_completion(CLI::App const& app);

} // namespace once::command
