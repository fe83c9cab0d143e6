// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/repository.hpp>

#include "support/database.hpp"
#include "support/refusal.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <nlohmann/json.hpp>
#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/transaction>

#include <bit>
#include <chrono>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

using namespace std::chrono;
using namespace std::string_literals;

namespace {

enum class level : std::int16_t { low = -1, high = 7 };
enum class status { open, paid };

class account {
public:
    using value_type = std::int64_t;
    account() = default;
    explicit account(std::int64_t number) : m_number{number} {}
    [[nodiscard]] std::int64_t const& value() const { return m_number; }

private:
    std::int64_t m_number = 0;
};

struct everything {
    std::string id{};
    bool yes{};
    std::int16_t small{};
    std::int32_t middle{};
    std::int64_t big{};
    float single{};
    double twice{};
    std::string words{};
    std::optional<std::string> maybe{};
    once::timestamp stamp{};
    sys_seconds second{};
    system_clock::time_point clock{};
    std::optional<once::timestamp> perhaps{};
    year_month_day day{year{2000} / January / 1};
    nlohmann::json doc{};
    nlohmann::json docb{};
    std::vector<std::byte> raw{};
    std::optional<std::vector<std::byte>> more{};
    level number{level::high};
    status word{status::open};
    status kind{status::open};
    account owner{};
};

void create_table(pqxx::transaction_base& tx) {
    tx.exec(R"sql(
        create type pay as enum ('open', 'paid');
        create table everything (
            id text primary key, yes boolean not null, small smallint not null, middle integer not null,
            big bigint not null, single real not null, twice double precision not null, words text not null,
            maybe text, stamp timestamptz not null, second timestamptz not null, clock timestamptz not null,
            perhaps timestamptz, day date not null, doc json not null, docb jsonb not null, raw bytea not null,
            more bytea, number smallint not null, word text not null, kind pay not null, owner bigint not null
        )
    )sql");
}

} // namespace

template <>
inline constexpr auto once::enum_names<status> =
    std::to_array<once::enum_name<status>>({{status::open, "open"}, {status::paid, "paid"}});

template <>
struct once::mapping<everything> {
    using row = everything;
    static constexpr auto columns = once::columns(
        once::id("id", &row::id), once::column("yes", &row::yes), once::column("small", &row::small),
        once::column("middle", &row::middle), once::column("big", &row::big),
        once::column("single", &row::single), once::column("twice", &row::twice),
        once::column("words", &row::words), once::column("maybe", &row::maybe),
        once::column("stamp", &row::stamp), once::column("second", &row::second),
        once::column("clock", &row::clock), once::column("perhaps", &row::perhaps),
        once::column("day", &row::day), once::column("doc", &row::doc), once::column("docb", &row::docb),
        once::column("raw", &row::raw), once::column("more", &row::more),
        once::column("number", &row::number), once::column("word", &row::word),
        once::column("kind", &row::kind), once::column("owner", &row::owner));
};

namespace {

everything round_trip(pqxx::transaction_base& tx, everything const& sent) {
    once::repository<everything> const table{"everything"};
    auto const back = table.insert(tx, sent);
    REQUIRE(back.inserted);
    return table.find(tx, sent.id).value();
}

} // namespace

