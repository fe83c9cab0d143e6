// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "output.hpp"
#include "session.hpp"

#include <iosfwd>
#include <optional>
#include <string>

namespace once::command {

/// `request show`
struct request_options {
    std::string key;
    std::optional<std::string> scope;
    /// What was answered may be nobody's business; it is shown when it is asked for.
    bool response = false;
};
int request_show(session& db, request_options const& options, format how, std::ostream& out);

/// `parked list`
struct parked_filter {
    std::optional<std::string> subscription;
    std::optional<std::string> service;
    std::optional<std::string> state;
    int limit = 100;
};
int parked_list(session& db, parked_filter const& filter, format how, std::ostream& out);
/// `parked show`
int parked_show(session& db, std::string const& message, bool payload, format how, std::ostream& out);

/// `parked redrive`, `parked discard`
struct parked_choice {
    std::string subscription;
    std::optional<std::string> message;
    std::optional<std::string> service;
};
int parked_redrive(session& db, parked_choice const& choice, format how, std::ostream& out);
int parked_discard(session& db, parked_choice const& choice, format how, std::ostream& out);

} // namespace once::command
