// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/execute.hpp>
#include <once/relay.hpp>

#include "support/database.hpp"
#include "support/scripted_publisher.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/pqxx>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

using namespace once;
using namespace once::testing;

namespace {

bool in_long_form() {
    char const* const set = std::getenv("ONCE_LONG"); // NOLINT(concurrency-mt-unsafe)
    return set != nullptr && *set != '\0' && *set != '0';
}

/// Takes everything but messages of the bad key; counts instead of keeping.
class counting_publisher final : public publisher {
public:
    publish_report publish(std::span<delivery const> messages,
                           std::chrono::steady_clock::time_point) override {
        publish_report report{.answers = std::vector<publish_answer>(messages.size())};
        bool failed = false;
        for (std::size_t i = 0; i < messages.size(); ++i) {
            if (messages[i].key == "bad") {
                report.answers[i] = {failed ? publish_result::not_sent : publish_result::retry, "bad"};
                failed = true;
            } else {
                ++accepted;
            }
        }
        return report;
    }
    int accepted = 0;
};

/// @return seconds that `count` messages took, a thousandth of them of a key whose messages always fail if `bad`
double drain(int count, bool bad) {
    test_database const server;
    database db{server.dsn()};
    transact(db, [&](transaction& tx) {
        subscribe(tx, "s", {.max_attempts = 1000, .backoff_base = std::chrono::milliseconds{50}});
        tx.exec(
            "select once.publish_many(array_agg('t'::text), array_agg((case when " +
            std::string{bad ? "true" : "false"} +
            " and i % 1000 = 7 then 'bad' else 'k' || i % 5000 end)::text), array_agg(('{\"n\": ' || i || "
            "'}')::json)) "
            "from generate_series(1, " +
            std::to_string(count) + ") as i");
    }).expect_committed();
    counting_publisher publisher;
    int const expected = bad ? count - count / 1000 : count;
    relay worker{db, "s", publisher, {.log = [](auto) {}}};
    auto const begin = std::chrono::steady_clock::now();
    int idle = 0;
    while (publisher.accepted < expected && idle < 1000) {
        idle = worker.run_once().idle() ? idle + 1 : 0;
    }
    std::chrono::duration<double> const took = std::chrono::steady_clock::now() - begin;
    CHECK(publisher.accepted == expected);
    pqxx::connection connection{server.dsn()};
    pqxx::nontransaction tx{connection};
    CHECK(tx.exec("select count(*) from once.parked_message")[0][0].as<int>() == count - expected);
    return took.count();
}

} // namespace

TEST_CASE("one key whose messages always fail does not hold up the others", "[faults][relay]") {
    int const count = in_long_form() ? 100'000 : 10'000;
    int const rounds = in_long_form() ? 5 : 1;
    std::vector<double> without;
    std::vector<double> with;
    for (int i = 0; i < rounds; ++i) {
        without.push_back(drain(count, false));
        with.push_back(drain(count, true));
    }
    std::ranges::sort(without);
    std::ranges::sort(with);
    auto const ratio = with[with.size() / 2] / without[without.size() / 2];
    std::printf("%d messages: %.0f/s, with a bad key %.0f/s, time ratio of medians %.3f\n", count,
                count / without[without.size() / 2], count / with[with.size() / 2], ratio);
    if (in_long_form()) {
        CHECK(ratio < 1.10);
    }
}
