// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/repository.hpp>

#include "support/database.hpp"
#include "support/seed.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <nlohmann/json.hpp>
#include <pqxx/connection>
#include <pqxx/transaction>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace {

/// Members that show less than their columns hold, beside others.
struct kept {
    std::int64_t id{};
    std::string touched{};
    nlohmann::json doc{};
    nlohmann::json docb{};
    std::optional<nlohmann::json> maybe{};
    std::string digits{};
    double rate{};
    double ratio{};
    float single{};
    double share{};
    std::string code{};
    once::timestamp at{};
    once::timestamp plain{};
    std::chrono::year_month_day day{};
    std::vector<std::byte> raw{};
    std::string words{};
    std::string span{};
    std::string pair{};
    std::string pause{};
    std::int64_t version{};
};

constexpr auto kept_tables = R"sql(
    create domain share as numeric;
    create domain code as varchar(40) check (value <> '');
    create type pair as (name text, amount numeric);
    create table kept (
        id bigint primary key, touched text not null, doc json not null, docb jsonb not null, maybe json,
        digits numeric not null, rate numeric not null, ratio double precision not null, single real not null,
        share share not null, code code not null, at timestamptz not null, plain timestamp not null, day date not null,
        raw bytea not null, words text[] not null, span numrange not null, pair pair not null, pause interval not null,
        version bigint not null
    );
)sql";

} // namespace

template <>
struct once::mapping<kept> {
    static constexpr auto columns = once::columns(
        once::id("id", &kept::id), once::column("touched", &kept::touched), once::column("doc", &kept::doc),
        once::column("docb", &kept::docb), once::column("maybe", &kept::maybe),
        once::column("digits", &kept::digits), once::column("rate", &kept::rate),
        once::column("ratio", &kept::ratio), once::column("single", &kept::single),
        once::column("share", &kept::share), once::column("code", &kept::code), once::column("at", &kept::at),
        once::column("plain", &kept::plain), once::column("day", &kept::day), once::column("raw", &kept::raw),
        once::column("words", &kept::words), once::column("span", &kept::span),
        once::column("pair", &kept::pair), once::column("pause", &kept::pause),
        once::version("version", &kept::version));
};

namespace {

/// Literals of SQL for values of each type, made by chance; now and then one that its member cannot hold.
class literals {
public:
    explicit literals(std::uint64_t seed) : m_random{seed} {}

    int below(int limit) { return std::uniform_int_distribution<int>{0, limit - 1}(m_random); }

    template <std::size_t Count>
    std::string one_of(std::array<char const*, Count> const& choices) {
        return choices[static_cast<std::size_t>(below(static_cast<int>(Count)))];
    }

    std::string number() {
        std::string text = below(2) == 0 ? "" : "-";
        for (int i = below(60) == 0 ? 30 : 1 + below(6); i > 0; --i) {
            text += static_cast<char>('0' + below(10));
        }
        text.insert(text.starts_with('-') ? 1 : 0, "1"); // JSON has no zeros in front
        if (below(2) == 0) {
            text += '.';
            for (int i = below(60) == 0 ? 25 : 1 + below(4); i > 0; --i) {
                text += static_cast<char>('0' + below(10));
            }
        }
        return text;
    }

    std::string json(int depth = 0) {
        switch (below(depth > 2 ? 3 : 5)) {
        case 0:
            return number() + one_of(std::array{"", "", "e5", "E-3", "e+2"});
        case 1:
            return one_of(std::array{"true", "null", "\"\"", "-0", "0", "0.10", "18446744073709551615",
                                     "\"\xC3\xBC\""});
        case 2:
            return one_of(std::array{"\"a\\u0062\"", "\"\\/\"", "[ ]", "{ }", "\"quo\\\"te\""});
        case 3:
            return "[" + json(depth + 1) + " ,  " + json(depth + 1) + "]";
        default:
            return "{\"z\" : " + json(depth + 1) + ", \"a\":" + json(depth + 1) +
                   (below(200) == 0 ? ", \"a\": 1}" : "}");
        }
    }

    std::string moment() {
        return one_of(std::array{"2026-03-29 01:30:00.123456", "infinity", "-infinity",
                                 "0044-03-15 10:00:00 BC", "1969-12-31 23:59:59.999999",
                                 "20000-01-01 00:00:00", "0001-01-01 00:00:00"});
    }

