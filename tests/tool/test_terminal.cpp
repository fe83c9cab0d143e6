// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "command.hpp"
#include "output.hpp"
#include "printable.hpp"
#include "relay/event_log.hpp"
#include "screen.hpp"
#include "times.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <sstream>

using Catch::Matchers::ContainsSubstring;
using namespace once::testing;
using once::command::columns_of;
using once::command::cut_to_columns;
using once::command::event_log;
using once::command::iso_seconds;
using once::command::iso_time;
using once::command::json_text;
using once::command::log_form;
using once::command::printable;
using once::command::printable_lines;
using once::command::read_time;
using once::command::relative_time;
using once::command::screen;
using once::command::short_interval;
using namespace std::chrono_literals;

namespace {

// One of each kind that a terminal obeys, or that people do not see.
std::string const hostile = "a\x1b[2J"
                            "\x07\x08\r\n\t"
                            "\x7f"
                            "\xc2\x9b"         // C1: CSI
                            "\xe2\x80\xae"     // right to left
                            "\xe2\x81\xa6"     // isolate
                            "\xe2\x80\x8b"     // of no width
                            "\xef\xbb\xbf"     // byte order mark
                            "\xf3\xa0\x80\xa1" // tag
                            "z";

bool is_harmless(std::string const& text) {
    return printable_lines(text) == text;
}

// As a terminal of so many columns.
command_result run_on_terminal(std::string const& dsn, std::vector<std::string> words, int columns,
                               bool colour = false) {
    words.insert(words.begin(), {"once", "--database", dsn});
    std::vector<char const*> arguments;
    for (auto const& word : words) {
        arguments.push_back(word.c_str());
    }
    screen const terminal{.terminal = true, .colour = colour, .columns = columns};
    std::ostringstream out;
    std::ostringstream err;
    once::command::set_screen(out, terminal);
    once::command::set_screen(err, terminal);
    int const status =
        once::command::run_command_line(static_cast<int>(arguments.size()), arguments.data(), {}, out, err);
    return {status, out.str(), err.str()};
}

std::size_t widest_line(std::string const& text) {
    std::size_t widest = 0;
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);) {
        widest = std::max(widest, columns_of(line));
    }
    return widest;
}

// A subscription with one dead message, whose key, payload, headers and error are what others have made of them.
void park_hostile(command_database<test_database> const& db) {
    db.sql("select once.subscribe('billing')");
    pqxx::connection connection{db.dsn()};
    pqxx::work tx{connection};
    tx.exec("select once.publish('t', $1, json_build_object('a', $1::text), p_content_type => "
            "'application/json')",
            pqxx::params{"k\xc2\x9b\xe2\x80\xae"});
    tx.commit();
    pqxx::work park{connection};
    auto const row = park.exec("select max(batch::text), max(id) from once.next_batch('billing')")[0];
    park.exec("select once.acknowledge('billing', 0, $1::once.batch, null, null, array[$2::bigint], "
              "'{dead}', array[$3])",
              pqxx::params{row[0].view(), row[1].view(), hostile});
    park.commit();
}

} // namespace

TEST_CASE("text of others is shown without anything that a terminal obeys or people do not see",
          "[terminal]") {
    CHECK(printable(hostile) ==
          R"(a\x1b[2J\x07\x08\r\n\t\x7f\u{009b}\u{202e}\u{2066}\u{200b}\u{feff}\u{e0021}z)");
    CHECK(printable_lines("a\n\x1b") == "a\n\\x1b");
    CHECK(printable("Gr\xc3\xbc\xc3\x9f"
                    "e, \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x98\x80") ==
          "Gr\xc3\xbc\xc3\x9f"
          "e, \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x98\x80");
    // Not UTF-8: stray, cut, overlong, surrogate, beyond the last code point.
    CHECK(printable("\x80 \xc3 \xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80 \xff") ==
          R"(\x80 \xc3 \xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80 \xff)");
    // No control character of C0 and C1 is left out, nor anything that turns the direction of writing.
    for (unsigned value = 0; value < 0x3000; ++value) {
        std::string text;
        if (value < 0x80) {
            text = {static_cast<char>(value)};
        } else if (value < 0x800) {
            text = {static_cast<char>(0xc0U | (value >> 6U)), static_cast<char>(0x80U | (value & 0x3fU))};
        } else {
            text = {static_cast<char>(0xe0U | (value >> 12U)),
                    static_cast<char>(0x80U | ((value >> 6U) & 0x3fU)),
                    static_cast<char>(0x80U | (value & 0x3fU))};
        }
        bool const obeyed = value < 0x20 || (value >= 0x7f && value < 0xa0) || value == 0x61c ||
                            (value >= 0x200b && value <= 0x200f) || (value >= 0x2028 && value <= 0x202e) ||
                            (value >= 0x2060 && value <= 0x206f);
        INFO(value);
        CHECK((printable(text) != text) >= obeyed);
    }
}

TEST_CASE("JSON that is printed is harmless on a terminal, and the same value", "[terminal]") {
    nlohmann::ordered_json const value{{"x", hostile}, {hostile, 1}};
    auto const text = json_text(value);
    CHECK(is_harmless(text));
    CHECK(nlohmann::ordered_json::parse(text) == value);
}

