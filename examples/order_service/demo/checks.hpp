// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "claims.hpp"
#include "tally.hpp"

#include <span>
#include <string>

namespace demo {

/// Puts what the clients were told into the database, next to what is there.
void store_answers(std::string const& dsn, tally const& heard);

/// Asks the database about each claim, and prints what it says.
/// @return how many failed
int run_checks(std::string const& dsn, std::span<claim const> claims);

/// Prints queries for looking at the records, with what they answer now.
void show_records(std::string const& dsn, bool with_warehouse);

} // namespace demo
