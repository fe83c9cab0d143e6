// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "text/text_rules.hpp"

#include <catch2/catch_test_macros.hpp>

#include <string>
#include <vector>

using namespace std::string_literals;
using once::detail::is_storable_json;
using once::detail::is_utf8;

namespace {

struct text_case {
    char const* what;
    std::string text;
    bool good;
};

std::string nested(std::size_t depth, char open, char close) {
    return std::string(depth, open) + std::string(depth, close);
}

} // namespace

TEST_CASE("UTF-8 is what Unicode calls well-formed, to the byte", "[text]") {
    std::vector<text_case> const table{
        {"empty", "", true},
        {"NUL", "a\0b"s, true},
        {"ASCII", "plain \x7f", true},
        {"U+0080, first of two bytes", "\xc2\x80", true},
        {"U+07FF, last of two bytes", "\xdf\xbf", true},
        {"U+0800, first of three bytes", "\xe0\xa0\x80", true},
        {"U+D7FF, before the surrogates", "\xed\x9f\xbf", true},
        {"U+E000, behind the surrogates", "\xee\x80\x80", true},
        {"U+FFFF", "\xef\xbf\xbf", true},
        {"U+10000, first of four bytes", "\xf0\x90\x80\x80", true},
        {"U+10FFFF, the last of all", "\xf4\x8f\xbf\xbf", true},
        {"lone continuation", "\x80", false},
        {"last continuation byte alone", "\xbf", false},
        {"overlong NUL in two bytes", "\xc0\x80", false},
        {"overlong 0x7f in two bytes", "\xc1\xbf", false},
        {"overlong in three bytes", "\xe0\x80\x80", false},
        {"overlong U+07FF in three bytes", "\xe0\x9f\xbf", false},
        {"overlong in four bytes", "\xf0\x80\x80\x80", false},
        {"overlong U+FFFF in four bytes", "\xf0\x8f\xbf\xbf", false},
        {"first surrogate", "\xed\xa0\x80", false},
        {"last surrogate", "\xed\xbf\xbf", false},
        {"a surrogate pair (CESU-8)", "\xed\xa0\xbd\xed\xb8\x80", false},
        {"U+110000", "\xf4\x90\x80\x80", false},
        {"lead 0xf5", "\xf5\x80\x80\x80", false},
        {"five bytes", "\xf8\x88\x80\x80\x80", false},
        {"0xfe", "\xfe", false},
        {"0xff", "\xff", false},
        {"two bytes, one missing", "\xc3", false},
        {"three bytes, one missing", "\xe2\x82", false},
        {"four bytes, one missing", "\xf0\x9f\x98", false},
        {"cut short by ASCII", "\xe2\x82z", false},
        {"cut short by another lead", "\xe2\xc3\xa9", false},
        {"third byte wrong", "\xf0\x9f\x41\x80", false},
        {"fourth byte wrong", "\xf0\x9f\x98\x41", false},
    };
    for (auto const& row : table) {
        INFO(row.what);
        CHECK(is_utf8(row.text) == row.good);
        CHECK(is_utf8("a" + row.text + "z") == row.good);
    }
}

TEST_CASE("a cut inside of a character does not borrow bytes from behind the end", "[text]") {
    std::string const euro = "\xe2\x82\xac";
    CHECK_FALSE(is_utf8(std::string_view{euro}.substr(0, 2)));
    CHECK_FALSE(is_utf8(std::string_view{euro}.substr(0, 1)));
}

// More than 60 lines: a table of texts.
TEST_CASE("JSON is stored as JSON only when the server is sure to take and keep it", "[text]") {
    std::vector<text_case> const table{
        {"object", R"({"a": 1})", true},
        {"odd spacing", " { \"a\"\n:\t[ 1 , 2 ] }\r\n", true},
        {"repeated names", R"({"a":1,"a":2})", true},
        {"string", R"("x")", true},
        {"null", "null", true},
        {"long number", "123456789012345678901234567890.5", true},
        {"surrogate pair", R"("\ud83d\ude00")", true},
        {"empty", "", false},
        {"only spaces", "  ", false},
        {"garbage", "hello", false},
        {"two values", "1 2", false},
        {"garbage behind a value", "{} x", false},
        {"NUL behind a value", "{}\0"s, false},
        {"garbage behind a NUL", "{}\0garbage"s, false},
        {"NUL inside of a string", "\"a\0b\""s, false},
        {"lone high surrogate", R"("\ud83d")", false},
        {"lone low surrogate", R"("\ude00")", false},
        {"surrogates in the wrong order", R"("\ude00\ud83d")", false},
        {"not UTF-8", "\"\xff\"", false},
        {"byte order mark", "\xef\xbb\xbf{}", false},
        {"trailing comma", "[1,]", false},
        {"comment", "/* x */ 1", false},
        {"single quotes", "{'a':1}", false},
        {"control character in a string", "\"a\nb\"", false},
        {"NaN", "NaN", false},
        {"leading zero", "01", false},
        {"unclosed", "[", false},
        {"plain", R"( { "a" : [ 1 , -20.5 , 0 , "b" , true , false , null , { } , [ ] ] } )", true},
        {"an exponent", "[1e5,-2.5E-7]", true},
        {"a number beyond all", "1e999", false},
        {"a long number", "123456789012345678901234567890.5", true},
        {"leading zero behind a sign", "-01", false},
        {"a sign alone", "[-]", false},
        {"no digit behind the point", "1.", false},
        {"no digit before the point", ".5", false},
        {"two values", "1 2", false},
        {"no colon", R"({"a" 1})", false},
        {"a key that is no string", "{1:2}", false},
        {"trailing comma in an object", R"({"a":1,})", false},
        {"another bracket", R"({"a":1])", false},
        {"half a word", "[tru]", false},
        {"a longer word", "[nulll]", false},
        {"unclosed string", R"("abc)", false},
        {"a string that ends with a backslash", R"("abc\\")", true},
        {"DEL in a string", "\"a\x7f\"", true},
        {"17 arrays", nested(17, '[', ']'), true},
        {"512 arrays", nested(512, '[', ']'), true},
        {"513 arrays", nested(513, '[', ']'), false},
        {"a million arrays", nested(1'000'000, '[', ']'), false},
        {"a million opening brackets", std::string(1'000'000, '['), false},
    };
    for (auto const& row : table) {
        INFO(row.what);
        CHECK(is_storable_json(row.text) == row.good);
    }
    std::string objects = "1";
    for (int depth = 0; depth < 512; ++depth) {
        objects.insert(0, "{\"a\":").append("}");
    }
    CHECK(is_storable_json(objects));
    CHECK_FALSE(is_storable_json("[" + objects + "]"));
}
