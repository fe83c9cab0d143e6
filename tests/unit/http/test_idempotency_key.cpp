// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/http/idempotency_key.hpp>
#include <once/request.hpp>

#include "support/seed.hpp"

#include <catch2/catch_test_macros.hpp>

#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace std::string_literals;
using once::http::key_defect;
using once::http::key_syntax;
using once::http::parse_idempotency_key;

namespace {

once::http::parsed_key parse(std::vector<std::string> const& lines, key_syntax syntax) {
    std::vector<std::string_view> const views(lines.begin(), lines.end());
    return parse_idempotency_key(views, syntax);
}

std::string key_or_defect(once::http::parsed_key const& parsed) {
    if (auto const* const key = std::get_if<std::string>(&parsed)) {
        return "key <" + *key + ">";
    }
    return "refused: " + std::string{once::http::explain(std::get<key_defect>(parsed))};
}

std::string refused(key_defect defect) {
    return "refused: " + std::string{once::http::explain(defect)};
}

struct sample {
    std::vector<std::string> lines;
    /// With key_syntax::quoted, and with key_syntax::quoted_or_bare if that is something else.
    std::string quoted;
    std::optional<std::string> bare{};
};

// More than 60 lines: a table.
std::vector<sample> samples() {
    auto const k = [](std::string const& key) { return "key <" + key + ">"; };
    auto const unquoted = refused(key_defect::unquoted);
    auto const malformed = refused(key_defect::malformed);
    auto const repeated = refused(key_defect::repeated);
    auto const too_long = refused(key_defect::too_long);
    auto const empty = refused(key_defect::empty);
    std::string const a255(255, 'a');
    std::string escaped;
    for (int i = 0; i < 255; ++i) {
        escaped += "\\\"";
    }
    return {
        // what a client should send
        {{R"("8e03978e-40d5-43dd-bc93-6894a57f9324")"}, k("8e03978e-40d5-43dd-bc93-6894a57f9324")},
        {{R"("k")"}, k("k")},
        {{R"(  "k"	)"}, k("k")},
        {{R"("a b")"}, k("a b")},
        {{R"("a,b;c=d")"}, k("a,b;c=d")},
        {{R"("a\"b\\c")"}, k(R"(a"b\c)")},
        {{R"("'; drop table orders --")"}, k("'; drop table orders --")},
        {{R"("%41")"}, k("%41")},
        {{"\"" + a255 + "\""}, k(a255)},
        {{"\"" + escaped + "\""}, k(std::string(255, '"'))},
        // letter case decides
        {{R"("Key")"}, k("Key")},
        {{R"("key")"}, k("key")},
        // no key
        {{}, refused(key_defect::missing)},
        {{""}, empty},
        {{"  \t "}, empty},
        {{R"("")"}, empty},
        {{R"(" k")"}, refused(key_defect::outer_space)},
        {{R"("k ")"}, refused(key_defect::outer_space)},
        {{R"(" ")"}, refused(key_defect::outer_space)},
        // too long, whatever it could be compressed to
        {{"\"" + a255 + "a\""}, too_long},
        {{"\"" + std::string(509, 'a') + "\""}, too_long},
        {{"\"" + std::string(100'000, 'a') + "\""}, too_long},
        {{std::string(100'000, ' ') + "\"k\""}, too_long},
        {{a255 + "a"}, unquoted, too_long},
        {{"\"" + escaped + "a\""}, too_long},
        // twice, or a list
        {{R"("a")", R"("a")"}, repeated},
        {{R"("a")", R"("b")"}, repeated},
        {{"", ""}, repeated},
        {{R"("a", "b")"}, repeated},
        {{R"("a","a")"}, repeated},
        {{R"("a",)"}, repeated},
        {{"a, b"}, repeated},
        {{"a,a"}, repeated},
        // parameters, and other things behind the string
        {{R"("k";a=1)"}, malformed},
        {{R"("k" ;a)"}, malformed},
        {{R"("k"x)"}, malformed},
        {{R"("k""x")"}, malformed},
        {{R"("k" "x")"}, malformed},
        {{"k;a=1"}, malformed},
        // half a string
        {{"\""}, malformed},
        {{R"("k)"}, malformed},
        {{R"(k")"}, malformed},
        {{R"("k\")"}, malformed},
        {{R"("k\)"}, malformed},
        {{R"("a\b")"}, malformed},
        {{R"('k')"}, malformed},
        {{R"(\"k\")"}, malformed},
        // other items of RFC 8941
        {{":aGVsbG8=:"}, malformed},
        {{"?1"}, malformed},
        {{R"(("a" "b"))"}, malformed},
        {{"*k"}, malformed},
        // bytes that do not belong there: NUL, line breaks, control characters, anything but ASCII
        {{"\"abc\0evil\""s}, malformed},
        {{"abc\0evil"s}, malformed},
        {{"\"a\r\nSet-Cookie: x\""}, malformed},
        {{"a\nb"}, malformed},
        {{"\"a\tb\""}, malformed},
        {{"\"a\x7f\""}, malformed},
        {{"\"\xff\""}, malformed},
        {{"\"\xc3\xa9\""}, malformed},              // é in one character
        {{"\"e\xcc\x81\""}, malformed},             // é in two
        {{"\"k\xe2\x80\x8b\""}, malformed},         // zero width space
        {{"\"\xe2\x80\xaek\""}, malformed},         // right-to-left override
        {{"\"\xd0\xba\""}, malformed},              // the Cyrillic letter that looks like k
        {{"\xc2\xa0k"}, malformed},                 // no-break space
        {{"\"\xed\xa0\x80\""}, malformed},          // half of a surrogate pair
        {{"\xe2\x80\x9ck\xe2\x80\x9d"}, malformed}, // typographic quotes
        // without quotes
        {{"k"}, unquoted, k("k")},
        {{"8e03978e-40d5-43dd-bc93-6894a57f9324"}, unquoted, k("8e03978e-40d5-43dd-bc93-6894a57f9324")},
        {{"42"}, unquoted, k("42")},
        {{"urn:uuid:8e03978e"}, unquoted, k("urn:uuid:8e03978e")},
        {{"aGVs/bG8+Zz09=="}, unquoted, k("aGVs/bG8+Zz09==")},
        {{"_-x"}, unquoted, k("_-x")},
        {{"a b"}, malformed},
    };
}

} // namespace

TEST_CASE("each value of the header has one reading, or is refused", "[http]") {
    for (auto const& [lines, quoted, bare] : samples()) {
        INFO((lines.empty() ? "no line" : lines.front().substr(0, 60)));
        CHECK(key_or_defect(parse(lines, key_syntax::quoted)) == quoted);
        CHECK(key_or_defect(parse(lines, key_syntax::quoted_or_bare)) == bare.value_or(quoted));
    }
}

TEST_CASE("quoted and bare are one key or the bare one is refused", "[http]") {
    CHECK(parse({"k"}, key_syntax::quoted_or_bare) == parse({R"("k")"}, key_syntax::quoted_or_bare));
    CHECK(std::get<key_defect>(parse({"k"}, key_syntax::quoted)) == key_defect::unquoted);
    // Whatever is taken as a bare token means exactly its own characters.
    for (int c = 0; c < 256; ++c) {
        auto const text = "k"s + static_cast<char>(c);
        auto const bare = parse({text}, key_syntax::quoted_or_bare);
        if (auto const* const key = std::get_if<std::string>(&bare)) {
            INFO(c);
            bool const trimmed = c == ' ' || c == '\t';
            CHECK(*key == (trimmed ? "k" : text));
            CHECK(bare == parse({"\"" + *key + "\""}, key_syntax::quoted));
        }
    }
}

TEST_CASE("random values never yield anything but a key or a reason", "[http]") {
    CAPTURE(once::testing::seed());
    std::mt19937_64 random{once::testing::seed()};
    auto const below = [&](std::size_t limit) {
        return std::uniform_int_distribution<std::size_t>{0, limit - 1}(random);
    };
    // Pieces that matter to the grammar, so that many values come close to being right.
    std::vector<std::string> const pieces{"\"", "\\", "\\\"", "\\\\", ",",    ";",   "=",
                                          " ",  "\t", "\0"s,  "\r\n", "k",    "A-1", ":",
                                          "?1", "(",  "\x7f", "%00",  "\xc3", "*"};
    int keys = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::vector<std::string> lines;
        for (std::size_t line = below(8) == 0 ? below(3) : 1; line > 0; --line) {
            std::string text = below(2) == 0 ? "\"" : "";
            for (std::size_t piece = below(6); piece > 0; --piece) {
                text += below(4) == 0 ? std::string(1, static_cast<char>(below(256)))
                                      : pieces[below(pieces.size())];
            }
            if (below(50) == 0) {
                text += std::string(below(2000), 'x');
            }
            lines.push_back(text + (below(2) == 0 ? "\"" : ""));
        }
        for (auto const syntax : {key_syntax::quoted, key_syntax::quoted_or_bare}) {
            auto const parsed = parse(lines, syntax);
            if (auto const* const key = std::get_if<std::string>(&parsed)) {
                ++keys;
                CAPTURE(lines);
                REQUIRE(lines.size() == 1);
                REQUIRE_NOTHROW(once::validate(
                    once::request{.scope = "s", .key = *key, .fingerprint = once::no_fingerprint}));
                REQUIRE(parse({once::http::format_idempotency_key(*key)}, key_syntax::quoted) == parsed);
            } else {
                REQUIRE_FALSE(once::http::explain(std::get<key_defect>(parsed)).empty());
            }
        }
    }
    CHECK(keys > 100); // else the generator only makes rubbish
}

TEST_CASE("what a client formats, a server reads back", "[http]") {
    for (auto const& key : {"k"s, "a b"s, "\""s, "\\"s, R"(a\"b)"s, ",;="s, std::string(255, '\\')}) {
        INFO(key);
        CHECK(parse({once::http::format_idempotency_key(key)}, key_syntax::quoted) ==
              once::http::parsed_key{key});
    }
    CHECK(once::http::format_idempotency_key(R"(a"b\c)") == R"("a\"b\\c")");
}

TEST_CASE("a client cannot format what is no key", "[http]") {
    for (auto const& key :
         {""s, " k"s, "k "s, "a\nb"s, "a\0b"s, "\x7f"s, "\xc3\xa9"s, std::string(256, 'a')}) {
        INFO(key);
        CHECK_THROWS_AS(once::http::format_idempotency_key(key), once::invalid_argument);
        CHECK(std::holds_alternative<key_defect>(once::http::check_idempotency_key(key)));
    }
}
