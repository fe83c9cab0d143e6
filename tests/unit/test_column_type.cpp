// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/column_type.hpp>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

using namespace std::chrono;
using namespace std::string_literals;
using once::column_type;
using once::value_error;

namespace {

enum class plain_number : std::int16_t { low = -5, high = 9 };
enum class status { open, paid, forgotten };

class order_number {
public:
    using value_type = std::string;
    explicit order_number(std::string text) : m_text{std::move(text)} {}
    [[nodiscard]] std::string const& value() const { return m_text; }

private:
    std::string m_text;
};

struct stranger {};

} // namespace

template <>
inline constexpr auto once::enum_names<status> =
    std::to_array<once::enum_name<status>>({{status::open, "open"}, {status::paid, "paid"}});

static_assert(once::column_value<order_number>);
static_assert(!once::column_value<stranger>);
static_assert(!once::column_value<char>);
static_assert(!once::column_value<std::optional<int>>);
static_assert(!once::column_value<sys_days>);

TEST_CASE("only plain decimal digits are read as a whole number", "[column_type]") {
    CHECK(column_type<int>::decode("-17") == -17);
    auto const bad = GENERATE(values<std::string>(
        {"", " 1", "1 ", "+1", "1e3", "0x10", "1.0", "-", "--1", "1_000", "NaN", "\xD9\xA1", "1\0"s}));
    CAPTURE(bad);
    CHECK_THROWS_AS(column_type<int>::decode(bad), value_error);
}

TEST_CASE("a number that does not fit the member is refused, never cut", "[column_type]") {
    CHECK(column_type<std::int8_t>::decode("-128") == -128);
    CHECK_THROWS_AS(column_type<std::int8_t>::decode("128"), value_error);
    CHECK_THROWS_AS(column_type<std::uint8_t>::decode("-1"), value_error);
    CHECK_THROWS_AS(column_type<std::int16_t>::decode("32768"), value_error);
    CHECK_THROWS_AS(column_type<std::int32_t>::decode("2147483648"), value_error);
    CHECK_THROWS_AS(column_type<std::int64_t>::decode("9223372036854775808"), value_error);
    CHECK(column_type<std::uint64_t>::decode("18446744073709551615") ==
          std::numeric_limits<std::uint64_t>::max());
    CHECK_THROWS_AS(column_type<std::uint64_t>::decode("18446744073709551616"), value_error);
    CHECK(column_type<std::int8_t>::encode(-128) == "-128");
    CHECK(column_type<std::int64_t>::encode(std::numeric_limits<std::int64_t>::min()) ==
          "-9223372036854775808");
}

TEST_CASE("a text with NUL or broken UTF-8 is not written", "[column_type]") {
    CHECK(column_type<std::string>::encode("gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80") ==
          "gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80");
    auto const bad = GENERATE(values<std::string>({
        "a\0b"s,
        "\0"s,
        "\x80",
        "\xC3",
        "\xC0\x80",
        "\xC1\xBF",
        "\xE0\x9F\xBF",
        "\xED\xA0\x80",
        "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80",
        "\xFF",
        "\xE2\x82",
        "\xE2\x82\x61",
        "\xF0\x9F\x98",
    }));
    CHECK_THROWS_AS(column_type<std::string>::encode(bad), value_error);
}

TEST_CASE("JSON with broken UTF-8 is not written, and what is not JSON is not read", "[column_type]") {
    CHECK_THROWS_AS(column_type<nlohmann::json>::encode(nlohmann::json("\xFF")), value_error);
    CHECK_THROWS_AS(column_type<nlohmann::json>::decode("{"), value_error);
    CHECK(column_type<nlohmann::json>::encode(nlohmann::json("a\0b"s)) == R"("a\u0000b")");
}

