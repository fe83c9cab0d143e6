// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "warehouse.hpp"

#include <once/execute.hpp>
#include <once/inbox.hpp>

#include <nlohmann/json.hpp>
#include <pqxx/pqxx>

#include <cstdint>
#include <optional>

namespace warehouse {

namespace {

using namespace std::chrono_literals;

void do_job(once::transaction& tx, webhook const& message) {
    auto const asked = nlohmann::json::parse(message.body);
    std::optional<std::string> number;
    std::optional<std::int64_t> version;
    if (asked.contains("number")) {
        number = asked.at("number").get<std::string>();
        version = asked.at("version").get<std::int64_t>();
    }
    tx.exec(
        "insert into warehouse.job (message_id, topic, order_number, order_version) values ($1, $2, $3, $4)",
        pqxx::params{message.id, message.topic, number, version});
}

} // namespace

bool receive(once::database& db, webhook const& message, std::string const& answer) {
    static once::inbox const inbox{"warehouse"};
    once::incoming const incoming{.id = once::message_id::parse(message.id),
                                  .fingerprint = once::fingerprint{message.body}};
    auto receipt = once::receipt::in_progress;
    auto const reply = once::transact(
        db,
        [&](once::transaction& tx) {
            receipt = inbox.receive(tx, incoming);
            if (receipt == once::receipt::fresh) {
                do_job(tx, message);
            }
            tx.at_commit({"insert into warehouse.request (message_id, receipt, answer) values ($1, $2, $3)",
                          once::parameters{message.id, std::string{to_string(receipt)}, answer}});
        },
        {.deadline = 1s, .reply_timeout = 500ms});
    return reply.committed() && receipt != once::receipt::in_progress;
}

} // namespace warehouse
