// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// An order service in C++, beside those in other languages: requests, webhooks, tokens and fences.
//
// It reads calls as lines of JSON, as ../README.md describes, and answers each with a line of JSON.
// PGHOST etc. name the server.
#include <once/once.hpp>
#include <once/webhook_publisher.hpp>

#include <nlohmann/json.hpp>
#include <pqxx/pqxx>

#include <cstdlib>
#include <iostream>
#include <string>

namespace {

using nlohmann::json;

json answer_of(once::reply const& reply) {
    json answer{{"outcome", to_string(reply.outcome())}};
    if (reply.has_response()) {
        answer["status"] = reply.response().status;
        answer["body"] = reply.response().body.data();
    }
    return answer;
}

once::response insert_order(once::transaction& tx, std::string const& item) {
    auto const number = tx.query_value<std::string>(
        "insert into orders (customer, item) values ('alice', $1) returning 'A-' || id", pqxx::params{item});
    json const order{{"order", number}};
    tx.publish({.topic = "orders.placed", .key = number, .payload = order});
    return {.status = 201, .body = order};
}

json place_order(once::database& db, std::string const& key, std::string const& item) {
    once::request const asked{
        .scope = "POST /orders alice", .key = key, .fingerprint = once::fingerprint{"POST", "/orders", item}};
    return answer_of(once::execute(db, asked, [&](once::transaction& tx) { return insert_order(tx, item); }));
}

json redeem(once::database& db, std::string const& token, std::string const& item) {
    once::redemption const asked{.token = token,
                                 .principal = "alice",
                                 .purpose = "order",
                                 .fingerprint = once::fingerprint{"POST", "/orders", item}};
    return answer_of(once::execute(db, asked, [&](once::transaction& tx) { return insert_order(tx, item); }));
}

/// A webhook: its signature, its id, and the work, once.
json receive(once::database& db, json const& headers, std::string const& body) {
    std::string const id = headers.at("webhook-id");
    if (!once::verify_webhook({std::getenv("WEBHOOK_SECRET")}, id,
                              headers.at("webhook-timestamp").get<std::string>(), body,
                              headers.at("webhook-signature").get<std::string>())) {
        return {{"status", 401}};
    }
    once::inbox const inbox{"shop"};
    auto receipt = once::receipt::in_progress;
    auto const reply = once::transact(db, [&](once::transaction& tx) {
        receipt = inbox.receive(tx, {.id = once::message_id::parse(id), .fingerprint = once::no_fingerprint});
        if (receipt == once::receipt::fresh) {
            tx.exec("insert into orders (customer, item) values ('webhook', $1)",
                    pqxx::params{json::parse(body).at("item").get<std::string>()});
        }
    });
    bool const known = reply.committed() && receipt != once::receipt::in_progress;
    return {{"status", known ? 204 : 503}, {"receipt", to_string(receipt)}};
}

/// Work under a lease: refused when another process has it by now.
json place_fenced(once::database& db, once::fence const& fence, std::string const& item) {
    auto const reply = once::transact(db,
                                      [&](once::transaction& tx) {
                                          tx.exec("insert into orders (customer, item) values ('batch', $1)",
                                                  pqxx::params{item});
                                      },
                                      {.fence = fence});
    return reply.lease_lost() ? json{{"status", 409}, {"error", "ON010"}}
                              : json{{"status", reply.committed() ? 204 : 503}};
}

json answer(once::database& db, json const& given) {
    auto const text = [&](char const* name) { return given.at(name).get<std::string>(); };
    if (given.at("call") == "order") {
        return place_order(db, text("key"), text("item"));
    }
    if (given.at("call") == "redeem") {
        return redeem(db, text("token"), text("item"));
    }
    if (given.at("call") == "webhook") {
        return receive(db, given.at("headers"), text("body"));
    }
    return place_fenced(db, {text("lease"), given.at("fence").get<std::int64_t>()}, text("item"));
}

} // namespace

int main() try {
    once::database db{""};
    for (std::string line; std::getline(std::cin, line);) {
        std::cout << answer(db, json::parse(line)).dump() << std::endl;
    }
} catch (std::exception const& e) {
    std::cerr << e.what() << '\n';
    return 1;
}
