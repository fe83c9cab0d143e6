// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "support/database.hpp"
#include "support/session.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <chrono>
#include <future>
#include <string>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

using microseconds = std::chrono::microseconds;

/// A trickle of messages, each read and acknowledged by itself.
struct trickle {
    session db;

    microseconds poll() {
        db.run("select publish('t.trickle', 'k', '1')");
        auto const start = std::chrono::steady_clock::now();
        auto const some = next_batch(db, "s", 100);
        acknowledge(db, "s", some);
        auto const took = std::chrono::steady_clock::now() - start;
        REQUIRE(some.size() == 1);
        return std::chrono::duration_cast<microseconds>(took);
    }
    microseconds median(int polls) {
        std::vector<microseconds> all;
        for (int i = 0; i < polls; ++i) {
            all.push_back(poll());
        }
        std::nth_element(all.begin(), all.begin() + polls / 2, all.end());
        return all[static_cast<std::size_t>(polls) / 2];
    }
};

} // namespace

TEST_CASE("a bulk load that is not committed does not slow the polls of others down", "[outbox][bulk]") {
    test_database const server;
    trickle small{session{server.dsn()}};
    small.db.run("select subscribe('s')");
    auto const rows = long_form() ? 1'000'000 : 200'000;

    // By turns, so that whatever else the machine does meets all alike.
    small.median(50);
    auto const before = small.median(101);
    session loader{server.dsn()};
    loader.run("begin");
    auto loading = std::async(std::launch::async, [&] {
        for (int i = 0; i < rows; i += 20'000) {
            loader.run("select publish_many(array_agg('t.bulk'::text), p_json => array_agg('1'::json)) "
                       "from generate_series(1, 20000)");
        }
    });
    std::vector<microseconds> during;
    while (loading.wait_for(0s) != std::future_status::ready) {
        during.push_back(small.poll());
    }
    loading.get();
    auto const after = small.median(101);
    REQUIRE(!during.empty());
    std::nth_element(during.begin(), during.begin() + static_cast<long>(during.size() / 2), during.end());
    auto const meanwhile = during[during.size() / 2];
    INFO("median of a poll: before " << before.count() << " us, while the rows come " << meanwhile.count()
                                     << " us (" << during.size() << " polls), with " << rows << " rows open "
                                     << after.count() << " us");
    WARN("median of a poll: before " << before.count() << " us, while the rows come " << meanwhile.count()
                                     << " us, with " << rows << " rows open " << after.count() << " us");
    // 2 is what it is to be; more only for what a noisy machine adds. To read the rows would cost 50 times as much.
    CHECK(after < (long_form() ? 2 : 5) * before + 500us);

    // Once they are committed, they come, and all of them.
    loader.run("commit");
    int got = 0;
    for (auto some = next_batch(small.db, "s", 10'000); some.size() > 0;
         some = next_batch(small.db, "s", 10'000)) {
        acknowledge(small.db, "s", some);
        got += some.size();
    }
    CHECK(got == rows);
}
