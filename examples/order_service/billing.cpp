// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "billing.hpp"

#include <once/consumer.hpp>
#include <once/execute.hpp>
#include <once/subscription.hpp>

#include <nlohmann/json.hpp>
#include <pqxx/pqxx>

#include <cstdint>
#include <string>
#include <utility>

namespace billing {

namespace {

using namespace std::chrono_literals;

// The same amount on two accounts, so that the whole ledger adds up to nothing.
void write_entries(once::transaction& tx, once::delivery const& message, nlohmann::json const& order,
                   std::string const& sales, std::int64_t cents) {
    auto const owed = "owed by " + order.at("customer").get<std::string>();
    tx.exec("with posting as ("
            "    insert into billing.posting (message_id, order_number, order_version) values ($1, $2, $3)"
            "    returning id)"
            "insert into billing.entry (posting, account, cents) "
            "select id, account, amount from posting, (values ($4, $6::bigint), ($5, -$6::bigint)) "
            "as e (account, amount)",
            pqxx::params{message.id.to_string(), message.key, order.at("version").get<std::int64_t>(), owed,
                         sales, cents});
}

} // namespace

void subscribe(once::database& db) {
    once::transact(db, [](once::transaction& tx) {
        once::subscribe(tx, "billing",
                        {.topics = {"orders.*"},
                         .from = once::subscribe_from::beginning,
                         .max_attempts = 100,
                         .backoff_base = 10ms,
                         .backoff_cap = 200ms});
    }).expect_committed();
}

// Nothing in here asks whether the message came before: what it writes is committed together with the position of the
// subscription, or not at all.
void post(once::delivery const& message, once::transaction& tx) {
    auto const order = message.payload.as();
    if (message.topic == "orders.placed") {
        write_entries(tx, message, order, "sales of " + order.at("item").get<std::string>(),
                      order.at("cents"));
    } else if (message.topic == "orders.edited") {
        write_entries(tx, message, order, "sales of notes", cents_of_a_note);
    } else {
        throw once::message_rejected{"billing knows no such topic"};
    }
}

void run(once::database& db, std::function<void(once::delivery const&, once::transaction&)> handle,
         std::stop_token const& stop) {
    // Short times, so that somebody else takes over soon: the demonstration kills it all the time.
    once::consumer worker{
        db,
        "billing",
        std::move(handle),
        {.reader = {.batch_messages = 100, .lease = 1s, .reply_timeout = 500ms}, .deadline = 500ms}};
    worker.run(stop);
}

} // namespace billing
