// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "output.hpp"
#include "session.hpp"

#include <iosfwd>
#include <optional>

namespace once::command {

/// `migrate up`
struct migrate_up_options {
    std::optional<int> to;
    bool dry_run = false;
    bool create_schema = false;
};
/// `migrate down`
struct migrate_down_options {
    int to = 0;
    bool dry_run = false;
    bool yes = false;
};

/// Each returns the exit status of the command.
int migrate_up(session& db, migrate_up_options const& options, std::ostream& out);
int migrate_down(session& db, migrate_down_options const& options, std::ostream& out);
int migrate_status(session& db, format how, std::ostream& out);
/// Needs no database: the files that are built into the command.
int migrate_print(std::optional<int> from, std::optional<int> to, bool down, std::ostream& out);

} // namespace once::command
