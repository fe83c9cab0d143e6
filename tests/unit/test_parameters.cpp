// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/statement.hpp>

#include <catch2/catch_test_macros.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using namespace std::string_literals;
using once::parameters;

namespace {

/// The one value as text; "NULL" for null.
template <class T>
std::string sent(T const& value) {
    auto const values = parameters{value}.values();
    REQUIRE(values.size() == 1);
    CHECK_FALSE(values[0].binary);
    return values[0].data.value_or("NULL");
}

} // namespace

TEST_CASE("numbers, bools, texts and optionals become the text that the server reads back", "[parameters]") {
    CHECK(sent(0) == "0");
    CHECK(sent(std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
    CHECK(sent(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
    CHECK(sent(std::int16_t{-7}) == "-7");
    CHECK(sent(0.1) == "0.1");
    CHECK(sent(std::numeric_limits<double>::infinity()) == "inf");
    CHECK(sent(true) == "t");
    CHECK(sent(false) == "f");
    CHECK(sent("text") == "text");
    CHECK(sent(""s) == "");
    CHECK(sent(std::string_view{"view"}) == "view");
    CHECK(sent(std::nullopt) == "NULL");
    CHECK(sent(std::optional<int>{}) == "NULL");
    CHECK(sent(std::optional{5}) == "5");
    CHECK(sent(std::optional{"x"s}) == "x");
}

TEST_CASE("an unfit text is refused by its placeholder, without showing it", "[parameters]") {
    for (std::string const& bad :
         {"sec\0ret"s, "secret\0"s, "sec\xffret"s, "secret\xed\xa0\x80"s, "secret\xc3"s}) {
        try {
            parameters const made{1, std::optional<int>{}, bad};
            FAIL("accepted");
        } catch (once::invalid_argument const& e) {
            CHECK(e.field() == "parameter $3");
            CHECK(std::string{e.what()}.find("secret") == std::string::npos);
            CHECK(std::string{e.what()}.find('\0') == std::string::npos);
        }
    }
}

TEST_CASE("bytes are kept as they are and travel binary", "[parameters]") {
    std::array const bytes{std::byte{0}, std::byte{0xff}, std::byte{'a'}, std::byte{0}};
    auto const values = parameters{std::span<std::byte const>{bytes}}.values();
    REQUIRE(values.size() == 1);
    CHECK(values[0].binary);
    CHECK(values[0].data == "\0\xff"s + "a\0"s);
    CHECK(parameters{std::span<std::byte const>{}}.values()[0].data == "");
}

TEST_CASE("the values keep the order of their placeholders", "[parameters]") {
    parameters made{"a", 2};
    made.add(std::nullopt).add("d");
    REQUIRE(made.size() == 4);
    CHECK(made.values()[0].data == "a");
    CHECK(made.values()[1].data == "2");
    CHECK_FALSE(made.values()[2].data.has_value());
    CHECK(made.values()[3].data == "d");
    CHECK(parameters{}.size() == 0);
}