TEST_CASE("a moment is written with its offset, and max and min are the infinities", "[column_type]") {
    using stamp = column_type<once::timestamp>;
    CHECK(stamp::encode(once::timestamp{}) == "1970-01-01 00:00:00.000000+00");
    CHECK(stamp::encode(once::timestamp{microseconds{-1}}) == "1969-12-31 23:59:59.999999+00");
    CHECK(stamp::encode(once::timestamp::max()) == "infinity");
    CHECK(stamp::encode(once::timestamp::min()) == "-infinity");
    once::timestamp const first = sys_days{year{1} / January / 1};
    once::timestamp const beyond = sys_days{year{10'000} / January / 1};
    CHECK(stamp::encode(first) == "0001-01-01 00:00:00.000000+00");
    CHECK(stamp::encode(beyond - microseconds{1}) == "9999-12-31 23:59:59.999999+00");
    CHECK_THROWS_AS(stamp::encode(first - microseconds{1}), value_error);
    CHECK_THROWS_AS(stamp::encode(beyond), value_error);
    CHECK_THROWS_AS(stamp::encode(once::timestamp::max() - microseconds{1}), value_error);
    CHECK_THROWS_AS(column_type<sys_seconds>::encode(sys_seconds::max() - seconds{1}), value_error);
    CHECK(column_type<sys_seconds>::encode(sys_seconds::max()) == "infinity");
}

TEST_CASE("a moment that the member cannot hold is refused", "[column_type]") {
    using nanos = column_type<sys_time<nanoseconds>>;
    CHECK(nanos::decode("1") == sys_time<nanoseconds>{nanoseconds{1000}});
    CHECK(nanos::decode("-9223372036854775808") == sys_time<nanoseconds>::min());
    CHECK_THROWS_AS(nanos::decode("9223372036854775806"), value_error);
    CHECK_THROWS_AS(nanos::decode("-9223372036854775807"), value_error);
    // Nothing but an infinity may read as one.
    CHECK(nanos::decode("9223372036854775") == sys_time<nanoseconds>{nanoseconds{9223372036854775000}});
    CHECK(column_type<sys_seconds>::decode("2000000") == sys_seconds{seconds{2}});
    CHECK_THROWS_AS(column_type<sys_seconds>::decode("2000001"), value_error);
    CHECK(column_type<sys_seconds>::decode("9223372036854775807") == sys_seconds::max());
}

TEST_CASE("a date that does not exist is not written", "[column_type]") {
    using date = column_type<year_month_day>;
    CHECK(date::encode(year{2024} / February / 29) == "2024-02-29");
    CHECK_THROWS_AS(date::encode(year{2023} / February / 29), value_error);
    CHECK_THROWS_AS(date::encode(year{0} / January / 1), value_error);
    CHECK_THROWS_AS(date::encode(year{10'000} / January / 1), value_error);
    CHECK(date::encode(year::max() / December / 31) == "infinity");
    CHECK(date::decode("2147483647") == year::max() / December / 31);
    CHECK(date::decode("-1") == year{1969} / December / 31);
    CHECK_THROWS_AS(date::decode("2147483646"), value_error);
}

TEST_CASE("the infinities of a date come and go", "[column_type]") {
    for (auto const& [days, text] : {std::pair{"2147483647", "infinity"}, {"-2147483648", "-infinity"}}) {
        auto const date = column_type<year_month_day>::decode(days);
        CHECK(column_type<year_month_day>::encode(date) == text);
    }
    CHECK_THROWS_AS(column_type<year_month_day>::decode("2147483646"), value_error);
}

TEST_CASE("a double is read by its bits, and a float only when nothing is lost", "[column_type]") {
    CHECK(column_type<double>::decode("3fb999999999999a") == 0.1);
    CHECK(std::signbit(column_type<double>::decode("8000000000000000")));
    CHECK(std::isnan(column_type<double>::decode("7ff8000000000000")));
    CHECK(column_type<float>::decode("7ff0000000000000") == std::numeric_limits<float>::infinity());
    CHECK(column_type<float>::decode("3ff8000000000000") == 1.5F);
    CHECK_THROWS_AS(column_type<float>::decode("3fb999999999999a"), value_error);
    CHECK_THROWS_AS(column_type<float>::decode("7fefffffffffffff"), value_error);
    CHECK_THROWS_AS(column_type<double>::decode("0.1"), value_error);
    CHECK(column_type<double>::encode(0.1) == "0.1");
}

TEST_CASE("an enum is its number, or the name it was given", "[column_type]") {
    CHECK(column_type<plain_number>::encode(plain_number::low) == "-5");
    CHECK(column_type<plain_number>::decode("9") == plain_number::high);
    CHECK_THROWS_AS(column_type<plain_number>::decode("32768"), value_error);
    CHECK(column_type<status>::encode(status::paid) == "paid");
    CHECK(column_type<status>::decode("open") == status::open);
    CHECK_THROWS_AS(column_type<status>::encode(status::forgotten), value_error);
    CHECK_THROWS_AS(column_type<status>::decode("Open"), value_error);
}

TEST_CASE("a strong typedef travels as the value in it", "[column_type]") {
    CHECK(column_type<order_number>::encode(order_number{"A-17"}) == "A-17");
    CHECK(column_type<order_number>::decode("A-17").value() == "A-17");
    CHECK_THROWS_AS(column_type<order_number>::encode(order_number{"a\0"s}), value_error);
}

TEST_CASE("bytes are read from hexadecimal digits only", "[column_type]") {
    using bytes = column_type<std::vector<std::byte>>;
    CHECK(bytes::decode("00ff7f") == std::vector{std::byte{0}, std::byte{0xFF}, std::byte{0x7F}});
    CHECK(bytes::encode({std::byte{0}, std::byte{0xFF}}) == "\0\xFF"s);
    CHECK_THROWS_AS(bytes::decode("0"), value_error);
    CHECK_THROWS_AS(bytes::decode("\\x00"), value_error);
}
