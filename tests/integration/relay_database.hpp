// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/execute.hpp>
#include <once/publish.hpp>
#include <once/relay.hpp>

#include "support/database.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/nontransaction>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace once::testing {

using texts = std::vector<std::string>;

class relay_database : public test_database {
public:
    explicit relay_database(subscription_options options = {}) {
        options.backoff_base =
            std::min<std::chrono::milliseconds>(options.backoff_base, std::chrono::milliseconds{1});
        transact(db, [&](transaction& tx) { REQUIRE(subscribe(tx, "s", options)); }).expect_committed();
    }

    void publish(std::vector<message> const& messages) {
        transact(db, [&](transaction& tx) {
            for (auto const& one : messages) {
                tx.publish(one);
            }
        }).expect_committed();
    }
    void publish(std::string const& key, std::string const& text) {
        publish({{.topic = "t", .key = key, .payload = body::text(text)}});
    }
    [[nodiscard]] std::string ask(std::string const& sql) const {
        pqxx::connection connection{dsn()};
        pqxx::nontransaction tx{connection};
        auto const result = tx.exec(sql);
        return result.empty() || result[0][0].is_null() ? "" : result[0][0].as<std::string>();
    }
    /// state, attempts and error of each parked message, in order
    [[nodiscard]] std::string parked() const {
        return ask(
            "select string_agg(state::text || attempts || coalesce(' ' || last_error, ''), ', ' order by id) "
            "from once.parked_message");
    }

    database db{dsn()};
};

/// Rounds until nothing is left to do; parked messages may need a moment to become due.
inline void drain(relay& worker, std::function<bool()> const& done) {
    CHECK(wait_until([&] {
        static_cast<void>(worker.run_once());
        return done();
    }));
}

inline publish_answer failed(publish_result result, std::string error = "no") {
    return {.result = result, .error = std::move(error)};
}

} // namespace once::testing
