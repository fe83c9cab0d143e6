// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// More than 400 lines: one claim for each answer that HTTP can get, over one set of fixtures.
#include <once/claim.hpp>
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/http.hpp>
#include <once/token.hpp>

#include "support/effects.hpp"
#include "support/wire_proxy.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>
#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/transaction>

#include <string>
#include <string_view>
#include <tuple>
#include <vector>

using namespace std::chrono_literals;
using once::response;
namespace act = once::testing::act;
using once::testing::add_effect;
using once::testing::at_tag;
using once::testing::effects_database;
using once::testing::wire_proxy;

namespace {

using all = std::vector<std::string>;

once::http::request order(std::string const& key = R"("k")") {
    return {.method = "POST",
            .target = "/orders",
            .headers = {{"Content-Type", "application/json"}, {"Idempotency-Key", key}},
            .body = R"({"item":"tea"})",
            .principal = "alice"};
}

auto answering(response made) {
    return [made = std::move(made)](once::transaction& tx) {
        add_effect(tx);
        return made;
    };
}

all values(response const& response, std::string_view name) {
    auto const found = once::http::header_values(response.headers, name);
    return {found.begin(), found.end()};
}

std::string type_of(response const& response) {
    return response.body.as().at("type").get<std::string>();
}

response const placed{.status = 201,
                      .headers = {{"Location", "/orders/1"}},
                      .body = once::body::json_text(R"({ "order" : 1 })")};

} // namespace

TEST_CASE("a repeated HTTP request takes effect once and gets the first answer with a mark", "[http]") {
    effects_database const server;
    once::database db{server.dsn()};
    CHECK(once::http::execute(db, order(), answering(placed)) == placed);
    for (int repeat = 0; repeat < 3; ++repeat) {
        auto const again = once::http::execute(db, order(), answering({.status = 500}));
        CHECK(again.status == 201);
        CHECK(again.body == placed.body);
        CHECK(values(again, "Location") == all{"/orders/1"});
        CHECK(values(again, "Idempotent-Replayed") == all{"true"});
        CHECK(values(again, "Cache-Control") == all{"no-store"});
    }
    CHECK(server.effects() == 1);
    CHECK(server.ask("select scope || ' | ' || key from once.idempotency_record") == "http alice | k");
}

TEST_CASE("a callback may return a value or nothing", "[http]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto const value =
        once::http::execute(db, order(), [](once::transaction&) { return nlohmann::json{{"order", 1}}; });
    CHECK(value.status == 200);
    CHECK(value.body.data() == R"({"order":1})");
    CHECK(once::http::execute(db, order(R"("l")"), [](once::transaction&) {}).status == 204);
}

TEST_CASE("the same key in quotes and bare is one request where bare is allowed", "[http]") {
    effects_database const server;
    once::database db{server.dsn()};
    once::http::options const lenient{.syntax = once::http::key_syntax::quoted_or_bare};
    CHECK(once::http::execute(db, order("k"), answering(placed)).status == 400);
    CHECK(once::http::execute(db, order("k"), answering(placed), lenient).status == 201);
    CHECK(values(once::http::execute(db, order(R"("k")"), answering(placed), lenient),
                 "Idempotent-Replayed") == all{"true"});
    CHECK(server.effects() == 1);
}

TEST_CASE("a request without a good key is refused before the database hears of it", "[http]") {
    once::database nowhere{"host=/nonexistent dbname=none"};
    auto missing = order();
    missing.headers.pop_back();
    auto twice = order();
    twice.headers.emplace_back("idempotency-key", R"("k")");
    auto const never = [](once::transaction&) -> response { throw once::misuse{"the callback ran"}; };
    CHECK(type_of(once::http::execute(nowhere, missing, never)) == "urn:once:problem:key_missing");
    for (auto const& bad :
         {twice, order(""), order("secret-key"), order(R"("secret-key)"), order(R"("a", "b")"),
          order(R"("secret-key";a=1)"), order("\"" + std::string(300, 'a') + "\"")}) {
        auto const refused = once::http::execute(nowhere, bad, never);
        CHECK(refused.status == 400);
        CHECK(type_of(refused) == "urn:once:problem:key_invalid");
        CHECK(refused.body.data().find("secret-key") == std::string::npos);
        CHECK(values(refused, "Cache-Control") == all{"no-store"});
    }
}

