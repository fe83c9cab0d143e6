// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/http/request.hpp>
#include <once/request.hpp>

#include <catch2/catch_test_macros.hpp>

#include <set>
#include <string>
#include <vector>

using namespace std::string_literals;
using once::http::fingerprint_of;
using once::http::key_defect;
using once::http::key_of;
using once::http::key_syntax;
using once::http::scope_of;

namespace {

once::http::request order() {
    return {.method = "POST",
            .target = "/orders",
            .headers = {{"Content-Type", "application/json"}, {"Idempotency-Key", R"("k")"}},
            .body = R"({"item":"tea"})",
            .principal = "alice"};
}

} // namespace

TEST_CASE("method, target, content type and body each make another request", "[http]") {
    auto const first = fingerprint_of(order());
    CHECK(fingerprint_of(order()) == first);
    for (auto const& change : std::vector<void (*)(once::http::request&)>{
             [](auto& r) { r.method = "PUT"; },
             [](auto& r) { r.target = "/orders?x"; },
             [](auto& r) { r.headers[0].second = "text/plain"; },
             [](auto& r) { r.headers[0].first = "X-Content-Type"; },
             [](auto& r) { r.headers.emplace_back("content-type", "text/plain"); },
             [](auto& r) { r.body = R"({ "item":"tea"})"; },
             [](auto& r) { r.body += '\0'; },
             [](auto& r) { // the same characters, cut elsewhere
                 r.method = "POS";
                 r.target = "T/orders";
             },
         }) {
        auto other = order();
        change(other);
        CHECK(fingerprint_of(other) != first);
    }
}

TEST_CASE("what changes from one attempt to the next is not in the fingerprint", "[http]") {
    auto again = order();
    again.headers.emplace_back("Date", "Tue, 24 Nov 2026 21:00:00 GMT");
    again.headers.emplace_back("User-Agent", "another");
    again.headers[0].first = "CONTENT-TYPE";
    again.headers[1].second = R"("another")";
    again.principal = "bob";
    CHECK(fingerprint_of(again) == fingerprint_of(order()));
}

TEST_CASE("the key is found under any spelling of the header's name, and a second one is not overlooked",
          "[http]") {
    auto request = order();
    request.headers[1].first = "idempotency-KEY";
    CHECK(key_of(request, key_syntax::quoted) == once::http::parsed_key{"k"s});
    request.headers.emplace_back("Idempotency-Key", R"("k")");
    CHECK(key_of(request, key_syntax::quoted) == once::http::parsed_key{key_defect::repeated});
    request.headers.resize(1);
    CHECK(key_of(request, key_syntax::quoted) == once::http::parsed_key{key_defect::missing});
}

TEST_CASE("a key from elsewhere keeps to the same rules", "[http]") {
    auto request = order();
    request.key = "from the form";
    CHECK(key_of(request, key_syntax::quoted) == once::http::parsed_key{"from the form"s});
    for (auto const& [key, defect] :
         std::vector<std::pair<std::string, key_defect>>{{"", key_defect::empty},
                                                         {"k ", key_defect::outer_space},
                                                         {"a\0b"s, key_defect::malformed},
                                                         {std::string(256, 'k'), key_defect::too_long}}) {
        request.key = key;
        CHECK(key_of(request, key_syntax::quoted_or_bare) == once::http::parsed_key{defect});
    }
}

TEST_CASE("two principals never share a scope", "[http]") {
    std::set<std::string> scopes;
    std::vector<std::string> const principals{"alice",    "Alice",    "alice ",    " alice",  "al ice",
                                              "alice%20", "alice%",   "alice\0"s,  "al\nice", "%",
                                              "%25",      "\xc3\xa9", "e\xcc\x81", "a/b"};
    for (auto const& principal : principals) {
        auto const scope = scope_of("http", principal);
        INFO(scope);
        CHECK(scopes.insert(scope).second);
        CHECK_NOTHROW(
            once::validate(once::request{.scope = scope, .key = "k", .fingerprint = once::no_fingerprint}));
    }
    CHECK(scope_of("http", "alice") == "http alice");
    CHECK(scope_of("http", "user:4711@example.com") == "http user:4711@example.com");
    CHECK(scope_of("http", "a b") == "http a%20b");
    // The prefix holds no space, so it cannot lend characters to the principal.
    CHECK_THROWS_AS(scope_of("http a", "b"), once::invalid_argument);
}

TEST_CASE("a principal that is missing or does not fit is a mistake of the service", "[http]") {
    CHECK_THROWS_AS(scope_of("http", ""), once::invalid_argument);
    CHECK(scope_of("http", std::string(250, 'a')).size() == 255);
    CHECK_THROWS_AS(scope_of("http", std::string(251, 'a')), once::invalid_argument);
    CHECK_THROWS_AS(scope_of("http", std::string(84, '\xff')), once::invalid_argument);
    CHECK_THROWS_AS(scope_of("", "alice"), once::invalid_argument);
    CHECK_THROWS_AS(scope_of("ht\ntp", "alice"), once::invalid_argument);
    try {
        static_cast<void>(scope_of("http", std::string(300, 'z')));
        FAIL("a principal of 300 bytes was accepted");
    } catch (once::invalid_argument const& e) {
        CHECK(e.field() == "request.principal");
        CHECK(std::string{e.what()}.find("zzz") == std::string::npos);
    }
}

TEST_CASE("only four methods are safe, in capital letters", "[http]") {
    for (auto const* const safe : {"GET", "HEAD", "OPTIONS", "TRACE"}) {
        CHECK(once::http::is_safe(safe));
    }
    for (auto const* const unsafe : {"POST", "PUT", "PATCH", "DELETE", "CONNECT", "get", "", "GETX"}) {
        INFO(unsafe);
        CHECK_FALSE(once::http::is_safe(unsafe));
    }
}
