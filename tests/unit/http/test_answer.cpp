// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/http/answer.hpp>
#include <once/http/problem.hpp>
#include <once/http/request.hpp>

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <set>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using once::header;
using once::outcome;
using once::http::answer;
using once::http::problem;

namespace {

once::reply reply_of(outcome what, std::optional<once::response> response = {}) {
    once::reply::facts facts;
    facts.outcome = what;
    facts.response = std::move(response);
    return once::reply{std::move(facts)};
}

std::vector<std::string> values(once::response const& response, std::string_view name) {
    auto const found = once::http::header_values(response.headers, name);
    return {found.begin(), found.end()};
}

using all = std::vector<std::string>;

once::response placed() {
    return {
        .status = 201,
        .headers = {{"Location", "/orders/A-1"}, {"Cache-Control", "private, max-age=60"}, {"ETag", "\"1\""}},
        .body = once::body::json_text(R"({"order": "A-1"})")};
}

} // namespace

TEST_CASE("the first answer goes out as the callback made it", "[http]") {
    CHECK(answer(reply_of(outcome::done, placed())) == placed());
}

TEST_CASE("a replay has the stored status, body and headers, is marked, and is not for caches", "[http]") {
    auto const made = answer(reply_of(outcome::replayed, placed()));
    CHECK(made.status == 201);
    CHECK(made.body == placed().body);
    CHECK(values(made, "Location") == all{"/orders/A-1"});
    CHECK(values(made, "ETag") == all{"\"1\""});
    CHECK(values(made, "Cache-Control") == all{"no-store"});
    CHECK(values(made, "Idempotent-Replayed") == all{"true"});
}

TEST_CASE("a stored marker or cookie does not come through", "[http]") {
    auto stored = placed();
    stored.headers.emplace_back("idempotent-replayed", "false");
    stored.headers.emplace_back("set-cookie", "session=secret");
    stored.headers.emplace_back("Expires", "Tue, 24 Nov 2037 21:00:00 GMT");
    auto const made = answer(reply_of(outcome::replayed, stored));
    CHECK(values(made, "Idempotent-Replayed") == all{"true"});
    CHECK(values(made, "Set-Cookie").empty());
    CHECK(values(made, "Expires").empty());
}

TEST_CASE("a replay of which only the key was kept has no content", "[http]") {
    auto const made = answer(reply_of(outcome::replayed));
    CHECK(made.status == 204);
    CHECK(made.body.empty());
    CHECK(values(made, "Idempotent-Replayed") == all{"true"});
}

TEST_CASE("headers of the connection are not sent again", "[http]") {
    std::vector<header> const headers{{"Connection", "close, X-Hop"},
                                      {"connection", " x-other ,,"},
                                      {"X-Hop", "1"},
                                      {"X-OTHER", "1"},
                                      {"Keep-Alive", "timeout=5"},
                                      {"Transfer-Encoding", "chunked"},
                                      {"CONTENT-LENGTH", "7"},
                                      {"Upgrade", "h2c"},
                                      {"TE", "trailers"},
                                      {"Trailer", "X"},
                                      {"Proxy-Connection", "close"},
                                      {"Proxy-Authenticate", "Basic"},
                                      {"Date", "now"},
                                      {"X-Kept", "1"},
                                      {"Location", "/"}};
    std::vector<header> const kept{{"X-Kept", "1"}, {"Location", "/"}};
    CHECK(once::http::without_connection_headers(headers) == kept);
    for (auto const what : {outcome::done, outcome::replayed}) {
        auto const made = answer(reply_of(what, once::response{.headers = headers}));
        CHECK(values(made, "Transfer-Encoding").empty());
        CHECK(values(made, "Content-Length").empty());
        CHECK(values(made, "X-Hop").empty());
        CHECK(values(made, "X-Kept") == all{"1"});
    }
}

TEST_CASE("outcomes without a response become problems with a stable type", "[http]") {
    struct row {
        once::response made;
        int status;
        std::string type;
        all retry_after;
    };
    once::reply::facts running;
    running.outcome = outcome::in_progress;
    running.retry_after = 2'001ms;
    std::vector<row> const rows{
        {answer(once::reply{running}), 409, "urn:once:problem:in_progress", {"3"}},
        {answer(reply_of(outcome::key_reused)), 422, "urn:once:problem:key_reused", {}},
        {answer(reply_of(outcome::refused)), 403, "urn:once:problem:refused", {}},
        {answer(reply_of(outcome::lease_lost)), 503, "urn:once:problem:lease_lost", {"2"}},
        {answer(reply_of(outcome::unknown)), 503, "urn:once:problem:unknown", {"2"}},
        {once::http::problem_response(problem::deadline_exceeded, "urn:once:problem:", 0ms),
         503,
         "urn:once:problem:deadline_exceeded",
         {"1"}},
        {once::http::problem_response(problem::unknown_without_key, "urn:once:problem:", 1s),
         500,
         "urn:once:problem:unknown_without_key",
         {}},
        {once::http::problem_response(once::http::key_defect::missing, "urn:once:problem:"),
         400,
         "urn:once:problem:key_missing",
         {}},
        {once::http::problem_response(once::http::key_defect::repeated, "https://example.com/problems/"),
         400,
         "https://example.com/problems/key_invalid",
         {}},
    };
    for (auto const& [made, status, type, retry_after] : rows) {
        INFO(type);
        CHECK(made.status == status);
        CHECK(made.body.content_type() == "application/problem+json");
        auto const content = made.body.as();
        CHECK(content.at("type") == type);
        CHECK(content.at("status") == status);
        CHECK_FALSE(content.at("title").get<std::string>().empty());
        CHECK_FALSE(content.at("detail").get<std::string>().empty());
        CHECK(content.size() == 4);
        CHECK(values(made, "Retry-After") == retry_after);
        CHECK(values(made, "Cache-Control") == all{"no-store"});
        CHECK(values(made, "Idempotent-Replayed").empty());
    }
}

TEST_CASE("each problem has a word and a status of its own kind", "[http]") {
    std::set<std::string_view> words;
    for (auto const value :
         {problem::key_missing, problem::key_invalid, problem::in_progress, problem::key_reused,
          problem::refused, problem::lease_lost, problem::unknown, problem::deadline_exceeded,
          problem::unavailable, problem::unknown_without_key}) {
        CHECK(words.insert(to_string(value)).second);
        CHECK(once::http::problem_response(value, "", 1s).status == status_of(value));
    }
}

TEST_CASE("headers are taken out by name, and the rest keeps its order", "[http]") {
    std::vector<header> headers{{"A", "1"}, {"x", "1"}, {"B", "2"}, {"X", "2"}, {"C", "3"}};
    CHECK(once::http::take_headers(headers, "X") == std::vector<header>{{"x", "1"}, {"X", "2"}});
    CHECK(headers == std::vector<header>{{"A", "1"}, {"B", "2"}, {"C", "3"}});
}
