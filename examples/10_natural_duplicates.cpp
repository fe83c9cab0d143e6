// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// Duplicates that a key cannot tell: two clicks with two keys, a second vote, a redelivery after the memory is gone.
//
//     ./10_natural_duplicates "dbname=shop"
#include <once/once.hpp>

#include "own_schema.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/pqxx>

#include <iostream>
#include <tuple>

namespace {

once::request click(std::string key, std::string const& item) {
    return {.scope = "POST /orders alice", .key = std::move(key), .fingerprint = once::fingerprint{item}};
}

once::response order(once::transaction& tx, std::string const& item) {
    auto const id =
        tx.query_value<long>("insert into coffee_order (item) values ($1) returning id", pqxx::params{item});
    return {.status = 201, .body = nlohmann::json{{"order", id}}};
}

// [region: natural key]
/// One vote per person and poll, whatever keys come: the table says so.
once::response vote(once::transaction& tx, std::string const& who, std::string const& choice) {
    auto const inserted = tx.exec("insert into vote (poll, who, choice) values ('lunch', $1, $2) "
                                  "on conflict (poll, who) do nothing",
                                  pqxx::params{who, choice})
                              .affected_rows();
    return {.status = inserted == 1 ? 201 : 200, .body = nlohmann::json{{"counted", inserted == 1}}};
}
// [endregion]

} // namespace

// More than 60 lines: one duplicate after the other, as a reader tries them.
int main(int argc, char** argv) try {
    using namespace std::chrono_literals;
    once::database db{in_own_schema(argc > 1 ? argv[1] : "", "10")};
    once::transact(db, [](once::transaction& tx) {
        tx.exec(
            "create table if not exists coffee_order (id bigint generated always as identity, item text)");
        tx.exec(
            "create table if not exists vote (poll text, who text, choice text, primary key (poll, who))");
    }).expect_committed();
    auto const count = [&](std::string const& sql) {
        long made = 0;
        once::transact(db, [&](once::transaction& tx) {
            made = tx.query_value<long>(sql);
        }).expect_committed();
        return made;
    };
    bool fine = true;
    auto const expect = [&](std::string const& what, long is, long wanted) {
        std::cout << what << ": " << is << '\n';
        fine = fine && is == wanted;
    };

    // 1. The client makes a key for each click. Two keys are two requests.
    auto const plain = [](once::transaction& tx) { return order(tx, "tea"); };
    std::ignore = once::execute(db, click("click-1", "tea"), plain);
    std::ignore = once::execute(db, click("click-2", "tea"), plain);
    expect("two clicks with two keys, orders", count("select count(*) from coffee_order"), 2);

    // 2. Nothing about a coffee is unique, so a window guesses: the same question within 10 seconds is the same order.
    // [region: window]
    auto const order_coffee = [&](std::string const& key) {
        auto const request = click(key, "coffee");
        return once::execute(db, request, once::per_window(request, 10s, [](once::transaction& tx) {
                                 return order(tx, "coffee");
                             }));
    };
    auto const first = order_coffee("click-3");
    auto const second = order_coffee("click-4"); // another key: gets the answer of the first
    // [endregion]
    fine = fine && second.response() == first.response();
    expect("two clicks within a window, orders",
           count("select count(*) from coffee_order where item = 'coffee'"), 1);

    // 3. Where something is unique by nature, say so to the database. This one holds for ever, for every client.
    for (auto const* const key : {"vote-1", "vote-2", "vote-3"}) {
        auto const reply =
            once::execute(db, {.scope = "POST /votes alice", .key = key, .fingerprint = once::no_fingerprint},
                          [](once::transaction& tx) { return vote(tx, "alice", "soup"); });
        std::cout << key << ' ' << reply.response().body.data() << '\n';
    }
    expect("votes of alice", count("select count(*) from vote where who = 'alice'"), 1);

    // 4. A redelivery after the inbox has forgotten. With the time it was sent, it is not taken for a new message.
    // [region: too old]
    once::inbox const inbox{"kitchen", {.retention = 24h}};
    once::incoming const old{.id = once::message_id::random(),
                             .fingerprint = once::no_fingerprint,
                             .sent_at = std::chrono::system_clock::now() - 48h};
    once::transact(db, [&](once::transaction& tx) {
        auto const receipt = inbox.receive(tx, old); // too_old: put it aside for a person
        fine = fine && receipt == once::receipt::too_old;
        std::cout << "a message of the day before yesterday: " << to_string(receipt) << '\n';
    }).expect_committed();
    // [endregion]
    return fine ? 0 : 1;
} catch (std::exception const& e) {
    std::cerr << e.what() << '\n';
    return 1;
}
