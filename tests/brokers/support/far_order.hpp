// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "brokers/support/publishing.hpp"
#include "exit_status.hpp"
#include "tool/relay_database.hpp"
#include "tool/relay_program.hpp"

#include <catch2/catch_test_macros.hpp>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace once::testing {

/// user:password@ of a URL, and the rest.
struct url_parts {
    std::string server{};
    std::string user{};
    std::string password{};
};
[[nodiscard]] inline url_parts split_url(std::string const& url) {
    auto const begin = url.find("://") + 3;
    auto const at = url.find('@');
    auto const colon = url.find(':', begin);
    return {url.substr(0, begin) + url.substr(at + 1), url.substr(begin, colon - begin),
            url.substr(colon + 1, at - colon - 1)};
}

/// How many messages go, and how often their relay and their broker are killed meanwhile.
struct journey {
    long messages = 20'000;
    long keys = 100;
    int kills = 2;
};
[[nodiscard]] inline journey journey_of_this_run() {
    return std::getenv("ONCE_LONG") != nullptr ? journey{.messages = 100'000, .kills = 5} : journey{};
}

/// Runs a relay until everything is through. Meanwhile messages are published in portions, and when the first of a
/// portion has arrived, the relay is killed, or the broker, in turn.
/// @param arrived how many there are, told quickly; 0 while the broker is away
inline void run_and_kill(broker_server const& server, relay_database& db,
                         std::vector<std::string> const& words, std::vector<std::string> const& variables,
                         journey const& how, std::function<std::size_t()> const& arrived) {
    auto relay = std::make_unique<once_program>(words, variables);
    constexpr std::chrono::seconds patience{120};
    auto const parts = 2 * how.kills + 1;
    int on_the_way = 0;
    for (int i = 0; i < parts; ++i) {
        REQUIRE(wait_until([&] { return i == 0 || arrived() > 0; }, patience));
        auto const before = arrived();
        db.sql("select count(once.publish('t', 'key ' || i % " + std::to_string(how.keys) +
               ", to_json(i))) from generate_series(" + std::to_string(how.messages * i / parts + 1) + ", " +
               std::to_string(how.messages * (i + 1) / parts) + ") as i");
        bool const some_arrived = wait_until([&] { return arrived() > before; }, patience);
        CAPTURE(i, before, arrived(), relay->log());
        REQUIRE(some_arrived);
        if (i + 1 == parts) {
            break;
        }
        if (i % 2 == 0) {
            relay->signal(SIGKILL);
            CHECK(relay->wait() == -SIGKILL);
            on_the_way += db.all_through() ? 0 : 1;
            relay = std::make_unique<once_program>(words, variables);
        } else {
            server.kill();
            server.start();
        }
    }
    CHECK(on_the_way > 0); // else the kills show nothing
    CHECK(wait_until([&] { return db.all_through(); }, patience));
    CHECK(relay->stop() == command::exit_status::ok);
}

/// Nothing is lost, and with repeats taken out each key is in order.
inline void check_order(std::vector<far_message> const& seen, journey const& how) {
    std::set<std::string> ids;
    std::map<std::string, long> last;
    long disorder = 0;
    for (auto const& [id, key, number] : seen) {
        if (ids.insert(id).second) {
            disorder += last[key] < number ? 0 : 1;
            last[key] = number;
        }
    }
    CHECK(static_cast<long>(ids.size()) == how.messages);
    CHECK(static_cast<long>(last.size()) == how.keys);
    CHECK(disorder == 0);
    WARN(seen.size() << " arrived of " << how.messages << " messages; relay and broker killed " << how.kills
                     << " times each");
}

} // namespace once::testing
