// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>

#include "relay/batch_progress.hpp"
#include "relay/relay_worker.hpp"
#include "support/publisher_conformance.hpp"
#include "support/refusal.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>

using namespace once;
using namespace once::detail;
using namespace once::testing;
using namespace std::chrono_literals;
using enum publish_result;

namespace {

/// One message for each letter, which is its key; "-" has none. Positions are 10, 20, ...
batch_progress batch_of(std::string const& keys) {
    std::vector<delivery> messages;
    for (char const c : keys) {
        messages.push_back(make_delivery(c == '-' ? "" : std::string{c}, body::text("x")));
        messages.back().position = static_cast<std::int64_t>(messages.size()) * 10;
    }
    return batch_progress{std::move(messages)};
}

std::vector<std::int64_t> positions(std::span<delivery const> messages) {
    std::vector<std::int64_t> made;
    for (auto const& one : messages) {
        made.push_back(one.position);
    }
    return made;
}

publish_report report(std::vector<publish_result> const& results) {
    publish_report made;
    for (auto const result : results) {
        made.answers.push_back({.result = result, .error = result == accepted ? "" : "why"});
    }
    return made;
}

struct parked {
    std::int64_t position;
    parked_as as;
    bool operator==(parked const&) const = default;
};

std::vector<parked> parked_of(std::optional<progress> const& made) {
    std::vector<parked> all;
    for (auto const& one : made.value().parked) {
        all.push_back({one.position, one.as});
    }
    return all;
}

} // namespace

TEST_CASE("a batch that was accepted is acknowledged whole", "[relay]") {
    auto batch = batch_of("ab-");
    CHECK(positions(batch.next(100)) == std::vector<std::int64_t>{10, 20, 30});
    CHECK(batch.take(report({accepted, accepted, accepted})));
    CHECK(batch.next(100).empty());
    CHECK(parked_of(batch.settle()).empty());
    CHECK_FALSE(batch.settle()->up_to);
    CHECK(batch.counted().accepted == 3);
}

TEST_CASE("what follows a failure of its key is parked behind it, also over several calls", "[relay]") {
    auto batch = batch_of("aabaa-");
    CHECK(positions(batch.next(3)) == std::vector<std::int64_t>{10, 20, 30});
    CHECK(batch.take(report({retry, not_sent, accepted})));
    CHECK(positions(batch.next(3)) == std::vector<std::int64_t>{60});
    CHECK(batch.take(report({rejected})));
    CHECK(batch.next(3).empty());
    CHECK(parked_of(batch.settle()) == std::vector<parked>{{10, parked_as::retry},
                                                           {20, parked_as::behind},
                                                           {40, parked_as::behind},
                                                           {50, parked_as::behind},
                                                           {60, parked_as::dead}});
    CHECK(batch.settle()->parked[0].error == "why");
    CHECK_FALSE(batch.settle()->up_to);
}

TEST_CASE("what was not sent is offered again, and left for the next batch at the end", "[relay]") {
    auto batch = batch_of("abcd");
    static_cast<void>(batch.next(100));
    CHECK(batch.take(report({accepted, accepted, not_sent, not_sent})));
    CHECK(batch.settle()->up_to == 20);
    CHECK(parked_of(batch.settle()).empty());
    CHECK(positions(batch.next(100)) == std::vector<std::int64_t>{30, 40});
    CHECK(batch.take(report({accepted, accepted})));
    CHECK_FALSE(batch.settle()->up_to);
}

TEST_CASE("what was not sent before a message that was is parked without an attempt", "[relay]") {
    auto batch = batch_of("abca");
    static_cast<void>(batch.next(100));
    auto made = report({not_sent, accepted, not_sent, not_sent});
    made.unavailable = "gone";
    CHECK(batch.take(made));
    CHECK(batch.settle()->up_to == 20);
    CHECK(parked_of(batch.settle()) == std::vector<parked>{{10, parked_as::behind}});
}

TEST_CASE("a report without answers, or without progress, settles nothing", "[relay]") {
    auto batch = batch_of("ab");
    static_cast<void>(batch.next(100));
    CHECK_FALSE(batch.take({.unavailable = "gone"}));
    CHECK_FALSE(batch.settle());
    static_cast<void>(batch.next(100));
    CHECK_FALSE(batch.take(report({not_sent, not_sent})));
    CHECK_FALSE(batch.settle());
    CHECK(positions(batch.next(100)) == std::vector<std::int64_t>{10, 20});
}

TEST_CASE("a publisher that gives another number of answers is noticed, and nothing is settled", "[relay]") {
    for (auto const& wrong : {report({accepted}), report({accepted, accepted, accepted}), publish_report{}}) {
        auto batch = batch_of("ab");
        static_cast<void>(batch.next(100));
        CHECK_THROWS_AS(batch.take(wrong), misuse);
        CHECK_FALSE(batch.settle());
    }
}

TEST_CASE("a pause that the receiver asked for is kept for its message", "[relay]") {
    auto batch = batch_of("ab");
    static_cast<void>(batch.next(100));
    auto made = report({retry, rejected});
    made.answers[0].retry_after = 90s;
    made.answers[1].retry_after = 90s;
    CHECK(batch.take(made));
    REQUIRE(batch.pauses().size() == 1);
    CHECK(batch.pauses()[0].position == 10);
    CHECK(batch.pauses()[0].retry_after == 90s);
}

TEST_CASE("pauses of an unavailable receiver double up to the cap, with jitter", "[relay]") {
    relay_options const options{.pause_base = 100ms, .pause_cap = 1000ms};
    for (int times = 1; times < 100; ++times) {
        auto const limit = std::min<std::int64_t>(1000, times > 10 ? 1000 : 100LL << (times - 1));
        for (std::uint64_t const random : {std::uint64_t{0}, std::uint64_t{49}, ~std::uint64_t{0}}) {
            auto const pause = pause_before_asking_again(options, times, random);
            CHECK(pause.count() >= limit / 2);
            CHECK(pause.count() <= limit);
        }
    }
}

TEST_CASE("options of a relay that cannot work are refused by name", "[relay]") {
    auto const field = [](relay_options const& options) {
        return once::testing::refused_field([&] { validate(options); });
    };
    CHECK(field({}) == "accepted");
    CHECK(field({.publish_messages = 0}) == "relay_options.publish_messages");
    CHECK(field({.checkpoint_every = 0ms}) == "relay_options.checkpoint_every");
    CHECK(field({.publish_timeout = 7'501ms}) == "relay_options.publish_timeout");
    CHECK(field({.pause_base = 0ms}) == "relay_options.pause_base");
    CHECK(field({.pause_base = 2min}) == "relay_options.pause_base");
    CHECK(field({.reading = {.slice = -1}}) == "reader_options.slice");
}
