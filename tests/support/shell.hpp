// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string>

namespace once::testing {

/// `text` as one word of a shell.
[[nodiscard]] std::string shell_quoted(std::string const& text);

/// How a command ended, and what it said on both of its outputs.
struct shell_result {
    int status = 0;
    std::string output;
};

/// Runs a command to its end.
[[nodiscard]] shell_result run_in_shell(std::string const& command);

} // namespace once::testing
