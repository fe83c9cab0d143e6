// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace demo {

struct play_options {
    std::string server_dsn{};
    std::uint64_t seed = 0;
    std::chrono::seconds length{10};
};

/// Plays the demonstration; the exit code of the program.
int play(play_options const& options);

} // namespace demo
