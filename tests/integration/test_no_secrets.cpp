// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/claim.hpp>
#include <once/database.hpp>
#include <once/execute.hpp>
#include <once/inbox.hpp>
#include <once/publish.hpp>
#include <once/token.hpp>

#include "support/effects.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/transaction>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

/** @file
 * What callers hand over and must never be read in an error or in the server's log. tests/services/check_harm does the
 * same with the functions of the schema.
 */
using namespace once::testing;

namespace {

struct careless_caller : effects_database {
    once::database db{dsn(), {.max_connections = 1}};
    pqxx::connection connection{dsn()};
    /// In each payload, header, response, body of a request and token; of this test alone, so it is found in a shared
    /// log.
    std::string secret = "secret_of_" + name();
    std::vector<std::string> errors;

    /// @return whether it was refused
    bool tried(std::function<void()> const& call) {
        try {
            call();
            return false;
        } catch (std::exception const& e) {
            errors.emplace_back(e.what());
            return true;
        }
    }
    void refused(std::string const& what, std::function<void()> const& call) {
        INFO(what);
        CHECK(tried(call));
    }
    void answers(std::string const& what, once::response const& response) {
        refused(what, [&] {
            std::ignore =
                once::execute(db, {.scope = "s", .key = what, .fingerprint = once::fingerprint{secret}},
                              [&](once::transaction&) { return response; });
        });
    }
    void publishes(std::string const& what, once::message message) {
        message.payload = message.payload.empty() ? once::body::text(secret) : message.payload;
        message.headers.push_back({"x-card", secret});
        refused(what, [&] {
            std::ignore =
                once::execute(db, {.scope = "s", .key = what, .fingerprint = once::fingerprint{secret}},
                              [&](once::transaction& tx) {
                                  tx.publish(message);
                                  return once::response{.body = once::body::text(secret)};
                              });
        });
    }
    /// The secret itself, in hex, and the digests of it that are stored.
    [[nodiscard]] std::vector<std::string> forms() const {
        return {secret, ask("select encode('" + secret + "', 'hex')"),
                ask("select encode(sha256('" + secret + "'), 'hex')"),
                ask("select encode(fingerprint, 'hex') from once.idempotency_record where fingerprint is not "
                    "null limit 1")};
    }
};

} // namespace

TEST_CASE("no error of the library and no line of the server's log shows what was in a request, answer, "
          "message or token",
          "[input][secret]") {
    careless_caller caller;
    auto const& secret = caller.secret;
    std::string const too_long(std::size_t{1024} * 1024 + 1, 'x');

    for (auto const& [scope, key] : {std::pair{"", "k"}, std::pair{"s", ""}, std::pair{"s", "k\n"}}) {
        caller.refused("an unfit key", [&, scope = scope, key = key] {
            std::ignore = once::execute(
                caller.db, {.scope = scope, .key = key, .fingerprint = once::fingerprint{secret}},
                [&](once::transaction&) { return once::response{.body = once::body::text(secret)}; });
        });
    }
    auto const body = once::body::text(secret);
    caller.answers("status", {.status = 42, .body = body});
    caller.answers("header name", {.headers = {{"x card", secret}}, .body = body});
    caller.answers("header value", {.headers = {{"x-card", secret + "\n"}}, .body = body});
    caller.answers("size", {.body = once::body::text(secret + too_long)});

    caller.publishes("topic", {.topic = "no topic"});
    caller.publishes("no topic", {});
    caller.publishes("key", {.topic = "t", .key = "k\x01"});
    caller.publishes("long key", {.topic = "t", .key = std::string(256, 'k')});
    caller.publishes("header", {.topic = "t", .headers = {{"", secret}}});
    caller.publishes("trace", {.topic = "t", .traceparent = "01-" + secret});
    caller.publishes("large", {.topic = "t", .payload = once::body::text(secret + too_long)});
    caller.publishes("time",
                     {.topic = "t", .deliver_at = std::chrono::sys_time<std::chrono::microseconds>::max()});

    caller.refused("a record that was never claimed", [&] {
        pqxx::work tx{caller.connection};
        once::complete(tx, {"s", "never"}, once::response{.headers = {{"x-card", secret}}, .body = body});
    });
    caller.refused("a statement without a row", [&] {
        std::ignore =
            once::execute(caller.db, {.scope = "s", .key = "rows", .fingerprint = once::fingerprint{secret}},
                          {{"select $1::text as card where false", once::parameters{secret}}});
    });
    caller.refused("a statement that fails", [&] {
        std::ignore =
            once::execute(caller.db, {.scope = "s", .key = "fails", .fingerprint = once::fingerprint{secret}},
                          {{"select 1 / length(left($1::text, 0)) as card", once::parameters{secret}}});
    });
    caller.tried([&] {
        pqxx::work tx{caller.connection};
        std::ignore = once::inbox{"c"}.receive(tx, {.id = once::message_id::random(),
                                                    .fingerprint = once::fingerprint{secret},
                                                    .sent_at = std::chrono::system_clock::time_point::max()});
    });
    for (auto const& token :
         {secret, secret + "\n", std::string{}, std::string(43, '='), std::string(1000, 'x') + secret}) {
        caller.tried([&] {
            std::ignore = once::execute(caller.db,
                                        once::redemption{.token = token,
                                                         .principal = "alice",
                                                         .purpose = "pay",
                                                         .fingerprint = once::fingerprint{secret}},
                                        [&](once::transaction&) { return once::response{.body = body}; });
        });
    }
    // One that is done, for its fingerprint.
    std::ignore =
        once::execute(caller.db, {.scope = "s", .key = "done", .fingerprint = once::fingerprint{secret}},
                      [&](once::transaction&) { return once::response{.body = body}; });

    auto const* const folder = std::getenv("ONCE_CLUSTER_DIR");
    if (folder == nullptr) {
        SKIP("the log of the server is not at hand: ONCE_CLUSTER_DIR is not set, see tools/dev/cluster");
    }
    std::ifstream file{std::string{folder} + "/log"};
    std::string const log{std::istreambuf_iterator<char>{file}, {}};
    CHECK(log.find("there is no started record of this key to complete") !=
          std::string::npos); // it is the right one
    for (auto const& form : caller.forms()) {
        CHECK(form.size() > 10);
        INFO(form);
        for (auto const& error : caller.errors) {
            INFO(error);
            CHECK(error.find(form) == std::string::npos);
        }
        auto const shown = log.find(form);
        INFO(log.substr(shown == std::string::npos ? log.size() : shown - std::min<std::size_t>(shown, 300),
                        400));
        // That `forms` asks for it stands in no log: it succeeds.
        CHECK(shown == std::string::npos);
    }
}
