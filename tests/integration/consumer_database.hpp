// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/consumer.hpp>
#include <once/database.hpp>
#include <once/execute.hpp>
#include <once/publish.hpp>

#include "support/effects.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>

#include <chrono>
#include <string>
#include <tuple>
#include <vector>

namespace once::testing {

/// A service that publishes, and a subscription that gets everything.
struct consumer_database {
    effects_database server;
    database db{server.dsn()};

    explicit consumer_database(subscription_options options = {.backoff_base = std::chrono::milliseconds{1},
                                                               .backoff_cap = std::chrono::milliseconds{1}}) {
        options.from = subscribe_from::beginning;
        std::ignore = transact(db, [&](transaction& tx) { CHECK(subscribe(tx, "s", options)); });
    }

    void publish(std::vector<message> const& messages) {
        std::ignore = transact(db, [&](transaction& tx) { once::publish(tx, messages); });
    }

    /// One message per text, all of one key or without.
    void publish(std::vector<std::string> const& texts, std::string const& key) {
        std::vector<message> messages;
        for (auto const& text : texts) {
            messages.push_back({.topic = "t", .key = key, .payload = body::text(text)});
        }
        publish(messages);
    }

    /// Effects in the order in which they were committed.
    [[nodiscard]] std::string effects() const {
        return server.ask("select coalesce(string_agg(what, ' ' order by id), '') from effect");
    }
    [[nodiscard]] std::string parked(std::string const& what = "state || ':' || attempts") const {
        return server.ask("select coalesce(string_agg((" + what +
                          ")::text, ' ' order by id), '') from once.parked_message");
    }
};

inline void write_effect(delivery const& one, transaction& tx) {
    add_effect(tx, one.payload.data());
}

/// Runs until nothing is left to do, now or soon.
inline consumer_summary drain(consumer_database const& outbox, consumer& one) {
    consumer_summary total;
    CHECK(wait_until([&] {
        auto const did = one.run_once();
        total += did;
        return did.idle() && did.active && outbox.parked("state").find("retrying") == std::string::npos;
    }));
    return total;
}

} // namespace once::testing
