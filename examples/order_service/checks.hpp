// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "tally.hpp"

#include <string>

namespace demo {

/// Puts what the clients were told into the database, next to what is there.
void store_answers(std::string const& dsn, tally const& heard);

/// Compares the two by SQL, and prints each check.
/// @return how many failed
int run_checks(std::string const& dsn);

/// Prints queries for looking at the records, with what they answer now.
void show_records(std::string const& dsn);

} // namespace demo