// More than 60 lines: a table of types and values.
TEST_CASE("every type comes back as it was sent, whatever the session is set to", "[repository][values]") {
    auto const settings = GENERATE(values<std::string>({
        "select 1",
        "set datestyle = 'SQL, DMY'; set timezone = 'Asia/Kathmandu'; set bytea_output = 'escape'; "
        "set intervalstyle = 'sql_standard'; set extra_float_digits = -15",
        "set datestyle = 'German'; set timezone = 'America/St_Johns'; set extra_float_digits = 0; "
        "set standard_conforming_strings = off; set lc_numeric = 'C'",
        "set datestyle = 'Postgres, MDY'; set timezone = '-13:37'; set bytea_output = 'hex'; "
        "set intervalstyle = 'iso_8601'; set xmlbinary = 'hex'",
    }));
    CAPTURE(settings);
    once::testing::test_database const database;
    pqxx::connection connection{database.dsn()};
    pqxx::work tx{connection};
    create_table(tx);
    tx.exec(settings);

    everything sent;
    sent.id = "all";
    sent.yes = true;
    sent.small = std::numeric_limits<std::int16_t>::min();
    sent.middle = std::numeric_limits<std::int32_t>::max();
    sent.big = std::numeric_limits<std::int64_t>::min();
    sent.single = 0.1F;
    sent.twice = 0.1 + 0.2;
    sent.words = "it's \"quoted\" \\x00 $1 gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80\n\t\x7F";
    sent.stamp = sys_days{year{2026} / March / 29} + 1h + 30min + microseconds{123456};
    sent.second = sys_days{year{1} / January / 1};
    sent.clock = sys_days{year{1969} / July / 20} + 20h + microseconds{1};
    sent.day = year{9999} / December / 31;
    sent.doc = {{"text", "a\0b"s}, {"list", {1, 2.5, nullptr}}};
    sent.docb = {{"b", 1}, {"a", true}};
    for (int i = 0; i < 256; ++i) {
        sent.raw.push_back(static_cast<std::byte>(i));
    }
    sent.number = level::low;
    sent.word = status::paid;
    sent.kind = status::paid;
    sent.owner = account{42};

    auto const back = round_trip(tx, sent);
    CHECK(back.yes == sent.yes);
    CHECK(back.small == sent.small);
    CHECK(back.middle == sent.middle);
    CHECK(back.big == sent.big);
    CHECK(back.single == sent.single);
    CHECK(back.twice == sent.twice);
    CHECK(back.words == sent.words);
    CHECK(back.maybe == sent.maybe);
    CHECK((back.stamp == sent.stamp));
    CHECK((back.second == sent.second));
    CHECK((back.clock == sent.clock));
    CHECK_FALSE(back.perhaps);
    CHECK((back.day == sent.day));
    CHECK(back.doc == sent.doc);
    CHECK(back.docb == sent.docb);
    CHECK((back.raw == sent.raw));
    CHECK_FALSE(back.more);
    CHECK(back.number == sent.number);
    CHECK(back.word == sent.word);
    CHECK(back.kind == sent.kind);
    CHECK(back.owner.value() == sent.owner.value());
    // What the server thinks it got, not only what comes back.
    CHECK(tx.query_value<std::string>("select doc::text from everything") == sent.doc.dump());
    CHECK(tx.query_value<int>("select octet_length(raw) from everything") == 256);
    CHECK(tx.query_value<bool>(
        "select stamp = '2026-03-29T01:30:00.123456Z' and word = 'paid' and single = 0.1::real "
        "and kind = 'paid' and day = date '9999-12-31' from everything"));
}

TEST_CASE("the far ends of every type come back as they were sent", "[repository][values]") {
    once::testing::test_database const database;
    pqxx::connection connection{database.dsn()};
    pqxx::work tx{connection};
    create_table(tx);
    everything sent;
    sent.id = "";
    sent.small = std::numeric_limits<std::int16_t>::max();
    sent.middle = std::numeric_limits<std::int32_t>::min();
    sent.big = std::numeric_limits<std::int64_t>::max();
    sent.single = std::numeric_limits<float>::denorm_min();
    sent.twice = std::numeric_limits<double>::denorm_min();
    sent.maybe = "";
    sent.stamp = once::timestamp::max();
    sent.second = sys_seconds::min();
    sent.clock = system_clock::time_point::max();
    sent.perhaps = once::timestamp::min();
    sent.day = year::max() / December / 31;
    sent.more.emplace();
    auto const back = round_trip(tx, sent);
    CHECK(back.small == sent.small);
    CHECK(back.middle == sent.middle);
    CHECK(back.big == sent.big);
    CHECK(back.single == sent.single);
    CHECK(back.twice == sent.twice);
    CHECK(back.maybe == sent.maybe);
    CHECK((back.stamp == sent.stamp));
    CHECK((back.second == sent.second));
    CHECK((back.clock == sent.clock));
    CHECK((back.perhaps == sent.perhaps));
    CHECK((back.day == sent.day));
    CHECK(back.doc.is_null());
    CHECK(back.raw.empty());
    REQUIRE(back.more);
    CHECK(back.more->empty());
    CHECK(tx.query_value<bool>(
        "select stamp = 'infinity' and second = '-infinity' and clock = 'infinity' "
        "and perhaps = '-infinity' and day = 'infinity' and doc::text = 'null' from everything"));
}

