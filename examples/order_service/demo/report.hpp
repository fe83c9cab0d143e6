// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "daemons.hpp"
#include "faults.hpp"
#include "tally.hpp"
#include "workers.hpp"

#include <string>

namespace demo {

/// What the clients were told, by kind of request.
void print_requests(tally const& heard, std::string const& dsn);

/// What became of the messages, at billing and at the warehouse.
void print_messages(std::string const& dsn, bool with_warehouse);

/// What was done to all of them.
void print_faults(workers const& clients, daemons const& services, faults const& network);

} // namespace demo
