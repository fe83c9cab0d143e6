// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/database.hpp>
#include <once/http.hpp>

#include "support/effects.hpp"
#include "support/raw_http.hpp"
#include "support/seed.hpp"
#include "support/wait_until.hpp"
#include "web_shop/http_adapter.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <future>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace std::string_literals;
using once::testing::add_effect;
using once::testing::body_of;
using once::testing::effects_database;
using once::testing::post;
using once::testing::raw_http;
using once::testing::status_of;

namespace {

/// once::http behind a real HTTP server.
class service {
public:
    explicit service(std::string const& dsn) : m_db{dsn} {
        m_db.check();
        auto const handle = [this](httplib::Request const& from, httplib::Response& to) {
            auto request = shop::to_once(from);
            request.principal = "alice";
            once::http::options const options{.call = {.wait = std::chrono::seconds{20}}};
            shop::send(once::http::execute(
                           m_db, request,
                           [](once::transaction& tx) -> once::response {
                               add_effect(tx);
                               auto const row = tx.query_value<long>("select max(id) from effect");
                               return {.status = 201, .body = nlohmann::json{{"row", row}}};
                           },
                           options),
                       to);
        };
        m_server.Post("/orders", handle);
        m_server.Post("/other", handle);
        // Newer versions of the server keep a connection on which they refused a request they could not read.
        m_server.set_keep_alive_max_count(1);
        m_port = m_server.bind_to_any_port("127.0.0.1");
        m_thread = std::thread{[this] { m_server.listen_after_bind(); }};
        REQUIRE(once::testing::wait_until([this] { return m_server.is_running(); }));
    }
    service(service const&) = delete;
    service& operator=(service const&) = delete;
    ~service() {
        m_server.stop();
        m_thread.join();
    }

    [[nodiscard]] int port() const noexcept { return m_port; }
    [[nodiscard]] std::string answer(std::string const& bytes) const {
        return raw_http::exchange(m_port, bytes);
    }

private:
    once::database m_db;
    httplib::Server m_server;
    int m_port = 0;
    std::thread m_thread;
};

std::pair<std::string, std::string> key(std::string const& value) {
    return {"Idempotency-Key", value};
}

} // namespace

TEST_CASE("through a real socket a repeat gets the same bytes and a mark", "[http]") {
    effects_database const database;
    service const server{database.dsn()};
    auto const sent = post("/orders", {key(R"("k")"), {"Content-Type", "text/plain"}}, "tea");
    auto const first = server.answer(sent);
    CHECK(status_of(first) == 201);
    CHECK(first.find("Idempotent-Replayed") == std::string::npos);
    auto const again = server.answer(sent);
    CHECK(status_of(again) == 201);
    CHECK(body_of(again) == body_of(first));
    CHECK(again.find("\r\nIdempotent-Replayed: true\r\n") != std::string::npos);
    CHECK(again.find("\r\nCache-Control: no-store\r\n") != std::string::npos);
    CHECK(database.effects() == 1);
}

