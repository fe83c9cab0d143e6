// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/database.hpp>
#include <once/options.hpp>
#include <once/reply.hpp>
#include <once/request.hpp>

#include "tables.hpp"

#include <cstdint>
#include <optional>
#include <string>

/** @file
 * What the order service can do. A web framework would call these functions with what came over HTTP.
 */
namespace shop {

/// POST /orders
struct order_request {
    /// From the session of the customer who is logged in, never from the request.
    std::string customer;
    /// The header Idempotency-Key: the browser makes it once for each cart, and sends it with every repeat.
    std::string key;
    /// JSON: cart, item, quantity.
    std::string body;
};

/// PATCH /orders/NUMBER
struct note_request {
    std::string clerk;
    std::string key;
    std::string number;
    std::string text;
};

/// Names the request for the library: who asks, with which key, and what.
[[nodiscard]] once::request identity(order_request const& asked);
[[nodiscard]] once::request identity(note_request const& asked);

/// Places an order. 201 with its number, now and on every repeat.
[[nodiscard]] once::reply place_order(once::database& db, order_request const& asked,
                                      once::call_options const& options = {});

/// Writes the note into the order as the clerk saw it: 200, or 409 when somebody changed it meanwhile.
[[nodiscard]] once::reply write_note(once::database& db, note_request const& asked, order const& seen,
                                     once::call_options const& options = {});

/// Appends the note to whatever the order is by now: 200.
[[nodiscard]] once::reply append_note(once::database& db, note_request const& asked,
                                      once::call_options const& options = {});

[[nodiscard]] std::optional<order> find_order(once::database& db, std::string const& number,
                                              once::call_options const& options = {});

/// Votes; a second vote of the same voter in the same poll changes nothing.
[[nodiscard]] once::reply cast_vote(once::database& db, vote const& cast,
                                    once::call_options const& options = {});

} // namespace shop
