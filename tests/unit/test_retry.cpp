// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "judgement/retry.hpp"
#include "support/seed.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <random>

using namespace std::chrono_literals;
using once::store;
using once::detail::backoff;
using once::detail::judge;
using once::detail::setback;
using std::chrono::microseconds;

namespace {

struct bounds {
    setback why;
    microseconds base;
    microseconds cap;
};

constexpr bounds table[]{{setback::conflict, 2ms, 250ms}, {setback::connection, 25ms, 2s}};

microseconds limit(bounds const& row, int attempt) {
    auto value = row.base;
    for (int i = 1; i < attempt && value < row.cap; ++i) {
        value *= 2;
    }
    return std::min(value, row.cap);
}

} // namespace

TEST_CASE("a pause is never longer than its limit doubled per attempt up to the cap", "[retry]") {
    std::mt19937_64 random{once::testing::seed()};
    for (auto const& row : table) {
        for (int attempt = 1; attempt <= 1000; ++attempt) {
            for (std::uint64_t const bits :
                 {random(), random(), std::uint64_t{0}, std::numeric_limits<std::uint64_t>::max()}) {
                auto const pause = backoff(row.why, attempt, bits);
                if (pause < 0us || pause > limit(row, attempt)) {
                    FAIL("attempt " << attempt << " bits " << bits << " gives " << pause.count() << " us");
                }
            }
        }
    }
}

TEST_CASE("a pause takes any value from zero to its limit: full jitter", "[retry]") {
    for (auto const& row : table) {
        for (int const attempt : {1, 2, 3, 5, 12, 1000}) {
            auto const most = limit(row, attempt);
            CHECK(backoff(row.why, attempt, 0) == 0us);
            CHECK(backoff(row.why, attempt, static_cast<std::uint64_t>(most.count())) == most);
        }
    }
}

TEST_CASE("pauses are spread evenly, so that clients that failed together come back apart", "[retry]") {
    std::mt19937_64 random{once::testing::seed()};
    for (auto const& row : table) {
        int quarters[4]{};
        for (int i = 0; i < 4000; ++i) {
            auto const pause = backoff(row.why, 12, random());
            ++quarters[std::min<std::int64_t>(3, pause.count() * 4 / row.cap.count())];
        }
        for (int const count : quarters) {
            CHECK(count > 800);
            CHECK(count < 1200);
        }
    }
}

TEST_CASE("the policy decides by the status class what is committed and what is kept", "[retry]") {
    struct row {
        store policy;
        int status;
        bool commit;
        bool keep;
    };
    constexpr row rows[]{
        {store::success, 100, true, true},
        {store::success, 200, true, true},
        {store::success, 399, true, true},
        {store::success, 400, false, true},
        {store::success, 499, false, true},
        {store::success, 500, false, true},
        {store::success_and_client_errors, 399, true, true},
        {store::success_and_client_errors, 400, true, true},
        {store::success_and_client_errors, 499, true, true},
        {store::success_and_client_errors, 500, false, true},
        {store::success_and_client_errors, 599, false, true},
        {store::nothing, 200, true, false},
        {store::nothing, 399, true, false},
        {store::nothing, 400, false, false},
        {store::nothing, 500, false, false},
    };
    for (auto const& row : rows) {
        INFO("policy " << static_cast<int>(row.policy) << " status " << row.status);
        auto const verdict = judge(row.policy, row.status);
        CHECK(verdict.commit == row.commit);
        if (row.commit) {
            CHECK(verdict.keep_response == row.keep);
        }
    }
}
