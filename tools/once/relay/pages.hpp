// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "http/http_server.hpp"
#include "relay/numbers.hpp"
#include "session.hpp"

#include <string>

namespace once::command {

/// What a relay serves.
/**
 * - /metrics: its own numbers, what the view says of its subscription where the role may read it, and once_up
 * - /healthz: 200 while the process lives; a restart would fix nothing that it says about others
 * - /readyz: 200 when the database answers and the receiver takes messages, else 503 and why
 *
 * @param numbers outlives the server
 */
void add_pages(http_server& server, target const& where, std::string const& subscription,
               relay_numbers const& numbers);

} // namespace once::command
