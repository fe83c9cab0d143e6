// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// Messages that are delivered if and only if their transaction committed: an order service publishes, a billing service
// on the same database consumes, with exactly one effect per message.
//
//     ./11_outbox "dbname=shop"
#include <once/once.hpp>

#include "own_schema.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/pqxx>

#include <chrono>
#include <iostream>
#include <stop_token>
#include <thread>

namespace {

// [region: publish]
int place_order(once::database& db, std::string const& key, std::string const& item, bool in_stock) {
    auto const reply = once::execute(
        db, {.scope = "POST /orders alice", .key = key, .fingerprint = once::fingerprint{item}},
        [&](once::transaction& tx) -> once::response {
            auto const number = tx.query_value<std::string>(
                "insert into orders (item) values ($1) returning 'A-' || id", pqxx::params{item});
            tx.publish({.topic = "example.orders.placed",
                        .key = number, // messages of one order stay in order
                        .payload = nlohmann::json{{"order", number}, {"item", item}}});
            if (!in_stock) {
                return {.status = 503}; // rolled back: no order, no message
            }
            return {.status = 201, .body = nlohmann::json{{"order", number}}};
        });
    return reply.response().status;
}
// [endregion]

// [region: consume]
void write_invoice(once::delivery const& message, once::transaction& tx) {
    auto const placed = message.payload.as();
    if (!placed.contains("order")) {
        throw once::message_rejected{"there is no order in it"}; // dead at once, for a person to look at
    }
    tx.exec("insert into invoice (order_number) values ($1)",
            pqxx::params{placed.at("order").get<std::string>()});
    // Whatever is published here commits with the invoice, too.
    tx.publish({.topic = "example.invoices.written", .key = message.key, .payload = placed});
}

void run_billing(once::database& db, std::stop_token const& stop) {
    once::consumer billing{db, "example-billing", write_invoice};
    auto const did = billing.run(stop); // until a stop is requested
    std::cout << did.handled << " messages handled, " << did.rejected << " rejected\n";
}
// [endregion]

} // namespace

int main(int argc, char** argv) try {
    auto const conninfo = in_own_schema(argc > 1 ? argv[1] : "", "11");
    once::database db{conninfo};
    pqxx::connection connection{conninfo};
    pqxx::nontransaction{connection}.exec(
        "create table if not exists orders (id bigint generated always as identity primary key, item text "
        "not null);"
        "create table if not exists invoice (order_number text primary key)");
    {
        // [region: subscribe]
        pqxx::work tx{connection};
        once::subscribe(tx, "example-billing", {.topics = {"example.orders.*"}});
        tx.commit();
        // [endregion]
    }

    bool fine = place_order(db, "k-1", "tea", true) == 201 && place_order(db, "k-1", "tea", true) == 201 &&
                place_order(db, "k-2", "gold", false) == 503;
    {
        // Somebody else's message, which nobody can make an invoice of.
        pqxx::work tx{connection};
        once::publish(tx,
                      once::message{.topic = "example.orders.placed", .payload = nlohmann::json{{"n", 1}}});
        tx.commit();
    }

    std::stop_source stop;
    std::jthread billing{[&] { run_billing(db, stop.get_token()); }};
    auto const count = [&](char const* sql) {
        return pqxx::nontransaction{connection}.exec(sql)[0][0].as<int>();
    };
    auto const deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (count("select count(*) from invoice") < 1 && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
    stop.request_stop();
    billing.join();

    auto const orders = count("select count(*) from orders");
    auto const invoices = count("select count(*) from invoice");
    std::cout << orders << " order, " << invoices << " invoice for three requests\n";
    return fine && orders == 1 && invoices == 1 ? 0 : 1;
} catch (std::exception const& e) {
    std::cerr << e.what() << '\n';
    return 1;
}
