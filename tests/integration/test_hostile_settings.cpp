// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/consumer.hpp>
#include <once/execute.hpp>
#include <once/inbox.hpp>
#include <once/lease.hpp>
#include <once/operation.hpp>
#include <once/token.hpp>

#include "support/effects.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>
#include <pqxx/params>
#include <pqxx/transaction>

#include <array>
#include <chrono>
#include <string>
#include <variant>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

/// Each of these changes a text that the server reads or writes, or how a statement is carried out.
constexpr std::array hostile_settings{
    "array_nulls = off",
    "datestyle = 'German, DMY'",
    "intervalstyle = 'sql_standard'",
    "bytea_output = 'escape'",
    "extra_float_digits = -15",
    "timezone = 'Asia/Kathmandu'",
    "xmlbinary = 'hex'",
    "xmloption = 'document'",
    "transform_null_equals = on",
    "search_path = ''",
    "row_security = off",
    "plan_cache_mode = 'force_custom_plan'",
    "enable_indexscan = off",
    "synchronous_commit = off",
    "client_min_messages = 'debug1'",
    "jit_above_cost = 0",
    "default_toast_compression = 'pglz'",
};

struct hostile_database : effects_database {
    hostile_database() {
        for (std::string const setting : hostile_settings) {
            run("alter database " + name() + " set " + setting);
        }
    }
};

} // namespace

TEST_CASE("calls, messages, the inbox and operations do the same under every setting of the database",
          "[settings]") {
    hostile_database const server;
    once::database db{server.dsn()};
    auto const asked_for = once::request{.scope = "s", .key = "k", .fingerprint = once::fingerprint{"body"}};
    std::string const bytes{"\0\\\x01\xFF'", 5};
    auto const work = [&](once::transaction& tx) {
        tx.exec("insert into public.effect (what) values ('x')");
        tx.publish(
            {.topic = "t", .key = "k", .payload = once::body::bytes(bytes, "application/octet-stream")});
        tx.publish({.topic = "t", .key = "NULL", .payload = nlohmann::json{{"n", 0.1}}});
        return once::response{
            .status = 201, .headers = {{"A", "NULL"}}, .body = once::body::bytes(bytes, "x/y")};
    };
    std::ignore = once::transact(db, [](once::transaction& tx) {
        CHECK(once::subscribe(tx, "s", {.topics = {"t", "NULL"}, .from = once::subscribe_from::beginning}));
    });
    auto const first = once::execute(db, asked_for, work);
    auto const again = once::execute(db, asked_for, work);
    CHECK(again.replayed());
    CHECK(again.response() == first.response());
    CHECK(again.response().body.data() == bytes);

    // A batch of the inbox: elements without a digest, a text or a time are null, and an id may look like anything.
    once::inbox const inbox{"c"};
    std::vector<once::incoming> const batch{
        {.id = once::message_id::random(), .fingerprint = once::no_fingerprint},
        {.id = once::message_id::random(), .fingerprint = once::fingerprint{bytes}},
        {.id = once::message_id::random(),
         .fingerprint = once::no_fingerprint,
         .sent_at = std::chrono::system_clock::now()}};
    auto const all = [&](once::receipt expected) {
        std::ignore = once::transact(db, [&](once::transaction& tx) {
            CHECK(inbox.receive_many(tx, batch) == std::vector(batch.size(), expected));
        });
    };
    all(once::receipt::fresh);
    all(once::receipt::seen);
    auto const other = once::message_id::random();
    std::ignore = once::transact(db, [&](once::transaction& tx) {
        CHECK(inbox.new_ones(tx, std::array{batch[0].id, other}) == std::vector{other});
        CHECK(inbox.receive(tx, batch[1]) == once::receipt::seen);
    });

    // Names of phases stand in an array.
    once::operation const book{
        "NULL",
        {once::in_database("null",
                           [](once::transaction&, once::running_operation& op) { op.data()["seen"] = 0.1; }),
         once::in_database(
             "a \"b\\,c}",
             [](once::transaction&, once::running_operation& op) -> std::optional<once::response> {
                 return once::response{.status = 201, .body = op.data()};
             })}};
    auto const booked = book.run(db, {.scope = "s", .key = "op", .fingerprint = once::no_fingerprint});
    CHECK(booked.response.value().body.as().at("seen") == 0.1);

    auto const token = once::issue_token(db, {.principal = "alice", .purpose = "p"});
    CHECK(once::execute(
              db,
              once::redemption{
                  .token = token, .principal = "alice", .purpose = "p", .fingerprint = once::no_fingerprint},
              work)
              .done());
    CHECK(std::holds_alternative<once::lease>(once::acquire(db, "NULL", 60s)));

    std::vector<std::string> delivered;
    once::consumer consumer{db, "s", [&](once::delivery const& one, once::transaction&) {
                                delivered.push_back(one.key + '=' + one.payload.data());
                            }};
    CHECK(wait_until([&] {
        static_cast<void>(consumer.run_once());
        return delivered.size() >= 4;
    }));
    CHECK(delivered.front() == "k=" + bytes);
    CHECK(delivered[1] == "NULL={\"n\":0.1}");
}
