// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/database.hpp>
#include <once/publisher.hpp>

#include <stop_token>

/** @file
 * The relay: it takes messages out of the database, to a warehouse that is somewhere else.
 */
namespace deliveries {

/// Makes the subscription; again at each start, which changes nothing.
void subscribe(once::database& db);

/// Hands messages on until a stop is requested. Start it as often as you like: one works, the others stand by.
/// @param to once::webhook_publisher
void run(once::database& db, once::publisher& to, std::stop_token const& stop);

} // namespace deliveries
