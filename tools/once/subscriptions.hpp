// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "output.hpp"
#include "session.hpp"

#include <iosfwd>
#include <optional>
#include <string>

namespace once::command {

/// Which subscription; without a service the one of that name.
struct subscription_choice {
    std::string name;
    std::optional<std::string> service;
};

/// `subscription list`
int subscription_list(session& db, std::optional<std::string> const& service, format how, std::ostream& out);
/// `subscription pause`. One that is paused already is no error.
int subscription_pause(session& db, subscription_choice const& choice, format how, std::ostream& out);
/// `subscription resume`: one that is paused, or has expired.
int subscription_resume(session& db, subscription_choice const& choice, format how, std::ostream& out);
/// `subscription drop`
/// @throws std::invalid_argument without `yes`, saying what would be lost
int subscription_drop(session& db, subscription_choice const& choice, bool yes, format how,
                      std::ostream& out);

} // namespace once::command
