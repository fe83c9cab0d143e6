// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/fingerprint.hpp>

#include <catch2/catch_test_macros.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using namespace std::string_literals;
using once::fingerprint;

TEST_CASE("where one part ends and the next begins is part of the fingerprint", "[fingerprint]") {
    CHECK(fingerprint{"ab", "c"} != fingerprint{"a", "bc"});
    CHECK(fingerprint{"abc"} != fingerprint{"ab", "c"});
    CHECK(fingerprint{"", "a"} != fingerprint{"a", ""});
    CHECK(fingerprint{"a"} != fingerprint{"a", ""});
    CHECK(fingerprint{"a", "b"} != fingerprint{"b", "a"});
    // A part that looks like the length prefix of another does not imitate it.
    CHECK(fingerprint{"\0\0\0\0\0\0\0\1a"s} != fingerprint{"", "a"});
}

TEST_CASE("equal parts give equal fingerprints whatever type carries them", "[fingerprint]") {
    std::string const text = "POST /orders";
    CHECK(fingerprint{text, std::string_view{"body"}} == fingerprint{"POST /orders", "body"});
}

TEST_CASE("each part is preceded by its length in eight big-endian bytes", "[fingerprint]") {
    CHECK(fingerprint{"ab"}.preimage() == "\0\0\0\0\0\0\0\2ab"s);
    CHECK(fingerprint{"", "x"}.preimage() == "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1x"s);
    CHECK(fingerprint{std::string(258, 'x')}.preimage().substr(0, 9) == "\0\0\0\0\0\0\1\2x"s);
}

TEST_CASE("bytes are taken as they are, NUL included", "[fingerprint]") {
    CHECK(fingerprint{"a\0b"s} != fingerprint{"a"});
    CHECK(fingerprint{"a\0b"s}.preimage().size() == 8 + 3);
}

TEST_CASE("no fingerprint is empty, and the fingerprint of an empty part is not", "[fingerprint]") {
    CHECK(fingerprint{once::no_fingerprint}.empty());
    CHECK_FALSE(fingerprint{""}.empty());
    CHECK(fingerprint{once::no_fingerprint} != fingerprint{""});
}

TEST_CASE("a digest has 32 bytes and nothing else", "[fingerprint]") {
    for (std::size_t const size : {0U, 1U, 20U, 31U, 33U, 64U}) {
        INFO(size);
        std::vector<std::byte> const digest(size);
        CHECK_THROWS_AS(fingerprint::from_digest(digest), once::invalid_argument);
    }
    std::array<std::byte, 32> digest{};
    digest[31] = std::byte{0xff};
    auto const made = fingerprint::from_digest(digest);
    CHECK_FALSE(made.empty());
    CHECK(made.preimage().empty());
    CHECK(made.digest() == std::string(31, '\0') + '\xff');
}
