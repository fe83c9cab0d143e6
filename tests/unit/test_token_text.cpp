// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/token.hpp>

#include "request/token_text.hpp"
#include "support/refusal.hpp"
#include "text/sha256.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using once::testing::refused_field;

namespace {

std::string hex(std::string_view message) {
    std::string text;
    for (unsigned const byte : once::detail::sha256(message)) {
        text += "0123456789abcdef"[byte >> 4U];
        text += "0123456789abcdef"[byte & 0xfU];
    }
    return text;
}

} // namespace

TEST_CASE("SHA-256 is that of the standard", "[token]") {
    CHECK(hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK(hex(std::string(1'000'000, 'a')) ==
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("a token is 256 bits in 43 characters that a URL takes, and never the same", "[token]") {
    std::set<std::string> seen;
    std::set<char> characters;
    for (int i = 0; i < 1000; ++i) {
        auto const token = once::detail::make_token();
        CHECK(token.size() == 43);
        characters.insert(token.begin(), token.end());
        seen.insert(token);
    }
    CHECK(seen.size() == 1000);
    CHECK(characters.size() == 64); // 43 000 characters miss one of 64 once in e^-670
    CHECK(std::ranges::all_of(characters, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
               c == '_';
    }));
}

TEST_CASE("principal and purpose are checked, the token never", "[token]") {
    using pair = std::pair<once::redemption, char const*>;
    std::string const long_text(300, 'x');
    for (auto const& [given, field] : std::vector<pair>{
             {{.token = "", .principal = "alice", .purpose = "pay", .fingerprint = once::no_fingerprint},
              "accepted"},
             {{.token = std::string{"\0\xff\r\n", 4},
               .principal = "alice",
               .purpose = "pay",
               .fingerprint = once::no_fingerprint},
              "accepted"},
             {{.token = long_text,
               .principal = "alice b",
               .purpose = "pay",
               .fingerprint = once::no_fingerprint},
              "accepted"},
             {{.principal = long_text.substr(0, 180),
               .purpose = long_text.substr(0, 64),
               .fingerprint = once::no_fingerprint},
              "accepted"},
             {{.principal = "", .purpose = "pay", .fingerprint = once::no_fingerprint},
              "redemption.principal"},
             {{.principal = long_text.substr(0, 181), .purpose = "pay", .fingerprint = once::no_fingerprint},
              "redemption.principal"},
             {{.principal = "a\nb", .purpose = "pay", .fingerprint = once::no_fingerprint},
              "redemption.principal"},
             {{.principal = " a", .purpose = "pay", .fingerprint = once::no_fingerprint},
              "redemption.principal"},
             {{.principal = "a", .purpose = "", .fingerprint = once::no_fingerprint}, "redemption.purpose"},
             {{.principal = "a", .purpose = "p y", .fingerprint = once::no_fingerprint},
              "redemption.purpose"},
             {{.principal = "a", .purpose = long_text.substr(0, 65), .fingerprint = once::no_fingerprint},
              "redemption.purpose"},
             {{.principal = "a", .purpose = "p\xc3\xa4y", .fingerprint = once::no_fingerprint},
              "redemption.purpose"},
         }) {
        CHECK(refused_field([&] { once::validate(given); }) == field);
        once::token_terms const terms{.principal = given.principal, .purpose = given.purpose};
        auto const expected =
            std::string{field}.replace(0, std::string{field}.find('.') == std::string::npos ? 0 : 10,
                                       field == std::string{"accepted"} ? "" : "token_terms");
        CHECK(refused_field([&] { once::validate(terms); }) == expected);
    }
    for (auto const& [lifetime, field] : std::vector<std::pair<std::chrono::milliseconds, char const*>>{
             {1s, "accepted"},
             {366 * 24h, "accepted"},
             {0ms, "token_terms.lifetime"},
             {-1s, "token_terms.lifetime"},
             {999ms, "token_terms.lifetime"},
             {366 * 24h + 1ms, "token_terms.lifetime"},
             {std::chrono::milliseconds::max(), "token_terms.lifetime"},
             {std::chrono::milliseconds::min(), "token_terms.lifetime"}}) {
        once::token_terms const terms{.principal = "a", .purpose = "p", .lifetime = lifetime};
        CHECK(refused_field([&] { once::validate(terms); }) == field);
    }
}

TEST_CASE("the record of a token can be read in one way only", "[token]") {
    auto const scope = [](char const* principal, char const* purpose) {
        return once::record_of({.token = "t",
                                .principal = principal,
                                .purpose = purpose,
                                .fingerprint = once::no_fingerprint})
            .scope;
    };
    CHECK(scope("alice", "pay") == "token pay alice");
    CHECK(scope("b c", "a") != scope("c", "ab"));
    auto const longest = once::record_of({.token = "t",
                                          .principal = std::string(180, 'p'),
                                          .purpose = std::string(64, 'q'),
                                          .fingerprint = once::no_fingerprint});
    CHECK_NOTHROW(once::validate(longest));
    CHECK(longest.key == hex("t"));
}