    std::string row(int id) {
        auto const text = [](std::string const& value) { return '\'' + value + '\''; };
        auto const maybe = below(2) == 0 ? "null" : text(json());
        std::string values = std::to_string(id) + ", 'before'";
        for (auto const& one :
             {text(json()), text(json()), maybe, number() + "0", number(), text(number()),
              text(one_of(std::array{"1.5", "NaN", "-0", "1e30"})),
              one_of(std::array{"0.10", "-7.000", "'NaN'", "1e3"}),
              text(one_of(std::array{"a", " b ", "\\x00"})), text(moment()), text(moment()),
              text(one_of(std::array{"2026-02-28", "infinity", "0044-03-15 BC"})),
              text(one_of(std::array{"\\x", "\\x00ff275c", "abc"})),
              text(one_of(std::array{"{}", "{NULL,\"NULL\",\"a,b\"}", "[2:3]={x,y}", "{{a},{b}}"})),
              text("[" + std::to_string(below(9)) + ".50," + std::to_string(10 + below(9)) + ".0)"),
              text(one_of(std::array{"(,)", "(\"a b\",1.10)", "(\"\",-0.00)"})),
              text(one_of(std::array{"1 year -3 days 04:05:06.789", "-00:00:01", "2 mons"}))}) {
            values += ", " + one;
        }
        return "insert into kept values (" + values + ", 1)";
    }

private:
    std::mt19937_64 m_random;
};

constexpr auto all_but_touched =
    "doc, docb, maybe, digits, rate, ratio, single, share, code, at, plain, day, raw, words, "
    "span, pair, pause";

/// How many rows differ from their saved copies in a byte of a column that nobody touched.
int damaged(pqxx::work& tx) {
    auto const row_of = [](std::string const& table) {
        std::string columns;
        std::string name;
        for (char const c : std::string{all_but_touched} + ",") {
            if (c == ',') {
                columns += (columns.empty() ? "" : ", ") + table + '.' + name;
                name.clear();
            } else if (c != ' ') {
                name += c;
            }
        }
        return "(select r from (select " + columns +
               ") as r)"; // of ROW(...), the operator would compare field by field
    };
    return tx.query_value<int>("select count(*) from kept join saved using (id) where not (" +
                               row_of("kept") + " *= " + row_of("saved") + ")");
}

} // namespace

TEST_CASE("a change of one column leaves every byte of all others, whatever their types and the session are",
          "[repository][lossless]") {
    once::testing::test_database const database;
    pqxx::connection connection{database.dsn()};
    pqxx::work tx{connection};
    INFO("ONCE_SEED=" << once::testing::seed());
    literals random{once::testing::seed()};
    tx.exec(kept_tables);
    constexpr int rows = 400;
    for (int id = 0; id < rows; ++id) {
        tx.exec(random.row(id));
    }
    tx.exec("create table saved as table kept");
    tx.exec(random.one_of(std::array{"set local datestyle = 'SQL, DMY'; set local extra_float_digits = -15; "
                                     "set local bytea_output = 'escape'",
                                     "set local datestyle = 'German'; set local intervalstyle = "
                                     "'sql_standard'; set local timezone = 'Asia/Kathmandu'",
                                     "set local array_nulls = off; set local intervalstyle = 'iso_8601'; set "
                                     "local extra_float_digits = 0"}));
    once::repository<kept> const table{"kept"};
    int written = 0;
    int refused = 0;
    for (int id = 0; id < rows; ++id) {
        try {
            if (random.below(2) == 0) {
                auto const result = table.modify(tx, id, [](kept& row) { row.touched = "after"; });
                REQUIRE(std::holds_alternative<once::modified<kept>>(result));
            } else {
                auto row = table.find(tx, id).value();
                row.touched = "after";
                REQUIRE(std::holds_alternative<once::updated<kept>>(table.update(tx, row)));
            }
            ++written;
        } catch (once::corrupt_record const&) {
            ++refused; // more digits than the member holds: nothing is written
        }
    }
    CHECK(damaged(tx) == 0);
    CHECK(tx.query_value<int>("select count(*) from kept where touched = 'after' and version = 2") ==
          written);
    CHECK(tx.query_value<int>("select count(*) from kept where touched = 'before' and version = 1") ==
          refused);
    CHECK(written > rows / 4);
    CHECK(refused > 0);
}

