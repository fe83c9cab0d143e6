// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// [region: file]
#include <once/http.hpp>
#include <once/once.hpp>

#include "stop_on_signal.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/pqxx>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <functional>
#include <httplib.h>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <variant>

namespace {

struct order {
    std::int64_t id{};
    std::string item{};
    std::int64_t pieces{1};
    std::int64_t version{1};
};

} // namespace

template <>
struct once::mapping<order> {
    static constexpr auto columns =
        once::columns(once::generated_id("id", &order::id), once::column("item", &order::item),
                      once::column("pieces", &order::pieces), once::version("version", &order::version));
};

namespace {

// What once::http and cpp-httplib have to know of each other.

once::http::request to_once(httplib::Request const& from) {
    return {.method = from.method,
            .target = from.target,
            .headers = {from.headers.begin(), from.headers.end()},
            .body = from.body,
            .principal = "anybody"}; // who asks, as your authentication says: each principal has its own keys
}

void send(once::response const& from, httplib::Response& to) {
    to.status = from.status;
    for (auto const& [name, value] : from.headers) {
        to.set_header(name, value);
    }
    if (!from.body.content_type().empty()) {
        to.set_content(from.body.data(), from.body.content_type());
    }
}

/// POST /orders {"item": "tea"}
once::response place_order(once::transaction& tx, std::string const& body) {
    auto const wanted = nlohmann::json::parse(body, nullptr, false);
    if (!wanted.is_object() || !wanted.contains("item") || !wanted["item"].is_string()) {
        return {.status = 400, .body = nlohmann::json{{"title", "item is missing"}}}; // rolled back, not kept
    }
    auto const id = tx.query_value<std::string>("insert into shop.orders (item) values ($1) returning id",
                                                pqxx::params{wanted["item"].get<std::string>()});
    nlohmann::json const placed{{"order", id}, {"item", wanted["item"]}};
    tx.publish({.topic = "orders.placed", .key = id, .payload = placed}); // if and only if this commits
    return {.status = 201, .headers = {{"Location", "/orders/" + id}}, .body = placed};
}

/// POST /orders/17/pieces: one piece more, answered in plain text
once::response add_piece(once::transaction& tx, std::int64_t id) {
    static once::repository<order> const orders{"shop.orders"};
    auto const result = orders.modify(tx, id, [](order& row) { ++row.pieces; });
    if (auto const* const done = std::get_if<once::modified<order>>(&result)) {
        return {.body = once::body::text(std::to_string(done->row.pieces) + " x " + done->row.item + "\n")};
    }
    if (std::holds_alternative<once::missing>(result)) {
        return {.status = 404, .body = once::body::text("there is no such order\n")};
    }
    return {.status = 503,
            .body = once::body::text("too busy\n")}; // once::exhausted: others were faster, 100 times
}

/// An exception is for the log. The client learns that something failed, and asks again with the same key.
httplib::Server::Handler answer_with(std::function<once::response(httplib::Request const&)> handle) {
    return [handle = std::move(handle)](httplib::Request const& request, httplib::Response& to) {
        try {
            send(handle(request), to);
        } catch (std::exception const& e) {
            std::cerr << "orders: " << e.what() << '\n';
            to.status = 500;
        }
    };
}

} // namespace

int main() try {
    auto const stop = stop_on_signal();
    char const* const dsn = std::getenv("SHOP_DATABASE");
    once::database db{dsn != nullptr ? dsn : "dbname=shop"};
    db.check(); // now, and not at the first request

    httplib::Server server;
    server.set_payload_max_length(std::size_t{64} * 1024);
    server.set_keep_alive_timeout(1);
    server.Post("/orders", answer_with([&](httplib::Request const& from) {
                    return once::http::execute(
                        db, to_once(from), [&](once::transaction& tx) { return place_order(tx, from.body); });
                }));
    server.Post(R"(/orders/([0-9]{1,18})/pieces)", answer_with([&](httplib::Request const& from) {
                    auto const id = std::stoll(from.matches[1].str());
                    return once::http::execute(db, to_once(from),
                                               [&](once::transaction& tx) { return add_piece(tx, id); });
                }));
    char const* const port = std::getenv("SHOP_PORT");
    if (!server.bind_to_port("127.0.0.1", port != nullptr ? std::stoi(port) : 8080)) {
        throw std::runtime_error{"the port is taken"};
    }
    // Requests under way are answered, then listen_after_bind() returns.
    std::stop_callback const stopping{stop, [&] {
                                          while (!server.is_running()) {
                                              std::this_thread::sleep_for(std::chrono::milliseconds{10});
                                          }
                                          server.stop();
                                      }};
    return server.listen_after_bind() ? 0 : 1;
} catch (std::exception const& e) {
    std::cerr << "orders: " << e.what() << '\n';
    return 1;
}
// [endregion]