TEST_CASE("a key with another method, target, content type or body is refused, and shows nothing", "[http]") {
    effects_database const server;
    once::database db{server.dsn()};
    REQUIRE(once::http::execute(db, order(), answering(placed)).status == 201);
    for (auto const& change : std::vector<void (*)(once::http::request&)>{
             [](auto& r) { r.method = "PUT"; }, [](auto& r) { r.target = "/orders/1"; },
             [](auto& r) { r.headers[0].second = "text/plain"; },
             [](auto& r) { r.body = R"({"item": "tea"})"; }}) {
        auto other = order();
        change(other);
        auto const refused = once::http::execute(db, other, answering(placed));
        CHECK(refused.status == 422);
        CHECK(type_of(refused) == "urn:once:problem:key_reused");
        CHECK(values(refused, "Location").empty());
        CHECK(values(refused, "Idempotent-Replayed").empty());
        CHECK(refused.body.data().find("order\" : 1") == std::string::npos);
    }
    CHECK(server.effects() == 1);
}

TEST_CASE("the key of another principal is another key, and gives no hint", "[http]") {
    effects_database const server;
    once::database db{server.dsn()};
    REQUIRE(once::http::execute(db, order(), answering(placed)).status == 201);
    auto foreign = order();
    foreign.principal = "bob";
    auto const own = once::http::execute(db, foreign, answering({.status = 202}));
    CHECK(own.status == 202);
    CHECK(values(own, "Idempotent-Replayed").empty());
    CHECK(server.effects() == 2);
}

TEST_CASE("a request without a principal is a mistake of the service, not a shared key", "[http]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto request = order();
    request.principal.clear();
    CHECK_THROWS_AS(once::http::execute(db, request, answering(placed)), once::invalid_argument);
    CHECK(server.effects() == 0);
}

TEST_CASE("while the first request runs, a second one is told when to come again", "[http]") {
    effects_database const server;
    once::database db{server.dsn()};
    pqxx::connection connection{server.dsn()};
    pqxx::work first{connection};
    std::ignore = once::claim(
        first, {.scope = "http alice", .key = "k", .fingerprint = once::http::fingerprint_of(order())});
    auto const second = once::http::execute(db, order(), answering(placed), {.call = {.wait = 0ms}});
    CHECK(second.status == 409);
    CHECK(type_of(second) == "urn:once:problem:in_progress");
    CHECK(values(second, "Retry-After") == all{"1"});
    CHECK(server.effects() == 0);
}

TEST_CASE("a status that is not kept leaves the key free, and by policy a client error is kept", "[http]") {
    effects_database const server;
    once::database db{server.dsn()};
    for (int i = 0; i < 2; ++i) {
        auto const refused = once::http::execute(db, order(), answering({.status = 404}));
        CHECK(refused.status == 404);
        CHECK(values(refused, "Idempotent-Replayed").empty());
    }
    CHECK(server.effects() == 0);
    once::http::options const keep{.call = {.stored = once::store::success_and_client_errors}};
    CHECK(once::http::execute(db, order(), answering({.status = 404}), keep).status == 404);
    auto const again = once::http::execute(db, order(), answering({.status = 200}), keep);
    CHECK(again.status == 404);
    CHECK(values(again, "Idempotent-Replayed") == all{"true"});
    CHECK(server.effects() == 1);
}

TEST_CASE("cookies and headers of the connection are never stored", "[http]") {
    effects_database const server;
    once::database db{server.dsn()};
    response const with_cookies{.status = 201,
                                .headers = {{"Set-Cookie", "session=secret"},
                                            {"X-Kept", "1"},
                                            {"set-cookie", "b=2"},
                                            {"Connection", "X-Hop"},
                                            {"X-Hop", "hop"},
                                            {"Content-Length", "999"}}};
    auto const first = once::http::execute(db, order(), answering(with_cookies));
    CHECK(values(first, "Set-Cookie") == all{"session=secret", "b=2"});
    CHECK(values(first, "Content-Length").empty());
    auto const again = once::http::execute(db, order(), answering(with_cookies));
    CHECK(values(again, "Set-Cookie").empty());
    CHECK(values(again, "X-Kept") == all{"1"});
    CHECK(server.ask("select count(*) from once.idempotency_record r "
                     "where r::text like '%secret%' or r::text like '%X-Hop%' or r::text like '%999%'") ==
          "0");
}

