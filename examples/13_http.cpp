// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// HTTP without a framework: a parsed request goes in, a response comes out.
//
//     ./13_http "dbname=shop"
#include <once/http.hpp>
#include <once/once.hpp>

#include "own_schema.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/pqxx>

#include <iostream>

// [region: example]
once::response place_order(once::database& db, once::http::request const& request) {
    return once::http::execute(db, request, [&](once::transaction& tx) -> once::response {
        auto const wanted = nlohmann::json::parse(request.body, nullptr, false);
        if (!wanted.is_object() || !wanted.contains("item") || !wanted["item"].is_string()) {
            return {.status = 400,
                    .body = nlohmann::json{{"title", "item is missing"}}}; // rolled back, not kept
        }
        auto const number = tx.query_value<std::string>(
            "insert into web_order (customer, item) values ($1, $2) returning 'A-' || id",
            pqxx::params{request.principal, wanted["item"].get<std::string>()});
        return {.status = 201,
                .headers = {{"Location", "/orders/" + number}},
                .body = nlohmann::json{{"order", number}}};
    });
}
// [endregion]

namespace {

void show(once::response const& answer) {
    std::cout << answer.status;
    for (auto const& [name, value] : answer.headers) {
        std::cout << " | " << name << ": " << value;
    }
    std::cout << "\n    " << answer.body.data() << '\n';
}

} // namespace

int main(int argc, char** argv) try {
    once::database db{in_own_schema(argc > 1 ? argv[1] : "", "13")};
    once::transact(db, [](once::transaction& tx) {
        tx.exec("create table if not exists web_order "
                "(id bigint generated always as identity, customer text, item text)");
    }).expect_committed();

    // [region: request]
    once::http::request request{
        .method = "POST",
        .target = "/orders",
        .headers = {{"Content-Type", "application/json"},
                    {"Idempotency-Key", R"("8e03978e-40d5-43dd-bc93-6894a57f9324")"}},
        .body = R"({"item": "tea"})",
        .principal = "customer:17", // from the authentication, never from the request
    };
    // [endregion]
    auto const first = place_order(db, request);
    auto const again = place_order(db, request);
    request.body = R"({"item": "coffee"})";
    auto const reused = place_order(db, request);
    request.principal = "customer:18";
    auto const foreign = place_order(db, request);
    request.headers[1].second = "8e03978e-40d5-43dd-bc93-6894a57f9324";
    auto const bare = place_order(db, request);
    request.headers.pop_back();
    auto const missing = place_order(db, request);
    for (auto const& answer : {first, again, reused, foreign, bare, missing}) {
        show(answer);
    }

    bool const fine = first.status == 201 && again.status == 201 && again.body == first.body &&
                      !once::http::header_values(again.headers, "Idempotent-Replayed").empty() &&
                      reused.status == 422 && foreign.status == 201 && foreign.body != first.body &&
                      bare.status == 400 && missing.status == 400;
    return fine ? 0 : 1;
} catch (std::exception const& e) {
    std::cerr << e.what() << '\n';
    return 1;
}
