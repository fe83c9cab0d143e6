// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// A relay hands the messages of a subscription to a queue of RabbitMQ.
#include <once/once.hpp>
#include <once/rabbitmq_publisher.hpp>

#include "rabbitmq_queue.hpp"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <iostream>
#include <string>

int main(int argc, char** argv) try {
    auto const* const url = std::getenv("ONCE_TEST_RABBITMQ");
    if (url == nullptr) {
        std::cout << "this needs a RabbitMQ broker: set ONCE_TEST_RABBITMQ to its URL\n";
        return 4;
    }
    once::example::make_rabbitmq_queue(url, "example"); // an operator's job, not the relay's
    once::database db{argc > 1 ? argv[1] : ""};
    once::transact(db, [](once::transaction& tx) {
        once::subscribe(tx, "example-to-rabbitmq", {.topics = {"example.orders.*"}});
    }).expect_committed();
    auto const place = [&](std::string const& key, std::string const& number) {
        return once::execute(
            db, {.scope = "POST /orders to RabbitMQ", .key = key, .fingerprint = once::fingerprint{number}},
            [&](once::transaction& tx) -> once::response {
                tx.publish({.topic = "example.orders.placed",
                            .key = number,
                            .payload = nlohmann::json{{"number", number}}});
                return {.status = 201};
            });
    };
    place("click-1", "A-17");
    place("click-1", "A-17"); // a repeat stages nothing
    place("click-2", "A-18");

    // [region: publisher]
    once::rabbitmq_publisher publisher{url, {.messages = {.name = "example"}}};
    once::relay relay{db, "example-to-rabbitmq", publisher};
    auto const summary = relay.run_once(); // a service calls run(stop_token) in a thread of its own
    std::cout << summary.accepted << " messages are in the queue example\n";
    // [endregion]

    return summary.accepted == 2 && relay.run_once().idle() ? 0 : 1;
} catch (std::exception const& e) {
    std::cerr << e.what() << '\n';
    return 1;
}