TEST_CASE("what a member would round is refused when it is read, and names the column",
          "[repository][lossless]") {
    struct loss {
        std::string sql;
        std::string column;
    };
    auto const [sql, column] = GENERATE(values<loss>({
        {"doc = '{\"wei\":123456789012345678901234567890}'", "doc"},
        {"docb = '[0.1000000000000000055511151231257827]'", "docb"},
        {"doc = '{\"a\":1,\"b\":{\"c\":1,\"c\":2}}'", "doc"},
        {"doc = '1e400'", "doc"},
        {"rate = 12345678901234567.89", "rate"},
        {"share = 0.12345678901234567890123", "share"},
    }));
    CAPTURE(sql);
    once::testing::test_database const database;
    pqxx::connection connection{database.dsn()};
    pqxx::work tx{connection};
    tx.exec(kept_tables);
    tx.exec("insert into kept values (1, '', '1', '1', null, 1, 0.1, 1, 1, 0.10, 'a', now(), now(), now(), "
            "'', '{}', '[1,2]', "
            "'(,)', '1s', 1)");
    once::repository<kept> const table{"kept"};
    CHECK(table.find(tx, 1).value().rate == 0.1);
    CHECK(table.find(tx, 1).value().share == 0.1);
    tx.exec("update kept set " + sql);
    try {
        static_cast<void>(table.find(tx, 1));
        FAIL("it was read");
    } catch (once::corrupt_record const& refused) {
        CHECK_THAT(refused.what(), Catch::Matchers::ContainsSubstring("kept." + column) &&
                                       Catch::Matchers::ContainsSubstring("std::string"));
        CHECK_THAT(refused.what(), !Catch::Matchers::ContainsSubstring("123456"));
    }
}

TEST_CASE("an update needs rights only on the columns that it changes, and fires only their triggers",
          "[repository][lossless]") {
    once::testing::test_database const database;
    pqxx::connection connection{database.dsn()};
    pqxx::work tx{connection};
    tx.exec(kept_tables);
    tx.exec(
        "insert into kept values (1, '', '1', '1', null, 1, 1, 1, 1, 1, 'a', now(), now(), now(), '', '{}', "
        "'[1,2]', "
        "'(,)', '1s', 1);"
        "create function alarm() returns trigger language plpgsql as 'begin raise exception ''touched''; "
        "end';"
        "create trigger alarm before update of doc, raw on kept for each row execute function alarm();"
        "grant select, update (touched, version) on kept to public; grant usage on schema public to public;"
        "set local role pg_read_all_settings");
    once::repository<kept> const table{"kept"};
    auto const before = table.find(tx, 1).value();
    auto after = before;
    after.touched = "x";
    CHECK(std::holds_alternative<once::updated<kept>>(table.update(tx, before, after)));
    CHECK(table.find(tx, 1).value().touched == "x");
    CHECK(std::holds_alternative<once::stale<kept>>(table.update(tx, before, after)));
    CHECK(std::holds_alternative<once::missing>(table.update(tx, kept{.id = 2}, kept{.id = 2})));
}

TEST_CASE("a changed value that its type cannot write is refused, an unchanged one is left alone",
          "[repository][lossless]") {
    once::testing::test_database const database;
    pqxx::connection connection{database.dsn()};
    pqxx::work tx{connection};
    tx.exec(kept_tables);
    tx.exec("insert into kept values (1, '', '1', '1', null, 1, 1, 1, 1, 1, 'a', '0044-03-15 BC', now(), "
            "now(), '', '{}', "
            "'[1,2]', '(,)', '1s', 1)");
    once::repository<kept> const table{"kept"};
    CHECK(std::holds_alternative<once::modified<kept>>(
        table.modify(tx, 1, [](kept& row) { row.touched = "x"; })));
    CHECK_THROWS_AS(table.modify(tx, 1, [](kept& row) { row.at -= std::chrono::years{1}; }),
                    once::invalid_argument);
    CHECK(tx.query_value<std::string>("select extract(year from at) from kept") == "-44");
}
