// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "output.hpp"
#include "session.hpp"

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace once::command {

/// `grant`
struct grant_options {
    /// A login role that is there.
    std::string role;
    /// producer, consumer, inspector, administrator
    std::vector<std::string> kinds;
    /// The service that the role acts for; nothing: that of its own name.
    std::optional<std::string> service;
    /// Runs the SQL; else it is printed only.
    bool apply = false;
};

/// Prints the SQL that gives a role what it needs; with `apply` it also runs it.
/// @throws not_found when there is no such role, or the schema has no group roles yet
int grant(session& db, grant_options const& options, format how, std::ostream& out);

} // namespace once::command
