// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>

#include "support/effects.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>
#include <pqxx/transaction>

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using namespace std::string_literals;
using once::body;
using once::call_options;
using once::response;
using once::store;
using once::testing::add_effect;
using once::testing::effects_database;
using once::testing::request_of;

namespace {

/// Answers `made`; a second run in the same test is a defect that the number of effects shows.
auto answering(response made) {
    return [made = std::move(made)](once::transaction& tx) {
        add_effect(tx);
        return made;
    };
}

response must_not_run(once::transaction&) {
    throw std::logic_error{"the callback of a repeat ran"};
}

} // namespace

TEST_CASE("a repeat gets the first answer byte for byte", "[execute]") {
    effects_database const server;
    once::database db{server.dsn()};
    std::string every_byte;
    for (int byte = 0; byte < 256; ++byte) {
        every_byte += static_cast<char>(byte);
    }
    std::map<std::string, response> const answers{
        {"nothing but a status", {.status = 204}},
        {"JSON with odd spacing",
         {.body = body::json_text(" { \"b\" : 1.50 ,\n\t\"a\":[ ] , \"a\" : 2 } \n")}},
        {"JSON with escapes", {.body = body::json_text(R"({"s":"\u00e9\u0000\ud83d\ude00\/"})")}},
        {"JSON with non-ASCII text", {.body = body::json_text("\"caf\xc3\xa9 \xf0\x9f\x98\x80\"")}},
        {"JSON that is not JSON", {.body = body::json_text("{not json")}},
        {"empty JSON text", {.body = body::json_text("")}},
        {"JSON with a NUL behind it", {.body = body::json_text("{}\0x"s)}},
        {"JSON that is not UTF-8", {.body = body::json_text("\"\xff\"")}},
        {"JSON behind a byte order mark", {.body = body::json_text("\xef\xbb\xbf{}")}},
        {"deep JSON", {.body = body::json_text(std::string(512, '[') + std::string(512, ']'))}},
        {"too deep JSON", {.body = body::json_text(std::string(20'000, '[') + std::string(20'000, ']'))}},
        {"problem+json",
         {.body = body::bytes("{ \"title\":\"x\" }", "application/problem+json; charset=utf-8")}},
        {"text", {.body = body::text("line\r\nline\n")}},
        {"text that is not UTF-8", {.body = body::text("\xff\xfe")}},
        {"every byte there is", {.body = body::bytes(every_byte, "application/octet-stream")}},
        {"bytes that look like escaped bytes", {.body = body::bytes("\\x00\\000\\\\", "text/plain")}},
        {"no bytes of a type", {.body = body::bytes("", "image/png")}},
        {"bytes of no type", {.body = body::bytes("x", "")}},
        {"half a megabyte", {.body = body::text(std::string(std::size_t{512} * 1024, 'x'))}},
        {"headers",
         {.status = 201,
          .headers = {{"X-B", "2"},
                      {"X-A", "1"},
                      {"X-B", "1"},
                      {"x-a", ""},
                      {"Quoted", "a \"b\" \\c"},
                      {"U", "\xc3\xa9"}},
          .body = body{nlohmann::json{{"id", 7}}}}},
    };
    for (auto const& [what, made] : answers) {
        INFO(what);
        auto const first = once::execute(db, request_of(what), answering(made));
        CHECK(first.done());
        CHECK(first.committed());
        CHECK(first.response() == made);
        for (int i = 0; i < 2; ++i) {
            auto const repeat = once::execute(db, request_of(what), must_not_run);
            CHECK(repeat.replayed());
            CHECK(repeat.committed());
            CHECK(repeat.response() == made);
        }
    }
    CHECK(server.effects() == static_cast<int>(answers.size()));
    CHECK(server.records() == static_cast<int>(answers.size()));
}

TEST_CASE("JSON that is JSON is stored where it can be read, anything else as bytes", "[execute]") {
    effects_database const server;
    once::database db{server.dsn()};
    std::ignore =
        once::execute(db, request_of("json"), answering({.body = body::json_text(R"({ "id":7 })")}));
    std::ignore = once::execute(db, request_of("bytes"), answering({.body = body::json_text("{broken")}));
    CHECK(server.ask("select response_json->>'id' from once.idempotency_record where key = 'json'") == "7");
    CHECK(server.ask("select response_json is null and response_bytes = '{broken' "
                     "from once.idempotency_record where key = 'bytes'") == "t");
}

TEST_CASE("a callback returns a value of its own, and every answer gives it back typed", "[execute]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto const made = [](once::transaction& tx) {
        add_effect(tx);
        return std::map<std::string, int>{{"a", 1}};
    };
    auto const first = once::execute(db, request_of("k"), made);
    auto const repeat = once::execute(db, request_of("k"), made);
    CHECK(first.response().status == 200);
    CHECK(first.as<std::map<std::string, int>>().at("a") == 1);
    CHECK(repeat.as<std::map<std::string, int>>().at("a") == 1);
    CHECK(repeat.response() == first.response());
    CHECK(server.effects() == 1);
}