TEST_CASE("every command that shows text of others shows it harmless, to a terminal and to a pipe",
          "[terminal]") {
    command_database<test_database> const db;
    park_hostile(db);
    auto const id = db.ask("select message_id::text from once.parked_message");
    std::vector<std::vector<std::string>> const commands{
        {"why"},
        {"why", "billing", "--json"},
        {"parked", "list"},
        {"parked", "list", "--json"},
        {"parked", "show", id},
        {"parked", "show", id, "--json"},
        {"status"},
        {"subscription", "list"},
        {"why", hostile},
        {"parked", "list", hostile},
        {"parked", "show", hostile},
        {"request", "show", hostile},
        {hostile},
        {"--" + hostile},
    };
    for (auto const& words : commands) {
        CAPTURE(words);
        for (auto const& result : {db.run(words), run_on_terminal(db.dsn(), words, 80)}) {
            CHECK(is_harmless(result.out));
            CHECK(is_harmless(result.err));
            CHECK_FALSE((result.out + result.err).empty());
        }
    }
    CHECK_THAT(db.run({"parked", "list"}).out, ContainsSubstring(R"(a\x1b[2J\x07)"));
    // A payload is what it is, but not on a terminal.
    CHECK(db.run({"parked", "show", id, "--payload"}).out == "{\"a\" : \"k\xc2\x9b\xe2\x80\xae\"}\n");
    CHECK(is_harmless(run_on_terminal(db.dsn(), {"parked", "show", id, "--payload"}, 80).out));
}

TEST_CASE("a line of the relay's log holds nothing that a terminal obeys", "[terminal]") {
    for (auto const form : {log_form::text, log_form::json}) {
        std::ostringstream lines;
        event_log{lines, form}.warn("refused", {{"key", hostile}, {"bare", "\x1b[2J"}, {"bad", "\xff"}});
        CHECK(is_harmless(lines.str()));
        CHECK(std::ranges::count(lines.str(), '\n') == 1);
    }
}

TEST_CASE(
    "a table fits the terminal: texts are cut, ids and numbers never, and what does not fit stands in lines",
    "[terminal]") {
    command_database<test_database> const db;
    park_hostile(db);
    auto const id = db.ask("select message_id::text from once.parked_message");
    for (int const columns : {40, 60, 80, 100, 132, 160}) {
        CAPTURE(columns);
        auto const list = run_on_terminal(db.dsn(), {"parked", "list"}, columns).out;
        CHECK(list.find(id) != std::string::npos);
        auto const subscriptions = run_on_terminal(db.dsn(), {"subscription", "list"}, columns).out;
        if (subscriptions.find("service ") != subscriptions.rfind("service ") || columns >= 100) {
            CHECK(widest_line(subscriptions) <= static_cast<std::size_t>(columns));
        }
    }
    auto const narrow = run_on_terminal(db.dsn(), {"parked", "list"}, 60).out;
    CHECK_THAT(narrow, ContainsSubstring("message_id       " + id));
    auto const wide = run_on_terminal(db.dsn(), {"parked", "list"}, 150).out;
    CHECK(widest_line(wide) <= 150);
    CHECK_THAT(wide, ContainsSubstring("\xe2\x80\xa6"));
    CHECK_THAT(db.run({"parked", "list"}).out, !ContainsSubstring("\xe2\x80\xa6")); // a pipe gets all of it
    CHECK(cut_to_columns("\xe4\xbd\xa0\xe5\xa5\xbd\xe5\xa5\xbd", 4) == "\xe4\xbd\xa0\xe2\x80\xa6");
    CHECK(columns_of("e\xcc\x81") == 1);
}

TEST_CASE("times are relative on a terminal, and ISO 8601 in UTC elsewhere", "[terminal]") {
    command_database<test_database> const db;
    db.sql("select once.subscribe('billing')");
    CHECK_THAT(run_on_terminal(db.dsn(), {"subscription", "list"}, 200).out,
               ContainsSubstring(" ago") || ContainsSubstring("now"));
    auto const piped = db.run({"subscription", "list", "--json"}).json()[0]["created_at"].get<std::string>();
    CHECK(piped.size() >= 20);
    CHECK(piped[10] == 'T');
    CHECK(piped.back() == 'Z');

    auto const at = read_time("2026-11-30 16:40:01.5+00");
    REQUIRE(at);
    CHECK(iso_time("2026-11-30 16:40:01.5+00") == "2026-11-30T16:40:01.5Z");
    CHECK(iso_seconds("2026-11-30 16:40:01.5+00") == "2026-11-30T16:40:01Z");
    CHECK(iso_seconds("2026-11-30 16:40:01+00") == "2026-11-30T16:40:01Z");
    CHECK(iso_time("infinity") == "infinity");
    CHECK(relative_time(*at, *at + 400ms) == "now");
    CHECK(relative_time(*at, *at + 59s) == "59 s ago");
    CHECK(relative_time(*at, *at + 3min + 5s) == "3 min ago");
    CHECK(relative_time(*at, *at - 2h) == "in 2 h");
    CHECK(relative_time(*at, *at + 24h * 5) == "5 days ago");
    CHECK(short_interval("00:00:00.000123") == "123 us");
    CHECK(short_interval("00:00:00.123") == "123 ms");
    CHECK(short_interval("00:00:03.456") == "3.4 s");
    CHECK(short_interval("00:05:03") == "5 min 3 s");
    CHECK(short_interval("3 days 04:05:06") == "3 days 4 h");
    CHECK(short_interval("30 days") == "30 days");
    CHECK(short_interval("1 mon") == "1 mon");
}

TEST_CASE("colour is for a terminal, and not for one that has said no", "[terminal]") {
    command_database<test_database> const db;
    park_hostile(db);
    CHECK_THAT(run_on_terminal(db.dsn(), {"parked", "list"}, 200, true).out,
               ContainsSubstring("\x1b[31mdead\x1b[0m"));
    CHECK_THAT(run_on_terminal(db.dsn(), {"parked", "list"}, 200).out, !ContainsSubstring("\x1b"));
    CHECK_THAT(db.run({"parked", "list"}).out, !ContainsSubstring("\x1b"));
}
