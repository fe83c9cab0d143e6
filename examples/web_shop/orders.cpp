// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "orders.hpp"

#include <once/execute.hpp>

#include <pqxx/pqxx>

#include <algorithm>
#include <charconv>

namespace shop {

order_check check_order(std::string const& item, std::string const& quantity, std::string const& name) {
    constexpr std::size_t longest_name = 100;
    constexpr int most = 99;
    if (std::ranges::find(items, item) == items.end()) {
        return {{}, "Please choose one of the items."};
    }
    int pieces = 0;
    auto const [end, error] = std::from_chars(quantity.data(), quantity.data() + quantity.size(), pieces);
    if (error != std::errc{} || end != quantity.data() + quantity.size() || pieces < 1 || pieces > most) {
        return {{}, "Please give a quantity from 1 to 99."};
    }
    if (name.find_first_not_of(' ') == std::string::npos || name.size() > longest_name ||
        name.find('\0') != std::string::npos) {
        return {{}, "Please give a name of up to 100 letters."};
    }
    return {order_request{item, pieces, name}, {}};
}

std::string place(once::transaction& tx, visitor who, order_request const& asked) {
    return tx.query_value<std::string>("insert into web_shop.orders (visitor, item, quantity, name) values "
                                       "($1, $2, $3, $4) returning number",
                                       pqxx::params{who.id, asked.item, asked.quantity, asked.name});
}

std::vector<order> orders_of(once::database& db, visitor who) {
    std::vector<order> found;
    once::transact(db, [&](once::transaction& tx) {
        found.clear();
        for (auto const& row : tx.exec(
                 "select number, item, quantity, name from web_shop.orders where visitor = $1 order by id",
                 pqxx::params{who.id})) {
            found.push_back({row[0].as<std::string>(), row[1].as<std::string>(), row[2].as<int>(),
                             row[3].as<std::string>()});
        }
    }).expect_committed();
    return found;
}

} // namespace shop
