// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// A request that arrives twice takes effect once, and the repeat gets the first answer.
//
//     ./01_execute "dbname=shop"       the schema "once" must be there, see docs/operations.md
#include <once/once.hpp>

#include "own_schema.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/pqxx>

#include <iostream>

// [region: example]
int place_order(once::database& db, std::string const& key, std::string const& body) {
    auto const wanted = nlohmann::json::parse(body);

    auto const reply =
        once::execute(db, {.scope = "POST /orders alice", .key = key, .fingerprint = once::fingerprint{body}},
                      [&](once::transaction& tx) -> once::response {
                          auto const number = tx.query_value<std::string>(
                              "insert into orders (customer, item) values ('alice', $1) returning 'A-' || id",
                              pqxx::params{wanted.at("item").get<std::string>()});
                          return {.status = 201, .body = nlohmann::json{{"order", number}}};
                      });

    switch (reply.outcome()) {
    case once::outcome::done:
    case once::outcome::replayed:
        std::cout << reply.response().status << ' ' << reply.response().body.data()
                  << (reply.replayed() ? "   (the stored answer)\n" : "\n");
        return reply.response().status;
    case once::outcome::in_progress:
        std::cout << "409 the first request is still running\n";
        return 409;
    case once::outcome::key_reused:
        std::cout << "422 this key belongs to another request\n";
        return 422;
    case once::outcome::refused:    // only with a one-time token
    case once::outcome::lease_lost: // only under a lease
    case once::outcome::unknown:
        break;
    }
    std::cout << "503 ask again with the same key\n";
    return 503;
}
// [endregion]

int main(int argc, char** argv) try {
    once::database db{in_own_schema(argc > 1 ? argv[1] : "", "01")};
    once::transact(db, [](once::transaction& tx) {
        tx.exec("create table if not exists orders (id int generated always as identity, customer text, item "
                "text)");
    }).expect_committed();

    bool const as_expected =
        place_order(db, "8c4f", R"({"item": "tea"})") == 201 &&     // takes effect
        place_order(db, "8c4f", R"({"item": "tea"})") == 201 &&     // double click
        place_order(db, "8c4f", R"({"item": "a yacht"})") == 422 && // not the same request
        place_order(db, "9d5a", R"({"item": "tea"})") == 201;       // one more, wanted
    long orders = 0;
    once::transact(db, [&](once::transaction& tx) {
        orders = tx.query_value<long>("select count(*) from orders where customer = 'alice'");
    }).expect_committed();
    std::cout << orders << " orders for 4 requests\n";
    return as_expected && orders == 2 ? 0 : 1;
} catch (std::exception const& e) {
    std::cerr << e.what() << '\n';
    return 1;
}