TEST_CASE("a callback that returns nothing is answered 204 without a body", "[execute]") {
    effects_database const server;
    once::database db{server.dsn()};
    for (bool const repeat : {false, true}) {
        auto const reply = once::execute(db, request_of("k"), [](once::transaction& tx) { add_effect(tx); });
        CHECK(reply.replayed() == repeat);
        CHECK(reply.response() == response{.status = 204});
    }
    CHECK(server.effects() == 1);
}

TEST_CASE("the same key with another question is refused and shown nothing", "[execute]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto asked = request_of("k");
    asked.fingerprint = once::fingerprint{"POST", "{\"amount\":1}"};
    std::ignore = once::execute(db, asked, answering({.body = body::text("secret")}));

    std::array<std::byte, 32> const digest{};
    for (auto const& other :
         {once::fingerprint{"POST", "{\"amount\":2}"}, once::fingerprint{once::no_fingerprint},
          once::fingerprint::from_digest(digest)}) {
        asked.fingerprint = other;
        auto const reply = once::execute(db, asked, must_not_run);
        CHECK(reply.key_reused());
        CHECK_FALSE(reply.has_response());
        CHECK_FALSE(reply.committed());
    }
    CHECK(server.effects() == 1);
}

TEST_CASE("a digest made by the caller is the same fingerprint as the parts it was made of", "[execute]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto asked = request_of("k");
    asked.fingerprint = once::fingerprint{"a"};
    std::ignore = once::execute(db, asked, answering({}));
    auto const hex = server.ask("select encode(sha256('\\x000000000000000161'), 'hex')");
    std::vector<std::byte> digest;
    for (std::size_t i = 0; i < hex.size(); i += 2) {
        digest.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    }
    asked.fingerprint = once::fingerprint::from_digest(digest);
    CHECK(once::execute(db, asked, must_not_run).replayed());
}

TEST_CASE("another key, another scope and another case are other requests", "[execute]") {
    effects_database const server;
    once::database db{server.dsn()};
    std::vector<std::pair<std::string, std::string>> const names{
        {"s", "key"}, {"s", "Key"}, {"S", "key"}, {"s", "key2"}, {"t", "key"}, {"a:b", "c"},
        {"a", "b:c"}, {"a b", "c"}, {"a", "b c"}, {"s", "k"},    {"sk", "ey"}, {"s", "key "s + "x"}};
    std::vector<once::request> requests;
    for (auto const& [scope, key] : names) {
        requests.push_back({.scope = scope, .key = key, .fingerprint = once::no_fingerprint});
    }
    for (auto const& request : requests) {
        INFO(request.scope << " / " << request.key);
        CHECK(once::execute(db, request, answering({.body = body{request.scope + request.key == "skey"}}))
                  .done());
    }
    for (auto const& request : requests) {
        CHECK(once::execute(db, request, must_not_run).replayed());
    }
    CHECK(server.effects() == static_cast<int>(requests.size()));
}

