// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// [region: file]
#include <once/once.hpp>

#include "stop_on_signal.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/pqxx>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>

namespace {

/// The invoice and "this message is done" commit together, so each order has one invoice, whatever dies when.
void write_invoice(once::delivery const& message, once::transaction& tx) {
    auto const placed = message.payload.as();
    if (!placed.contains("order")) {
        throw once::message_rejected{"there is no order in it"}; // dead at once, for a person to look at
    }
    tx.exec("insert into shop.invoices (order_id) values ($1::bigint)",
            pqxx::params{placed["order"].get<std::string>()});
}

} // namespace

int main() try {
    auto const stop = stop_on_signal();
    char const* const dsn = std::getenv("SHOP_DATABASE");
    once::database db{dsn != nullptr ? dsn : "dbname=shop",
                      {.log = [](std::string_view line) { std::cerr << "invoices: " << line << '\n'; }}};
    once::consumer invoices{db, "invoices", write_invoice};
    auto const did =
        invoices.run(stop); // until SIGTERM; then what is under way is committed, and the slice is free
    std::cerr << "invoices: " << did.handled << " written\n";
    return 0;
} catch (std::exception const& e) {
    std::cerr << "invoices: " << e.what() << '\n';
    return 1;
}
// [endregion]
