// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <cstdlib>
#include <optional>
#include <string>

namespace once::command {

/// A variable of the environment; nothing when it is not set, or empty.
[[nodiscard]] inline std::optional<std::string> variable(std::string const& name) {
    char const* const value = std::getenv(name.c_str()); // NOLINT(concurrency-mt-unsafe)
    return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>{value};
}

} // namespace once::command
