// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "output.hpp"
#include "session.hpp"

#include <iosfwd>
#include <stop_token>

namespace once::command {

/// `bench`: how much of each thing the library does can this database do?
struct bench_options {
    /// For each job.
    int seconds = 5;
    int connections = 4;
    bool yes = false;
};

/// Works in a schema of its own, and removes it, also when it is stopped.
/**
 * @throws std::invalid_argument without `yes`, saying what it would do
 * @return 1 when it was stopped before it was through
 */
int bench(target const& where, bench_options const& options, format how, std::stop_token const& stop,
          std::ostream& out);

} // namespace once::command
