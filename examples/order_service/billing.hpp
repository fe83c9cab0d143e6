// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/database.hpp>
#include <once/message.hpp>
#include <once/transaction.hpp>

#include <functional>
#include <stop_token>

/** @file
 * The billing service: it shares the database with the order service, and writes a ledger of what orders cost.
 */
namespace billing {

/// What a note in an order costs.
inline constexpr int cents_of_a_note = 5;

/// Makes the subscription; again at each start, which changes nothing.
void subscribe(once::database& db);

/// Posts what a message says to the ledger.
void post(once::delivery const& message, once::transaction& tx);

/// Receives messages until a stop is requested. Start it as often as you like: one works, the others stand by.
/// @param handle `post`
void run(once::database& db, std::function<void(once::delivery const&, once::transaction&)> handle,
         std::stop_token const& stop);

} // namespace billing
