// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/reply.hpp>
#include <once/response.hpp>

#include "wire/stored_body.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

using namespace std::string_literals;
using once::body;
using once::outcome;
using once::reply;

TEST_CASE("a body says what it was made from", "[response]") {
    CHECK(body{}.empty());
    CHECK(body{}.content_type().empty());
    CHECK(body{nlohmann::json{{"a", 1}}} == body::json_text(R"({"a":1})"));
    CHECK(body{42}.data() == "42");
    CHECK(body{std::vector{1, 2}}.data() == "[1,2]");
    CHECK(body{42}.content_type() == "application/json");
    CHECK(body::json_text(" [ 1 ] ").data() == " [ 1 ] ");
    CHECK(body::text("x").content_type() == "text/plain; charset=utf-8");
    CHECK(body::bytes("a\0b"s, "image/png").data().size() == 3);
    CHECK(body::json_text(R"({"a":5})").as()["a"] == 5);
    CHECK_THROWS_AS(body::json_text("{").as(), nlohmann::json::exception);
}

TEST_CASE("JSON with a string that is not UTF-8 is refused when the body is made", "[response]") {
    try {
        body const made{nlohmann::json("sec\xffret")};
        FAIL("accepted");
    } catch (once::invalid_argument const& e) {
        CHECK(e.field() == "response.body");
        CHECK(std::string{e.what()}.find("sec") == std::string::npos);
    }
}

TEST_CASE("a reply without a response says so instead of making one up", "[response]") {
    reply const waiting{{.outcome = outcome::in_progress}};
    CHECK_FALSE(waiting.has_response());
    CHECK_THROWS_AS(waiting.response(), once::misuse);
    CHECK_THROWS_AS(reply{{.outcome = outcome::replayed}}.response(), once::misuse);
    reply const done{{.outcome = outcome::done, .response = once::response{.status = 201, .body = body{7}}}};
    CHECK(done.response().status == 201);
    CHECK(done.as<int>() == 7);
    CHECK(reply{done}.response() == done.response());
}

TEST_CASE("the outcomes have the words that SQL uses", "[response]") {
    CHECK(to_string(outcome::done) == "done");
    CHECK(to_string(outcome::replayed) == "replayed");
    CHECK(to_string(outcome::in_progress) == "in_progress");
    CHECK(to_string(outcome::key_reused) == "key_reused");
    CHECK(to_string(outcome::refused) == "refused");
    CHECK(to_string(outcome::lease_lost) == "lease_lost");
    CHECK(to_string(outcome::unknown) == "unknown");
}

TEST_CASE("stored headers keep order, repeated names and odd characters", "[response]") {
    std::vector<once::header> const headers{
        {"X-B", "2"},        {"X-A", "1"}, {"X-B", "1"}, {"x-a", ""}, {"Q", "a \"quoted\" \\ value"},
        {"U", "caf\xc3\xa9"}};
    CHECK(once::detail::from_stored_headers(once::detail::to_stored_headers(headers), "a test") == headers);
    CHECK(once::detail::to_stored_headers({{"a", "b"}}) == R"([["a","b"]])");
}

TEST_CASE("headers of another shape are a corrupt record", "[response]") {
    for (char const* text : {"", "{}x", "{\"a\":\"b\"}", "[[1,2]]", "[\"a\"]", "[[\"a\"]]", "5"}) {
        INFO(text);
        CHECK_THROWS_AS(once::detail::from_stored_headers(text, "a test"), once::corrupt_record);
    }
}