TEST_CASE("the policy decides which statuses are kept; what is not kept leaves nothing behind", "[execute]") {
    struct row {
        store policy;
        int status;
        bool committed;
        bool repeated;
        bool response_kept;
    };
    constexpr row rows[]{
        {store::success, 200, true, true, true},
        {store::success, 302, true, true, true},
        {store::success, 400, false, false, false},
        {store::success, 503, false, false, false},
        {store::success_and_client_errors, 201, true, true, true},
        {store::success_and_client_errors, 422, true, true, true},
        {store::success_and_client_errors, 500, false, false, false},
        {store::nothing, 200, true, true, false},
        {store::nothing, 404, false, false, false},
        {store::nothing, 500, false, false, false},
    };
    effects_database const server;
    once::database db{server.dsn()};
    int key = 0;
    int effects = 0;
    for (auto const& row : rows) {
        INFO("policy " << static_cast<int>(row.policy) << " status " << row.status);
        auto const request = request_of(std::to_string(++key));
        call_options const options{.stored = row.policy};
        response const made{.status = row.status, .body = body::text("answer")};
        auto const first = once::execute(db, request, answering(made), options);
        CHECK(first.done());
        CHECK(first.response() == made);
        CHECK(first.committed() == row.committed);
        effects += row.committed ? 1 : 0;
        CHECK(server.effects() == effects);

        auto const repeat = once::execute(db, request, answering({.status = 200}), options);
        CHECK(repeat.replayed() == row.repeated);
        if (row.repeated) {
            CHECK(repeat.has_response() == row.response_kept);
        } else {
            effects += 1;
        }
        CHECK(server.effects() == effects);
    }
}

TEST_CASE("an exception of the callback passes through, and the key is free again", "[execute]") {
    effects_database const server;
    once::database db{server.dsn()};
    struct own_failure {};
    CHECK_THROWS_AS(once::execute(db, request_of("k"),
                                  [](once::transaction& tx) {
                                      add_effect(tx);
                                      throw own_failure{};
                                  }),
                    own_failure);
    CHECK_THROWS_AS(once::execute(db, request_of("k"), [](once::transaction& tx) { tx.exec("select 1/0"); }),
                    pqxx::sql_error);
    CHECK(server.effects() == 0);
    CHECK(server.records() == 0);
    CHECK(once::execute(db, request_of("k"), answering({})).done());
    CHECK(server.effects() == 1);
}

TEST_CASE("a response that breaks its limits is refused, and nothing takes effect", "[execute]") {
    effects_database const server;
    once::database db{server.dsn()};
    for (auto const& bad : {response{.status = 0}, response{.headers = {{"a b", "c"}}},
                            response{.body = body::text(std::string(11, 'x'))}}) {
        CHECK_THROWS_AS(once::execute(db, request_of("k"), answering(bad), {.max_response_bytes = 10}),
                        once::invalid_argument);
    }
    CHECK(server.effects() == 0);
    CHECK(server.records() == 0);
    CHECK(once::execute(db, request_of("k"), answering({.body = body::text(std::string(10, 'x'))}),
                        {.max_response_bytes = 10})
              .done());
}

TEST_CASE("an expired record is a free key", "[execute]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto asked = request_of("k");
    asked.fingerprint = once::fingerprint{"first"};
    std::ignore = once::execute(db, asked, answering({.status = 201, .headers = {{"A", "b"}}}),
                                {.retention = std::chrono::hours{1}});
    CHECK(server.ask("select expires_at - completed_at from once.idempotency_record") == "01:00:00");
    server.run("update once.idempotency_record set claimed_at = claimed_at - interval '61 minutes', "
               "completed_at = completed_at - interval '61 minutes', expires_at = expires_at - interval '61 "
               "minutes'");
    asked.fingerprint = once::fingerprint{"second"};
    auto const again = once::execute(db, asked, answering({.status = 202}));
    CHECK(again.done());
    CHECK(once::execute(db, asked, must_not_run).response() == response{.status = 202});
    CHECK(server.effects() == 2);
    CHECK(server.records() == 1);
}
