// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// One-time tokens: issued for a principal and a purpose, redeemed in the transaction that does the work.
//
//     ./06_token "dbname=shop"
#include <once/once.hpp>

#include "own_schema.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/pqxx>

#include <iostream>
#include <string>

namespace {

// [region: issue]
std::string payment_link(once::database& db, std::string const& user) {
    auto const token =
        once::issue_token(db, {.principal = user, .purpose = "pay", .lifetime = std::chrono::minutes{30}});
    return "https://shop.example/pay?token=" + token;
}
// [endregion]

// [region: redeem]
int pay(once::database& db, std::string const& token, std::string const& logged_in_user) {
    auto const reply =
        once::execute(db,
                      once::redemption{.token = token,
                                       .principal = logged_in_user,
                                       .purpose = "pay",
                                       .fingerprint = once::no_fingerprint}, // the token says it all
                      [&](once::transaction& tx) -> once::response {
                          auto const number =
                              tx.query_value<int>("insert into payment (payer) values ($1) returning number",
                                                  pqxx::params{logged_in_user});
                          return {.status = 201, .body = nlohmann::json{{"payment", number}}};
                      });
    if (reply.refused()) {
        return 403; // unknown, expired, somebody else's: nobody is told which
    }
    return reply.has_response() ? reply.response().status : 503; // a repeat gets the stored response
}
// [endregion]

} // namespace

int main(int argc, char** argv) try {
    auto const conninfo = in_own_schema(argc > 1 ? argv[1] : "", "06");
    pqxx::connection connection{conninfo};
    pqxx::nontransaction sql{connection};
    sql.exec("create table if not exists payment (number integer generated always as identity, payer text)");
    sql.exec("truncate payment");

    once::database db{conninfo};
    auto const link = payment_link(db, "alice");
    auto const token = link.substr(link.find('=') + 1);
    bool const fine = pay(db, token, "bob") == 403 &&       // the link was forwarded
                      pay(db, token, "alice") == 201 &&     // takes effect
                      pay(db, token, "alice") == 201 &&     // clicked twice: the stored response
                      pay(db, token + "x", "alice") == 403; // made up
    auto const payments = sql.query_value<int>("select count(*) from payment");
    std::cout << payments << " payment\n";
    return fine && payments == 1 ? 0 : 1;
} catch (std::exception const& e) {
    std::cerr << e.what() << '\n';
    return 1;
}
