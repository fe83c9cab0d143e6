// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "output.hpp"
#include "session.hpp"

#include <iosfwd>
#include <stop_token>
#include <string>
#include <vector>

namespace once::command {

/// `purge`: whatever has expired, of all services, in bounded transactions until nothing is left.
struct purge_options {
    /// Delivered messages stay for so long (an interval).
    std::string keep = "1 hour";
    /// Leases that nobody has held for so long go.
    std::string unused = "30 days";
    int batch = 10'000;
    /// Names of jobs; empty: all.
    std::vector<std::string> only;
};

/// Names of all jobs, in the order in which they run.
[[nodiscard]] std::vector<std::string> purge_jobs();

/// A job that fails does not keep the others from running. After a stop nothing more is begun.
/// @throws std::runtime_error in the end, with what failed
int purge(session& db, purge_options const& options, format how, std::stop_token const& stop,
          std::ostream& out);

} // namespace once::command
