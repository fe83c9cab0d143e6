// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "output.hpp"
#include "session.hpp"

#include <iosfwd>
#include <optional>
#include <string>

namespace once::command {

/// `status`: one screen.
/// @return 1 when something needs a person: dead messages, a subscription that is not active, a slice without a reader
int status(session& db, format how, std::ostream& out);

/// `why`
/// @return 1 when there is a reason
int explain_stall(session& db, std::optional<std::string> const& subscription,
                  std::optional<std::string> const& service, format how, std::ostream& out);

/// `why --key`
struct key_choice {
    std::optional<std::string> key;
    std::optional<std::string> scope;
    std::optional<std::string> service;
};
/// @return 1 when somebody works on it
int explain_key(session& db, key_choice const& choice, format how, std::ostream& out);

} // namespace once::command