TEST_CASE("keys that a client spoils on the wire are refused, and nothing takes effect", "[http]") {
    effects_database const database;
    service const server{database.dsn()};
    std::vector<std::vector<std::pair<std::string, std::string>>> const bad{
        {},
        {key("")},
        {key(R"("")")},
        {key("bare")},
        {key(R"("a", "b")")},
        {key(R"("a")"), key(R"("a")")},
        {key(R"("a")"), {"IDEMPOTENCY-KEY", R"("b")"}},
        {key(R"("a";p=1)")},
        {key(R"("a)")},
        {key(R"(" a")")},
        {key("\"" + std::string(256, 'a') + "\"")},
        {key("\"" + std::string(4000, 'a') + "\"")},
        {key("\"\xff\xfe\"")},
        {key("\"caf\xc3\xa9\"")},
        {key("\"a\tb\"")},
        {key("\"a\x7f\"")},
        {key("\"a\x01\"")},
        {key("\"a\0b\""s)},
    };
    for (auto const& headers : bad) {
        auto const answer = server.answer(post("/orders", headers, "tea"));
        INFO((headers.empty() ? "no header" : headers.front().second.substr(0, 40)) << "\n" << answer);
        CHECK(status_of(answer) == 400);
    }
    CHECK(database.effects() == 0);
    CHECK(database.records() == 0);
}

TEST_CASE("a header beyond all limits ends without an effect, and the server goes on", "[http]") {
    effects_database const database;
    service const server{database.dsn()};
    for (auto const& value :
         {"\"" + std::string(9'000, 'a') + "\"", "\"" + std::string(1'000'000, 'a') + "\""}) {
        auto const status = status_of(server.answer(post("/orders", {key(value)}, "tea")));
        INFO(status);
        CHECK((status == 0 || (status >= 400 && status < 500)));
    }
    CHECK(database.effects() == 0);
    CHECK(status_of(server.answer(post("/orders", {key(R"("k")")}, "tea"))) == 201);
}

TEST_CASE("random header values never make the server fail, and each effect has a key of its own", "[http]") {
    CAPTURE(once::testing::seed());
    std::mt19937_64 random{once::testing::seed()};
    auto const below = [&](std::size_t limit) {
        return std::uniform_int_distribution<std::size_t>{0, limit - 1}(random);
    };
    effects_database const database;
    service const server{database.dsn()};
    std::vector<std::string> const pieces{"\"", "\\", ",", ";", "=", " ",    "\t",
                                          "k",  "A",  "0", ":", "(", "\x7f", "\xff"};
    for (int round = 0; round < 300; ++round) {
        auto value = below(4) == 0 ? ""s : "\""s;
        for (std::size_t i = below(5); i > 0; --i) {
            value +=
                below(3) == 0 ? std::string(1, static_cast<char>(below(256))) : pieces[below(pieces.size())];
        }
        value += below(4) == 0 ? "" : "\"";
        auto const status = status_of(server.answer(post("/orders", {key(value)}, "tea")));
        CAPTURE(value);
        // 0: the server closed the connection, e.g. because a line break in the value made half a request of it
        REQUIRE((status == 0 || status == 201 || (status >= 400 && status < 500)));
    }
    CHECK(database.effects() == database.records());
    CHECK(database.ask("select count(*) from once.idempotency_record where key !~ '^[ -~]+$'") == "0");
    CHECK(database.effects() > 0);
}

TEST_CASE("a key with another route, body or content type is refused, and says nothing about the first",
          "[http]") {
    effects_database const database;
    service const server{database.dsn()};
    REQUIRE(status_of(server.answer(post("/orders", {key(R"("k")")}, "tea"))) == 201);
    for (auto const& other :
         {post("/other", {key(R"("k")")}, "tea"), post("/orders", {key(R"("k")")}, "coffee"),
          post("/orders?x", {key(R"("k")")}, "tea"),
          post("/orders", {key(R"("k")"), {"Content-Type", "text/plain"}}, "tea")}) {
        auto const refused = server.answer(other);
        INFO(other << "\n" << refused);
        CHECK(status_of(refused) == 422);
        CHECK(refused.find("application/problem+json") != std::string::npos);
        CHECK(refused.find("row") == std::string::npos);
    }
    CHECK(database.effects() == 1);
}

TEST_CASE("who hangs up before the answer finds it there later", "[http]") {
    effects_database const database;
    service const server{database.dsn()};
    auto const sent = post("/orders", {key(R"("k")")}, "tea");
    {
        raw_http const impatient{server.port()};
        impatient.send(sent);
    }
    REQUIRE(once::testing::wait_until([&] { return database.effects() == 1; }));
    auto const again = server.answer(sent);
    CHECK(status_of(again) == 201);
    CHECK(again.find("Idempotent-Replayed: true") != std::string::npos);
    CHECK(database.effects() == 1);
}

TEST_CASE("sixteen clients with one key get one answer", "[http]") {
    effects_database const database;
    service const server{database.dsn()};
    auto const sent = post("/orders", {key(R"("k")")}, "tea");
    std::vector<std::future<std::string>> clients;
    for (int i = 0; i < 16; ++i) {
        clients.push_back(std::async(std::launch::async, [&] { return server.answer(sent); }));
    }
    std::set<std::string> bodies;
    int firsts = 0;
    for (auto& client : clients) {
        auto const answer = client.get();
        CHECK(status_of(answer) == 201);
        bodies.insert(body_of(answer));
        firsts += answer.find("Idempotent-Replayed") == std::string::npos ? 1 : 0;
    }
    CHECK(bodies.size() == 1);
    CHECK(firsts == 1);
    CHECK(database.effects() == 1);
}
