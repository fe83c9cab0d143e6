// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "book.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/pqxx>

#include <csignal>
#include <httplib.h>
#include <stdexcept>
#include <unistd.h>

namespace booking {

namespace {

void die_at(fate const& mine, std::string const& place) {
    if (mine.is(place)) {
        std::raise(SIGKILL);
    }
}

// [region: call]
/// Takes the money. Whether a lost reply means "taken" or "not taken", nobody knows; the key makes it safe to ask
/// again.
nlohmann::json take_money(int port, once::running_operation const& op, std::string const& fault) {
    httplib::Client http{"127.0.0.1", port};
    httplib::Headers const headers{
        {"Idempotency-Key", op.call_key()}, {"X-Fault", fault}, {"X-Pid", std::to_string(::getpid())}};
    auto const answer = http.Post("/charges", headers, op.data().dump(), "application/json");
    if (!answer || answer->status != 201) {
        throw std::runtime_error{"the payment provider did not answer"};
    }
    return nlohmann::json::parse(answer->body);
}
// [endregion]

} // namespace

once::request request_of(std::string const& customer) {
    return {.scope = "POST /bookings",
            .key = "booking of " + customer,
            .fingerprint = once::fingerprint{customer}};
}

// [region: operation]
once::operation book_order(int provider_port, fate const& where) {
    return {"example: book order",
            {
                once::in_database("reserve",
                                  [=](once::transaction& tx, once::running_operation& op) {
                                      op.data()["booking"] = tx.query_value<long>(
                                          "insert into booking (customer) values ($1) returning id",
                                          pqxx::params{op.data().at("customer").get<std::string>()});
                                      die_at(where, "reserve");
                                  }),
                once::idempotent_remote("take money",
                                        [=](once::running_operation& op) {
                                            die_at(where, "before-call");
                                            op.data().update(take_money(provider_port, op, where.where));
                                            die_at(where, "after-call");
                                        }),
                once::in_database("confirm",
                                  [=](once::transaction& tx, once::running_operation& op) -> once::response {
                                      tx.exec("update booking set charge = $1 where id = $2",
                                              pqxx::params{op.data().at("charge").get<long>(),
                                                           op.data().at("booking").get<long>()});
                                      die_at(where, "confirm");
                                      return {.status = 201, .body = op.data()};
                                  }),
            },
            {.lease = std::chrono::milliseconds{500}, .retry_after = std::chrono::milliseconds{20}}};
}
// [endregion]

} // namespace booking