TEST_CASE("numbers that are no numbers come back, too", "[repository][values]") {
    once::testing::test_database const database;
    pqxx::connection connection{database.dsn()};
    pqxx::work tx{connection};
    create_table(tx);
    everything sent;
    sent.id = "nan";
    sent.single = -std::numeric_limits<float>::infinity();
    sent.twice = std::numeric_limits<double>::quiet_NaN();
    auto back = round_trip(tx, sent);
    CHECK(back.single == sent.single);
    CHECK(std::isnan(back.twice));
    sent.id = "minus zero";
    sent.single = std::numeric_limits<float>::quiet_NaN();
    sent.twice = -0.0;
    back = round_trip(tx, sent);
    CHECK(std::isnan(back.single));
    CHECK((back.twice == 0.0 && std::signbit(back.twice)));
}

TEST_CASE("what a member cannot hold is a corrupt record that names the column", "[repository][values]") {
    struct damage {
        std::string sql;
        std::string column;
    };
    auto const [sql, column] = GENERATE(values<damage>({
        {"alter table everything alter small type bigint; update everything set small = 32768", "small"},
        {"alter table everything alter big type numeric; update everything set big = 1.5", "big"},
        {"alter table everything alter single type float8; update everything set single = 0.1", "single"},
        {"update everything set second = '2026-01-01 00:00:00.5Z'", "second"},
        {"update everything set clock = '2300-01-01'", "clock"},
        {"update everything set day = '32768-01-01'", "day"},
        {"update everything set word = 'lost'", "word"},
        {"alter table everything alter doc type text; update everything set doc = '{'", "doc"},
        {"alter table everything alter yes type text; update everything set yes = 'maybe'", "yes"},
        {"alter table everything alter words drop not null; update everything set words = null", "words"},
    }));
    CAPTURE(sql);
    once::testing::test_database const database;
    pqxx::connection connection{database.dsn()};
    pqxx::work tx{connection};
    create_table(tx);
    everything sent;
    sent.id = "a";
    sent.words = "secret";
    round_trip(tx, sent);
    tx.exec(sql);
    once::repository<everything> const table{"everything"};
    try {
        auto const found = table.find(tx, "a");
        FAIL("read " << found.has_value());
    } catch (once::corrupt_record const& corrupt) {
        CHECK(std::string{corrupt.what()}.find("everything." + column) != std::string::npos);
    }
}

TEST_CASE("a value that its type cannot write is refused, naming the column", "[repository][values]") {
    once::testing::test_database const database;
    pqxx::connection connection{database.dsn()};
    pqxx::work tx{connection};
    create_table(tx);
    auto const field_of = [&](everything const& bad) {
        once::repository<everything> const table{"everything"};
        return once::testing::refused_field(
            [&] { return table.insert(tx, bad).inserted ? "inserted" : "found"; });
    };
    everything bad;
    bad.maybe = "a\0b"s;
    CHECK(field_of(bad) == "everything.maybe");
    bad = {};
    bad.doc = "\xFF";
    CHECK(field_of(bad) == "everything.doc");
    bad = {};
    bad.day = year{2023} / February / 30;
    CHECK(field_of(bad) == "everything.day");
    bad = {};
    bad.stamp = sys_days{year{10'000} / January / 1};
    CHECK(field_of(bad) == "everything.stamp");
    bad = {};
    bad.word = static_cast<status>(99);
    CHECK(field_of(bad) == "everything.word");
}
