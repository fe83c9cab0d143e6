// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>

#include "delivery/batch_progress.hpp"
#include "delivery/relay_worker.hpp"
#include "support/publisher_conformance.hpp"
#include "support/refusal.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <set>
#include <string>

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
    CHECK(batch.take(report({accepted, accepted, accepted})) == call_result::progress);
    CHECK(batch.next(100).empty());
    CHECK(parked_of(batch.settle()).empty());
    CHECK_FALSE(batch.settle()->up_to);
    CHECK(batch.counted().accepted == 3);
}

TEST_CASE("what follows a failure of its key is parked behind it, also over several calls", "[relay]") {
    auto batch = batch_of("aabaa-");
    CHECK(positions(batch.next(3)) == std::vector<std::int64_t>{10, 20, 30});
    CHECK(batch.take(report({retry, not_sent, accepted})) == call_result::progress);
    CHECK(positions(batch.next(3)) == std::vector<std::int64_t>{60});
    CHECK(batch.take(report({rejected})) == call_result::progress);
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
    CHECK(batch.take(report({accepted, accepted, not_sent, not_sent})) == call_result::progress);
    CHECK(batch.settle()->up_to == 20);
    CHECK(parked_of(batch.settle()).empty());
    CHECK(positions(batch.next(100)) == std::vector<std::int64_t>{30, 40});
    CHECK(batch.take(report({accepted, accepted})) == call_result::progress);
    CHECK_FALSE(batch.settle()->up_to);
}

TEST_CASE("what was not sent before a message that was is parked without an attempt", "[relay]") {
    auto batch = batch_of("abca");
    static_cast<void>(batch.next(100));
    auto made = report({not_sent, accepted, not_sent, not_sent});
    made.unavailable = "gone";
    CHECK(batch.take(made) == call_result::progress);
    CHECK(batch.settle()->up_to == 20);
    CHECK(parked_of(batch.settle()) == std::vector<parked>{{10, parked_as::behind}});
}

TEST_CASE("a refused call settles nothing, and messages of other keys are asked, each alone", "[relay]") {
    auto batch = batch_of("aabbccddeeffgg");
    static_cast<void>(batch.next(2));
    CHECK(batch.take({.unavailable = "gone"}) == call_result::refused);
    CHECK(batch.in_doubt());
    CHECK(batch.nobody_named());
    std::set<std::string> asked;
    std::size_t witnesses = 0;
    for (auto one = batch.next(100); !one.empty(); one = batch.next(100)) {
        REQUIRE(one.size() == 1);
        CHECK(one[0].position / 10 % 2 == 1); // the first one of its key
        CHECK(asked.insert(one[0].key).second);
        ++witnesses;
        CHECK(batch.take(report({not_sent})) == call_result::refused);
    }
    CHECK(witnesses == batch_progress::most_witnesses);
    CHECK(batch.in_doubt());
    CHECK_FALSE(batch.settle());
    CHECK(batch.counted().retry == 0);
    CHECK(batch.suspects().size() == witnesses);
}

TEST_CASE("what is refused, and again after a witness was accepted, is to blame", "[relay]") {
    auto batch = batch_of("abc");
    static_cast<void>(batch.next(1));
    CHECK(batch.take({.unavailable = "gone", .retry_after = 9s}) == call_result::refused);
    auto const witness = batch.next(100);
    REQUIRE(witness.size() == 1);
    CHECK(witness[0].key != "a");
    auto const position = witness[0].position;
    CHECK(batch.take(report({accepted})) == call_result::progress);
    CHECK_FALSE(batch.in_doubt());
    CHECK(batch.counted().retry == 0); // the receiver may have been away for a moment
    CHECK(positions(batch.next(100)) == std::vector<std::int64_t>{10});
    SECTION("refused again") {
        CHECK(batch.take({.unavailable = "gone again"}) == call_result::progress);
        CHECK(batch.counted().retry == 1);
        CHECK(parked_of(batch.settle())[0] == parked{10, parked_as::retry});
        CHECK(batch.settle()->parked[0].error == "gone again");
        CHECK(batch.in_doubt()); // it may have ended the receiver
    }
    SECTION("accepted") {
        CHECK(batch.take(report({accepted})) == call_result::progress);
        CHECK(batch.counted().retry == 0);
        CHECK(batch.counted().accepted == 2);
    }
    CHECK(positions(batch.next(100)) == std::vector<std::int64_t>{position == 20 ? 30 : 20});
}