TEST_CASE("safe methods pass by: no key, no principal, no record", "[http]") {
    effects_database const server;
    once::database db{server.dsn()};
    for (auto const* const method : {"GET", "HEAD", "OPTIONS", "TRACE"}) {
        for (int i = 0; i < 2; ++i) {
            auto const seen =
                once::http::execute(db, {.method = method, .target = "/orders"}, [](once::transaction& tx) {
                    return response{.body = once::body::text(tx.query_value<std::string>("select 'seen'"))};
                });
            CHECK(seen.body.data() == "seen");
            CHECK(values(seen, "Idempotent-Replayed").empty());
        }
    }
    CHECK(server.records() == 0);
}

TEST_CASE("where no key is required, a request without one runs each time, and with a bad one is refused",
          "[http]") {
    effects_database const server;
    once::database db{server.dsn()};
    once::http::options const optional{.key_required = false};
    auto request = order();
    request.headers.pop_back();
    CHECK(once::http::execute(db, request, answering(placed), optional).status == 201);
    CHECK(once::http::execute(db, request, answering(placed), optional).status == 201);
    CHECK(server.effects() == 2);
    CHECK(once::http::execute(db, order(""), answering(placed), optional).status == 400);
    CHECK(server.effects() == 2);
}

TEST_CASE("without a key, too, an error that is not kept is rolled back", "[http]") {
    effects_database const server;
    once::database db{server.dsn()};
    once::http::options options{.key_required = false};
    auto request = order();
    request.headers.pop_back();
    CHECK(once::http::execute(db, request, answering({.status = 404}), options).status == 404);
    CHECK(server.effects() == 0);
    options.call.stored = once::store::success_and_client_errors;
    CHECK(once::http::execute(db, request, answering({.status = 404}), options).status == 404);
    CHECK(server.effects() == 1);
    CHECK(once::http::execute(db, request, answering({.status = 500}), options).status == 500);
    CHECK(server.effects() == 1);
}

TEST_CASE("a lost answer to COMMIT is found out by the key, and without one it is said to be unknown",
          "[http]") {
    effects_database const server;
    wire_proxy proxy{server.upstream()};
    once::database db{server.through(proxy)};
    auto const lost = proxy.add(at_tag("COMMIT", act::cut()));
    auto const found = once::http::execute(db, order(), answering(placed));
    CHECK(lost.fired() == 1);
    CHECK(found.status == 201);
    CHECK(found.body == placed.body);
    CHECK(server.effects() == 1);

    proxy.add(at_tag("COMMIT", act::cut()));
    auto request = order();
    request.headers.pop_back();
    auto const unknown = once::http::execute(db, request, answering(placed), {.key_required = false});
    CHECK(unknown.status == 500);
    CHECK(type_of(unknown) == "urn:once:problem:unknown_without_key");
    CHECK(values(unknown, "Retry-After").empty());
    CHECK(server.effects() == 2);
}

