// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/database.hpp>

#include "daemon.hpp"
#include "event_pipe.hpp"

#include <cstdint>
#include <stop_token>

/** @file
 * The relay, and the warehouse that loses replies. Built without the component once::webhook, both only throw.
 */
namespace demo {

void run_relay(once::database& db, std::uint16_t port, std::stop_token const& stop);

/// Works on each request, and now and then closes the connection without an answer, or answers 503 to begin with.
void run_warehouse(once::database& db, daemon_task const& task, event_pipe& events,
                   std::stop_token const& stop);

} // namespace demo
