// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "deliveries.hpp"

#include <once/execute.hpp>
#include <once/relay.hpp>
#include <once/subscription.hpp>

#include <chrono>

namespace deliveries {

using namespace std::chrono_literals;

void subscribe(once::database& db) {
    once::transact(db, [](once::transaction& tx) {
        once::subscribe(tx, "warehouse",
                        {.from = once::subscribe_from::beginning,
                         .max_attempts = 100,
                         .backoff_base = 10ms,
                         .backoff_cap = 200ms});
    }).expect_committed();
}

void run(once::database& db, once::publisher& to, std::stop_token const& stop) {
    // Short times, so that somebody else takes over soon: the demonstration kills it all the time.
    once::relay relay{db,
                      "warehouse",
                      to,
                      {.reader = {.batch_messages = 100, .lease = 1s, .reply_timeout = 500ms},
                       .publish_messages = 100,
                       .publish_timeout = 400ms,
                       .pause_base = 10ms,
                       .pause_cap = 200ms}};
    relay.run(stop);
}

} // namespace deliveries