TEST_CASE("when COMMIT stays in doubt the answer is 503, and the same request later tells", "[http]") {
    effects_database const server;
    {
        wire_proxy proxy{server.upstream()};
        once::database db{server.through(proxy)};
        db.check();
        // The answer is lost, and from then on nobody gets through.
        proxy.add(at_tag("COMMIT", act::cut()).doing([&](auto const&) {
            proxy.add([](auto const&) { return act::cut(); });
        }));
        auto const unknown = once::http::execute(db, order(), answering(placed),
                                                 {.retry_after = 4'500ms, .call = {.deadline = 1s}});
        CHECK(unknown.status == 503);
        CHECK(type_of(unknown) == "urn:once:problem:unknown");
        CHECK(values(unknown, "Retry-After") == all{"5"});
    }
    once::database db{server.dsn()};
    CHECK(once::http::execute(db, order(), answering(placed)).body == placed.body);
    CHECK(server.effects() == 1);
}

TEST_CASE("a request that ran out of time before it took effect is answered 503", "[http]") {
    once::database nowhere{"host=/nonexistent dbname=none"};
    once::http::options const options{.call = {.deadline = 200ms, .max_attempts = 1000}};
    for (auto const* const method : {"POST", "GET"}) {
        auto request = order();
        request.method = method;
        auto const late = once::http::execute(nowhere, request, answering(placed), options);
        CHECK(late.status == 503);
        CHECK(type_of(late) == "urn:once:problem:deadline_exceeded");
        CHECK(values(late, "Retry-After") == all{"2"});
    }
}

TEST_CASE("what the callback throws comes out, and the key is free", "[http]") {
    effects_database const server;
    once::database db{server.dsn()};
    CHECK_THROWS_AS(once::http::execute(db, order(),
                                        [](once::transaction& tx) -> response {
                                            add_effect(tx);
                                            throw std::runtime_error{"no"};
                                        }),
                    std::runtime_error);
    CHECK(server.effects() == 0);
    CHECK(once::http::execute(db, order(), answering(placed)).status == 201);
}

TEST_CASE("where only the key is kept, a repeat gets 204", "[http]") {
    effects_database const server;
    once::database db{server.dsn()};
    once::http::options const key_only{.call = {.stored = once::store::nothing}};
    CHECK(once::http::execute(db, order(), answering(placed), key_only).status == 201);
    auto const again = once::http::execute(db, order(), answering(placed), key_only);
    CHECK(again.status == 204);
    CHECK(values(again, "Idempotent-Replayed") == all{"true"});
}

TEST_CASE("with a token purpose the key is a one-time token: its holder is answered, nobody else",
          "[http][token]") {
    effects_database const server;
    once::database db{server.dsn()};
    once::http::options const how{.token_purpose = "order-form"};
    auto const place = [&](once::http::request const& from) {
        return once::http::execute(
            db, from,
            [](once::transaction& tx) {
                add_effect(tx);
                return response{.status = 201};
            },
            how);
    };
    auto const token = once::issue_token(db, {.principal = "alice", .purpose = "order-form"});
    auto const quoted = '"' + token + '"';

    auto foreign = order(quoted);
    foreign.principal = "mallory";
    CHECK(place(foreign).status == 403);
    CHECK(place(order(R"("made-up")")).status == 403);
    CHECK(server.effects() == 0);

    CHECK(place(order(quoted)).status == 201);
    auto const again = place(order(quoted));
    CHECK(again.status == 201);
    CHECK(server.effects() == 1);

    auto other = order(quoted);
    other.body = R"({"item":"coffee"})";
    CHECK(place(other).status == 422);
    CHECK(server.effects() == 1);
}

TEST_CASE("a database that is down is answered 503 with Retry-After, with and without a key, and nobody is "
          "told why but the log",
          "[http]") {
    once::database db{"host=/nonexistent dbname=shop user=alice password=secret"};
    for (bool const with_key : {true, false}) {
        CAPTURE(with_key);
        std::string logged;
        once::http::options const options{.log = [&](std::string_view text) { logged = text; },
                                          .call = {.deadline = 10s, .max_attempts = 2}};
        auto asked = order();
        asked.method = with_key ? "POST" : "GET";
        auto const answer = once::http::execute(db, asked, answering(placed), options);
        CHECK(answer.status == 503);
        CHECK(type_of(answer) == "urn:once:problem:unavailable");
        CHECK(values(answer, "Retry-After") == all{"2"});
        CHECK(values(answer, "Cache-Control") == all{"no-store"});
        CHECK(answer.body.content_type() == "application/problem+json");
        CHECK(answer.body.data().find("nonexistent") == std::string::npos);
        CHECK(logged.find("cannot connect") != std::string::npos);
    }
}

TEST_CASE("what the database cannot do now is answered 503, what the request is to blame for is thrown",
          "[http]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto const raising = [](std::string const& state) {
        return [state](once::transaction& tx) {
            add_effect(tx);
            tx.exec("do $$ begin raise exception 'no' using errcode = '" + state + "'; end $$");
            return placed;
        };
    };
    once::http::options const options{.call = {.max_attempts = 2}};
    for (std::string const state :
         {"53100", "53200", "53300", "57014", "58030", "25006", "40001", "40P01", "55P03"}) {
        CAPTURE(state);
        auto const answer = once::http::execute(db, order(), raising(state), options);
        CHECK(answer.status == 503);
        CHECK(type_of(answer) == "urn:once:problem:unavailable");
        CHECK(values(answer, "Retry-After") == all{"2"});
    }
    for (std::string const state : {"23505", "22012", "42501", "P0001", "XX000"}) {
        CAPTURE(state);
        CHECK_THROWS_AS(once::http::execute(db, order(), raising(state), options), pqxx::sql_error);
    }
    CHECK(server.effects() == 0);
    CHECK(once::http::execute(db, order(), answering(placed), options).status == 201);
}
