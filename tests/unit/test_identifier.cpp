// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/identifier.hpp>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <string>

using namespace std::string_literals;

TEST_CASE("a table name is always quoted, each part for itself", "[identifier]") {
    CHECK(once::table_name{"orders"}.quoted() == R"("orders")");
    CHECK(once::table_name{"shop.orders"}.quoted() == R"("shop"."orders")");
    CHECK(once::table_name{"_a1.select"}.quoted() == R"("_a1"."select")");
    CHECK(once::table_name{"shop.orders"}.text() == "shop.orders");
}

TEST_CASE("a part may have 63 bytes and not 64", "[identifier]") {
    std::string const longest(63, 'a');
    CHECK(once::table_name{longest + '.' + longest}.text().size() == 127);
    CHECK_THROWS_AS(once::table_name{longest + 'a'}, once::invalid_argument);
    CHECK_THROWS_AS(once::table_name{"shop." + longest + 'a'}, once::invalid_argument);
    CHECK_THROWS_AS(once::table_name{longest + "a.orders"}, once::invalid_argument);
}

TEST_CASE("a table name outside of the allow-list is refused, naming the field and not the value",
          "[identifier]") {
    auto const bad = GENERATE(values<std::string>({
        "",
        ".",
        "shop.",
        ".orders",
        "a.b.c",
        "a..b",
        "shop orders",
        " orders",
        "orders ",
        "orders\n",
        "Orders",
        "ORDERS",
        "1orders",
        "shop.1",
        "or\"ders",
        "\"orders\"",
        "or'ders",
        "orders;drop table x",
        "orders--",
        "a-b",
        "a$b",
        "\xC3\xA4",
        "ord\xC3\xA9rs",
        "\xEF\xBC\x8E",
        "orders\0"s,
        "or\0ders"s,
        "\0"s,
        "or/**/ders",
        "a\\b",
    }));
    CAPTURE(bad);
    try {
        once::table_name const name{bad, "the_field"};
        FAIL("accepted");
    } catch (once::invalid_argument const& refused) {
        CHECK(refused.field() == "the_field");
        if (bad.size() > 2) {
            CHECK(std::string{refused.what()}.find(bad) == std::string::npos);
        }
    }
}

static_assert(once::is_identifier("version"));
static_assert(once::is_identifier("_"));
static_assert(!once::is_identifier("a.b"));
static_assert(!once::is_identifier(""));
static_assert(!once::is_identifier("9a"));
