// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/claim.hpp>
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>

#include "support/effects.hpp"
#include "support/refusal.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/transaction>

#include <chrono>
#include <functional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;
using namespace std::string_literals;
using std::chrono::milliseconds;

namespace {

/// All public ways to hand over a request and options; `refused` says which field was refused, or "accepted".
struct entries {
    effects_database server;
    once::database db{server.dsn(), {.max_connections = 1}};
    pqxx::connection connection{server.dsn()};

    using entry = std::function<void(once::request const&, once::call_options const&)>;
    std::vector<std::pair<char const*, entry>> all{
        {"execute with a callback",
         [this](auto const& request, auto const& options) {
             std::ignore = once::execute(db, request, [](once::transaction& tx) { add_effect(tx); }, options);
         }},
        {"execute with statements",
         [this](auto const& request, auto const& options) {
             std::ignore = once::execute(db, request, {effect_statement()}, 200, options);
         }},
        {"claim",
         [this](auto const& request, auto const& options) {
             pqxx::work tx{connection};
             auto const result =
                 once::claim(tx, request, {.wait = options.wait, .retention = options.retention});
             if (std::holds_alternative<once::started>(result)) {
                 add_effect(tx);
                 once::complete(tx, std::get<once::started>(result), once::response{});
                 tx.commit();
             }
         }},
    };

    /// Nothing was written, and everything still works.
    void check_unharmed() {
        CHECK(server.effects() == 0);
        CHECK(server.records() == 0);
        for (auto const& [name, call] : all) {
            INFO("afterwards: " << name);
            call(request_of(name), {});
        }
        CHECK(server.effects() == static_cast<int>(all.size()));
        CHECK(server.records() == static_cast<int>(all.size()));
    }
};

std::vector<std::string> const bad_texts{"",
                                         " ",
                                         " key",
                                         "key ",
                                         "k\tey",
                                         "k\rey",
                                         "key\n",
                                         "k\r\ney",
                                         "k\0ey"s,
                                         "\0"s,
                                         "key\0"s,
                                         "k\x7fy",
                                         "k\x1b[31my",
                                         "k\xffy",
                                         "k\xc0\x80y",
                                         "k\xed\xa0\x80y",
                                         "caf\xc3\xa9",
                                         "k\xe2\x80\x8by",
                                         "\xef\xbb\xbfkey",
                                         "k\xc2\xa0y",
                                         std::string(256, 'k'),
                                         std::string(100'000, 'k')};

} // namespace

TEST_CASE("every entry refuses an unfit key or scope and stays usable", "[input]") {
    entries with;
    for (auto const& [name, call] : with.all) {
        for (std::size_t i = 0; i < bad_texts.size(); ++i) {
            INFO(name << ", text " << i);
            CHECK(refused_field([&] {
                      call({.scope = "s", .key = bad_texts[i], .fingerprint = once::no_fingerprint}, {});
                  }) == "request.key");
            CHECK(refused_field([&] {
                      call({.scope = bad_texts[i], .key = "k", .fingerprint = once::no_fingerprint}, {});
                  }) == "request.scope");
        }
    }
    with.check_unharmed();
}

TEST_CASE("completing a claim that never was refuses unfit texts, too", "[input]") {
    entries with;
    for (std::size_t i = 0; i < bad_texts.size(); ++i) {
        INFO("text " << i);
        pqxx::work tx{with.connection};
        CHECK_THROWS_AS(once::complete(tx, {bad_texts[i], "k"}, once::response{}), once::invalid_argument);
        CHECK_THROWS_AS(once::complete(tx, {"s", bad_texts[i]}, once::response{}), once::invalid_argument);
    }
    with.check_unharmed();
}

TEST_CASE("the longest and oddest keys that are allowed work everywhere", "[input]") {
    entries with;
    std::vector<std::string> const keys{std::string(255, 'k'),

                                        "k",
                                        "'; drop table effect; --",
                                        "$1",
                                        "%s%n",
                                        "\\",
                                        "\"",
                                        "a b",
                                        "{}",
                                        "null",
                                        "NULL",
                                        "--",
                                        "/*",
                                        "${HOME}"};
    int expected = 0;
    for (auto const& [name, call] : with.all) {
        for (auto const& key : keys) {
            INFO(name << " " << key);
            call({.scope = key,
                  .key = key + std::string{name}.substr(0, 255 - key.size()),
                  .fingerprint = once::no_fingerprint},
                 {});
            ++expected;
            if (key.size() == 255) {
                with.server.run("delete from once.idempotency_record where octet_length(key) = 255");
            }
        }
    }
    CHECK(with.server.effects() == expected);
    CHECK(with.server.ask(
              "select count(*) from once.idempotency_record where scope = '''; drop table effect; --'") ==
          std::to_string(with.all.size()));
}

TEST_CASE("every entry refuses times out of their range and stays usable", "[input]") {
    entries with;
    constexpr auto most = milliseconds::max();
    constexpr auto least = milliseconds::min();
    for (auto const& [name, entry] : with.all) {
        auto const& call = entry; // clang-tidy loses sight of a structured binding in a lambda
        INFO(name);
        for (milliseconds const bad : {milliseconds{-1}, milliseconds{3'600'001}, most, least}) {
            CHECK(refused_field([&] { call(request_of("k"), {.wait = bad}); }) == "call_options.wait");
        }
        for (milliseconds const bad : {milliseconds{0}, milliseconds{999}, milliseconds{-1}, most, least}) {
            CHECK(refused_field([&] { call(request_of("k"), {.retention = bad}); }) ==
                  "call_options.retention");
        }
        if (std::string{name} != "claim") {
            for (milliseconds const bad :
                 {milliseconds{0}, milliseconds{99}, milliseconds{-1}, most, least}) {
                CHECK(refused_field([&] { call(request_of("k"), {.deadline = bad}); }) ==
                      "call_options.deadline");
            }
            CHECK(refused_field([&] { call(request_of("k"), {.max_attempts = 0}); }) ==
                  "call_options.max_attempts");
            CHECK(refused_field([&] { call(request_of("k"), {.reply_timeout = 0ms}); }) ==
                  "call_options.reply_timeout");
        }
    }
    with.check_unharmed();
}

TEST_CASE("the outermost times that are allowed work everywhere", "[input]") {
    entries with;
    int expected = 0;
    for (auto const& [name, call] : with.all) {
        INFO(name);
        for (auto const& options :
             {once::call_options{.wait = 0ms, .retention = 20s, .deadline = 20s, .reply_timeout = 20s},
              once::call_options{.wait = 1h, .retention = 366 * 24h, .deadline = 1h, .reply_timeout = 1h}}) {
            call(request_of(name + std::to_string(options.wait.count())), options);
            ++expected;
        }
    }
    CHECK(with.server.effects() == expected);
    CHECK(with.server.ask("select max(expires_at - completed_at) = interval '366 days' * 1 or "
                          "max(extract(epoch from expires_at - completed_at)) = 366 * 86400 "
                          "from once.idempotency_record") == "t");
}

TEST_CASE("a parameter that libpq would cut is refused in a callback before it is sent", "[input]") {
    entries with;
    CHECK(refused_field([&] {
              std::ignore = once::execute(with.db, request_of("k"), [](once::transaction& tx) {
                  add_effect(tx);
                  tx.at_commit({"select $1", once::parameters{"a\0b"s}});
              });
          }) == "parameter $1");
    with.check_unharmed();
}
