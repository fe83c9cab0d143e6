// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/execute.hpp>

#include "service.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/pqxx>

namespace shop {

once::request identity(order_request const& asked) {
    return {.scope = "POST /orders " + asked.customer,
            .key = asked.key,
            .fingerprint = once::fingerprint{"POST /orders", asked.customer, asked.body}};
}

once::reply place_order(once::database& db, order_request const& asked, once::call_options const& options) {
    auto const wanted = nlohmann::json::parse(asked.body);

    // All of this is one transaction, together with the message and the record of the key. It takes effect once, or not
    // at all.
    return once::execute(
        db, identity(asked),
        [&](once::transaction& tx) {
            order const asked_for{
                .customer = asked.customer,
                .cart = wanted.at("cart"),
                .item = wanted.at("item"),
                .quantity = wanted.at("quantity"),
                .cents = wanted.at("quantity").get<int>() *
                         tx.query_value<std::int64_t>("select price from shop.stock where item = $1",
                                                      pqxx::params{wanted.at("item").get<std::string>()})};
            auto const placed = orders.append(tx, asked_for);
            // Subscribers get it if and only if this order is committed; it travels with COMMIT.
            tx.publish({.topic = "orders.placed",
                        .key = placed.number, // so what happens to one order arrives in order
                        .payload = nlohmann::json{{"number", placed.number},
                                                  {"version", placed.version},
                                                  {"customer", placed.customer},
                                                  {"item", placed.item},
                                                  {"quantity", placed.quantity},
                                                  {"cents", placed.cents}}});
            // Everybody takes from the same few rows: sent with COMMIT, they stay locked for a moment only.
            tx.at_commit({"update shop.stock set remaining = remaining - $1 where item = $2",
                          once::parameters{placed.quantity, placed.item}});

            return once::response{.status = 201,
                                  .headers = {{"Location", "/orders/" + placed.number}},
                                  .body = nlohmann::json{{"number", placed.number},
                                                         {"item", placed.item},
                                                         {"quantity", placed.quantity}}};
        },
        options);
}

} // namespace shop
