// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// When the work is known beforehand it travels in one round trip: BEGIN, claim, statements, response, COMMIT.
#include <once/once.hpp>

#include "own_schema.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/pqxx>

#include <iostream>

int main(int argc, char** argv) try {
    once::database db{in_own_schema(argc > 1 ? argv[1] : "", "02")};
    once::transact(db, [](once::transaction& tx) {
        tx.exec("create table if not exists account (name text primary key, balance bigint not null check "
                "(balance >= 0))");
        tx.exec("create table if not exists movement (id bigint generated always as identity, name text, "
                "amount bigint)");
        tx.exec("insert into account values ('alice', 100) on conflict (name) do nothing");
    }).expect_committed();

    auto const withdraw = [&](std::string const& key, long amount) {
        // [region: one round trip]
        return once::execute(
            db,
            {.scope = "withdraw alice", .key = key, .fingerprint = once::fingerprint{std::to_string(amount)}},
            std::vector<once::statement>{
                {"insert into movement (name, amount) values ('alice', -$1::bigint)",
                 once::parameters{amount}},
                // The row of the last statement is the response: {"balance":70}
                {"update account set balance = balance - $1 where name = 'alice' returning balance",
                 once::parameters{amount}},
            });
        // [endregion]
    };

    auto const first = withdraw("w-1", 30);
    auto const repeat = withdraw("w-1", 30);
    std::cout << first.response().body.data() << (first.replayed() ? " replayed\n" : "\n");
    std::cout << repeat.response().body.data() << (repeat.replayed() ? " replayed\n" : "\n");

    bool refused = false;
    try {
        static_cast<void>(
            withdraw("w-2", 1000)); // more than there is: the CHECK fails, nothing stays, the key is free
    } catch (pqxx::check_violation const&) {
        refused = true;
        std::cout << "not enough money: rolled back\n";
    }
    bool const fine = first.as<>().at("balance") == 70 && repeat.replayed() && refused &&
                      repeat.response() == first.response();
    return fine ? 0 : 1;
} catch (std::exception const& e) {
    std::cerr << e.what() << '\n';
    return 1;
}