TEST_CASE("what a refused report names is held, and no attempt counts unless the receiver is there",
          "[relay]") {
    auto batch = batch_of("abcdefghi");
    static_cast<void>(batch.next(4));
    auto made = report({retry, retry, not_sent, rejected});
    made.unavailable = "503";
    made.answers[0].retry_after = 9s;
    CHECK(batch.take(made) == call_result::refused);
    CHECK_FALSE(batch.nobody_named());
    CHECK(batch.counted().retry == 0);
    CHECK(batch.counted().rejected == 1); // that is about the message, whatever the receiver does
    SECTION("it is not") {
        while (!batch.next(100).empty()) {
            CHECK(batch.take({.unavailable = "gone"}) == call_result::refused);
        }
        CHECK(batch.counted().retry == 0);
        CHECK(batch.settle()->up_to == 40);
        CHECK(parked_of(batch.settle()) == std::vector<parked>{{10, parked_as::behind},
                                                               {20, parked_as::behind},
                                                               {30, parked_as::behind},
                                                               {40, parked_as::dead}});
    }
    SECTION("it is, and they are sent once more, together") {
        static_cast<void>(batch.next(100));
        CHECK(batch.take(report({accepted})) == call_result::progress);
        CHECK(positions(batch.next(100)) == std::vector<std::int64_t>{10, 20});
        auto again = report({retry, accepted});
        again.answers[0].retry_after = 9s;
        CHECK(batch.take(again) == call_result::progress);
        CHECK(batch.counted().retry == 1);
        CHECK(batch.counted().accepted == 2);
        CHECK(batch.pauses().size() == 1);
        CHECK(batch.next(100).size() == 5); // c and e to i, but for the witness
    }
    SECTION("another batch saw it, and then nobody is named: each alone") {
        batch.receiver_is_there();
        CHECK_FALSE(batch.in_doubt());
        CHECK(positions(batch.next(100)) == std::vector<std::int64_t>{10, 20});
        CHECK(batch.take({.unavailable = "gone"}) == call_result::refused);
        CHECK(batch.in_doubt());
        CHECK(batch.next(100).size() == 1);
        CHECK(batch.take(report({accepted})) == call_result::progress);
        CHECK(positions(batch.next(100)) == std::vector<std::int64_t>{10});
    }
}

TEST_CASE("nothing of a key is sent while an earlier message of it is suspect", "[relay]") {
    auto batch = batch_of("aaabbb");
    static_cast<void>(batch.next(1));
    CHECK(batch.take({.unavailable = "gone"}) == call_result::refused);
    CHECK(positions(batch.next(100)) == std::vector<std::int64_t>{40});
    CHECK(batch.take({.unavailable = "gone"}) == call_result::refused);
    CHECK(batch.next(100).empty());
    batch.receiver_is_there();
    CHECK(positions(batch.next(100)) == std::vector<std::int64_t>{10});
    CHECK(batch.take(report({accepted})) == call_result::progress);
    CHECK(positions(batch.next(100)) == std::vector<std::int64_t>{40});
    CHECK(batch.take({.unavailable = "gone"}) == call_result::progress);
    CHECK(batch.in_doubt());
    CHECK(positions(batch.next(100)) == std::vector<std::int64_t>{20});
    CHECK(batch.take(report({accepted})) == call_result::progress);
    CHECK(positions(batch.next(100)) == std::vector<std::int64_t>{30});
}

TEST_CASE("one key alone is no evidence, so nobody is blamed", "[relay]") {
    auto batch = batch_of("aaaa");
    static_cast<void>(batch.next(100));
    CHECK(batch.take({.unavailable = "gone"}) == call_result::refused);
    CHECK(positions(batch.next(100)) == std::vector<std::int64_t>{10});
    CHECK(batch.take({.unavailable = "gone"}) == call_result::refused);
    CHECK(batch.next(100).empty());
    CHECK(batch.in_doubt());
    CHECK_FALSE(batch.settle());
    batch.set_aside();
    CHECK(parked_of(batch.settle()) == std::vector<parked>{{10, parked_as::behind},
                                                           {20, parked_as::behind},
                                                           {30, parked_as::behind},
                                                           {40, parked_as::behind}});
}

TEST_CASE("a call that ran out of time was too much, unless it had one message", "[relay]") {
    auto batch = batch_of("abc");
    static_cast<void>(batch.next(3));
    CHECK(batch.take(report({not_sent, not_sent, not_sent}), true) == call_result::too_much);
    CHECK_FALSE(batch.in_doubt());
    static_cast<void>(batch.next(1));
    CHECK(batch.take(report({not_sent}), true) == call_result::refused);
    CHECK(batch.in_doubt());
}

TEST_CASE("after an outage one message alone goes first, from anywhere in the batch", "[relay]") {
    std::set<std::int64_t> first;
    for (std::uint64_t random = 0; random < 100; ++random) {
        std::vector<delivery> messages;
        for (int i = 1; i <= 5; ++i) {
            messages.push_back(make_delivery("", body::text("x")));
            messages.back().position = i;
        }
        batch_progress batch{std::move(messages), random, true};
        auto const one = batch.next(100);
        REQUIRE(one.size() == 1);
        first.insert(one[0].position);
        CHECK(batch.take({.unavailable = "gone"}) == call_result::refused);
        CHECK(batch.suspects().empty()); // nobody knows whether it had been back
    }
    CHECK(first.size() == 5);
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
    CHECK(batch.take(made) == call_result::progress);
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
    CHECK(field({.reader = {.slice = -1}}) == "reader_options.slice");
}
