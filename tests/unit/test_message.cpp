// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/message.hpp>

#include "outbox/staged_messages.hpp"
#include "support/refusal.hpp"
#include "wire/binary_array.hpp"

#include <catch2/catch_test_macros.hpp>

#include <chrono>
#include <string>
#include <vector>

using namespace std::string_literals;
using once::message;
using once::detail::binary_array;
using once::detail::element_type;

namespace {

std::string refused(message const& one) {
    return once::testing::refused_field([&] { once::validate(one); });
}

std::string hex(std::span<std::byte const> bytes) {
    std::string text;
    for (auto const byte : bytes) {
        constexpr char const* digits = "0123456789abcdef";
        text += digits[std::to_integer<unsigned>(byte) >> 4U];
        text += digits[std::to_integer<unsigned>(byte) & 15U];
    }
    return text;
}

} // namespace

TEST_CASE("a topic is words of letters, digits, _ and - joined by dots", "[message]") {
    for (auto const* const good : {"a", "orders.placed", "A-1_b.C", "0", "-", "_._"}) {
        INFO(good);
        CHECK(refused({.topic = good}) == "accepted");
    }
    CHECK(refused({.topic = std::string(249, 'a')}) == "accepted");
    for (auto const& bad : {""s, "."s, ".a"s, "a."s, "a..b"s, "a b"s, "a#"s, "a.*"s, "a/b"s, "a\0b"s, "a\n"s,
                            "caf\xc3\xa9"s, std::string(250, 'a')}) {
        INFO(bad);
        CHECK(refused({.topic = bad}) == "message.topic");
    }
}

TEST_CASE("a key is UTF-8 without control characters, up to 255 bytes", "[message]") {
    for (auto const& good : {""s, "k"s, " "s, "caf\xc3\xa9"s, "\xf0\x9f\x98\x80"s, std::string(255, 'k')}) {
        CHECK(refused({.topic = "t", .key = good}) == "accepted");
    }
    for (auto const& bad :
         {std::string(256, 'k'), "a\tb"s, "a\0b"s, "\x7f"s, "\xff"s, "\xc0\x80"s, "\xed\xa0\x80"s}) {
        CHECK(refused({.topic = "t", .key = bad}) == "message.key");
    }
}

TEST_CASE("payload, media type and headers have their limits", "[message]") {
    auto const payload = [](std::string data, std::string type = "") {
        return message{.topic = "t", .payload = once::body::bytes(std::move(data), std::move(type))};
    };
    CHECK(refused(payload("")) == "accepted");
    CHECK(refused(payload("\0\xff"s)) == "accepted");
    CHECK(refused(payload(std::string(once::max_payload_bytes, 'x'))) == "accepted");
    CHECK(refused(payload(std::string(once::max_payload_bytes + 1, 'x'))) == "message.payload");
    CHECK(refused(payload("x", std::string(255, 'x'))) == "accepted");
    CHECK(refused(payload("x", std::string(256, 'x'))) == "message.payload.content_type");
    CHECK(refused(payload("x", "a\nb")) == "message.payload.content_type");

    auto const headers = [](std::vector<once::header> list) {
        return message{.topic = "t", .headers = std::move(list)};
    };
    CHECK(refused(headers(std::vector<once::header>(64, {"n", "v"}))) == "accepted");
    CHECK(refused(headers(std::vector<once::header>(65, {"n", "v"}))) == "message.headers");
    CHECK(refused(headers({{"n", std::string(8191, 'v')}})) == "accepted");
    CHECK(refused(headers({{"n", std::string(8192, 'v')}})) == "message.headers");
    CHECK(refused(headers({{"n", "a\r\nInjected: yes"}})) == "message.headers");
    CHECK(refused(headers({{"n", "\xff"}})) == "message.headers");
    CHECK(refused(headers({{"", "v"}})) == "message.headers");
    CHECK(refused(headers({{"a:b", "v"}})) == "message.headers");
}

TEST_CASE("a traceparent has the form of W3C Trace Context", "[message]") {
    std::string const good = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";
    CHECK(refused({.topic = "t", .traceparent = good}) == "accepted");
    for (std::size_t i = 0; i < good.size(); ++i) {
        auto bad = good;
        bad[i] = i == 2 || i == 35 || i == 52 ? '0' : 'A';
        INFO(bad);
        CHECK(refused({.topic = "t", .traceparent = bad}) == "message.traceparent");
    }
    CHECK(refused({.topic = "t", .traceparent = good + "-00"}) == "message.traceparent");
}

TEST_CASE("a time of delivery lies between 1970 and 9999", "[message]") {
    using namespace std::chrono;
    using time = sys_time<microseconds>;
    CHECK(refused({.topic = "t", .deliver_at = sys_days{year{1970} / 1 / 1}}) == "accepted");
    CHECK(refused({.topic = "t", .deliver_at = sys_days{year{9999} / 12 / 31}}) == "accepted");
    CHECK(refused({.topic = "t", .deliver_at = sys_days{year{1969} / 12 / 31}}) == "message.deliver_at");
    CHECK(refused({.topic = "t", .deliver_at = time::max()}) == "message.deliver_at");
    CHECK(refused({.topic = "t", .deliver_at = time::min()}) == "message.deliver_at");
}

TEST_CASE("arrays are written as the protocol wants them", "[message]") {
    binary_array array{element_type::text};
    CHECK(array.nothing_but_nulls());
    CHECK(hex(array.finish()) == "000000000000000000000019");
    array.add("ab");
    CHECK_FALSE(array.nothing_but_nulls());
    CHECK(hex(array.finish()) == "0000000100000000000000190000000100000001"
                                 "000000026162");
    array.add_null();
    array.add("");
    CHECK(hex(array.finish()) == "0000000100000001000000190000000300000001"
                                 "000000026162ffffffff00000000");
    array.clear();
    array.add_null();
    CHECK(array.nothing_but_nulls());
    binary_array numbers{element_type::int8};
    numbers.add_int8(-2);
    CHECK(hex(numbers.finish()) == "0000000100000000000000140000000100000001"
                                   "00000008fffffffffffffffe");
}

TEST_CASE("staged messages say when a statement has become large enough", "[message]") {
    once::detail::staged_messages few;
    CHECK(few.empty());
    few.add({.topic = "t", .payload = once::body::text(std::string(once::max_payload_bytes, 'x'))});
    CHECK(few.full());
    once::sql::outbox_statements const texts{"once"};
    CHECK(few.take(texts).size() == 1);
    CHECK(few.empty());
    CHECK_FALSE(few.full());
    std::size_t added = 0;
    while (!few.full()) {
        few.add({.topic = "t"});
        ++added;
    }
    CHECK(added == once::detail::staged_messages::most_messages);
}
