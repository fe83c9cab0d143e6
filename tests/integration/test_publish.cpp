// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>
#include <once/publish.hpp>

#include "support/effects.hpp"
#include "support/refusal.hpp"
#include "support/session.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>
#include <pqxx/connection>
#include <pqxx/transaction>

#include <chrono>
#include <ranges>
#include <string>
#include <tuple>
#include <vector>

using namespace once::testing;
using namespace std::string_literals;
using once::message;

namespace {

int staged(effects_database const& server) {
    return std::stoi(server.ask("select count(*) from once.outbox"));
}

once::message_id some_id(int n) {
    return once::message_id::parse("00000000-0000-4000-8000-00000000000" + std::to_string(n));
}

} // namespace

TEST_CASE("a message is staged if and only if the transaction of its request commits", "[publish]") {
    effects_database const server;
    once::database db{server.dsn()};
    auto const place = [&](std::string const& key, bool fail) {
        return once::execute(db, request_of(key), [&](once::transaction& tx) -> once::response {
            add_effect(tx);
            tx.publish({.topic = "orders.placed", .key = "A-17", .payload = nlohmann::json{{"n", 1}}});
            return {.status = fail ? 500 : 201};
        });
    };
    CHECK(place("good", false).committed());
    CHECK(staged(server) == 1);
    CHECK_FALSE(place("bad", true).committed());
    CHECK(staged(server) == 1);
    CHECK(place("good", false).replayed()); // a repeat stages nothing
    CHECK(staged(server) == 1);
    CHECK_THROWS(once::execute(db, request_of("throws"), [](once::transaction& tx) {
        tx.publish({.topic = "t"});
        throw std::runtime_error{"no"};
    }));
    CHECK(staged(server) == 1);
    CHECK(server.ask(
              "select topic || ' ' || key || ' ' || payload_json || ' ' || content_type from once.outbox") ==
          "orders.placed A-17 {\"n\":1} application/json");
}

TEST_CASE("a JSON payload that SQL stages without a media type is application/json", "[publish]") {
    effects_database const server;
    server.run("select once.publish('t', p_json => '1');"
               "select once.publish_many('{t,t}', p_json => array['1', null]::json[], p_bytes => '{NULL,a}');"
               "select once.schedule(now(), 't', p_json => '1');"
               "select once.release_due()");
    CHECK(server.ask("select string_agg(coalesce(content_type, 'none'), ' ' order by id) from once.outbox") ==
          "application/json application/json none application/json");
}

TEST_CASE("messages and at_commit statements keep their common order", "[publish]") {
    effects_database const server;
    once::database db{server.dsn()};
    std::vector<once::message_id> ids;
    std::ignore = once::transact(db, [&](once::transaction& tx) {
        ids.clear();
        ids.push_back(tx.publish({.topic = "first"}));
        ids.push_back(tx.publish({.topic = "second"}));
        tx.at_commit({"insert into effect (what) select count(*)::text from once.outbox", {}});
        ids.push_back(tx.publish({.topic = "third"}));
    });
    CHECK(server.ask("select what from effect") == "2");
    CHECK(server.ask("select string_agg(topic, ' ' order by id) from once.outbox") == "first second third");
    CHECK(server.ask("select string_agg(message_id::text, ' ' order by id) from once.outbox") ==
          ids[0].to_string() + ' ' + ids[1].to_string() + ' ' + ids[2].to_string());
}

TEST_CASE("every part of a message is stored as it was given", "[publish]") {
    effects_database const server;
    pqxx::connection connection{server.dsn()};
    auto const all = message{.topic = "a.b-c_d.E9",
                             .key = "caf\xc3\xa9 \xf0\x9f\x98\x80",
                             .payload = once::body::json_text("{ \"a\":1,\t\"a\":12345678901234567890.123 }"),
                             .headers = {{"x", "1"}, {"x", "\"2\\"}, {"y", ""}},
                             .traceparent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
                             .id = some_id(1)};
    auto const bytes = message{.topic = "b", .payload = once::body::bytes("\0\xff\n"s, "application/x")};
    auto const not_json = message{.topic = "c", .payload = once::body::json_text("{\"broken\":")};
    auto const nothing = message{.topic = "d"};
    auto const check_rows = [&] {
        CHECK(server.ask(
                  "select concat_ws('|', key, payload_json, headers, traceparent, content_type, given_id, "
                  "num_nulls(payload_bytes)) from once.outbox where topic = 'a.b-c_d.E9'") ==
              all.key + "|" + all.payload.data() + R"(|[["x","1"],["x","\"2\\"],["y",""]]|)" +
                  all.traceparent + "|application/json|" + some_id(1).to_string() + "|1");
        CHECK(server.ask(
                  "select encode(payload_bytes, 'hex') || content_type || (key is null) from once.outbox "
                  "where topic = 'b'") == "00ff0aapplication/xtrue");
        CHECK(server.ask("select convert_from(payload_bytes, 'UTF8') from once.outbox where topic = 'c'") ==
              "{\"broken\":");
        CHECK(server.ask("select octet_length(payload_bytes) || ' ' || num_nulls(key, content_type, headers, "
                         "traceparent) "
                         "from once.outbox where topic = 'd'") == "0 4");
    };
    SECTION("as one statement for many") {
        pqxx::work tx{connection};
        std::vector<message> const messages{all, bytes, not_json, nothing};
        CHECK(once::publish(tx, messages).size() == 4);
        tx.commit();
        check_rows();
    }
    SECTION("one by one") {
        pqxx::work tx{connection};
        for (auto const& one : {all, bytes, not_json, nothing}) {
            once::publish(tx, one);
        }
        tx.commit();
        check_rows();
    }
    SECTION("in the one-round-trip form") {
        once::database db{server.dsn()};
        auto const reply = once::execute(db, request_of("k"),
                                         {once::publish_statement(bytes), once::publish_statement(not_json),
                                          once::publish_statement(nothing), once::publish_statement(all)});
        CHECK(reply.as()["publish"] == some_id(1).to_string());
        check_rows();
    }
    SECTION("with COMMIT") {
        once::database db{server.dsn()};
        std::ignore = once::transact(db, [&](once::transaction& tx) {
            for (auto const& one : {all, bytes, not_json, nothing}) {
                tx.publish(one);
            }
        });
        check_rows();
    }
}

TEST_CASE("an id of the application's names one message, however often it is staged", "[publish]") {
    effects_database const server;
    once::database db{server.dsn()};
    pqxx::connection connection{server.dsn()};
    auto const given = message{.topic = "t", .key = "k", .payload = nlohmann::json{1}, .id = some_id(1)};
    auto other = given;
    other.payload = nlohmann::json{2};

    auto const through_work = [&](message const& one) {
        std::ignore = once::transact(db, [&](once::transaction& tx) { tx.publish(one); });
    };
    auto const borrowed = [&](std::vector<message> const& messages) {
        pqxx::work tx{connection};
        auto const ids = once::publish(tx, messages);
        tx.commit();
        return ids;
    };
    through_work(given);
    CHECK(staged(server) == 1);
    through_work(given);
    CHECK(borrowed({given, given, message{.topic = "new"}}).front() == some_id(1));
    CHECK(staged(server) == 2);
    CHECK(sqlstate_of([&] { through_work(other); }) == "ON050");
    CHECK(sqlstate_of([&] { borrowed({other}); }) == "ON050");
    CHECK(sqlstate_of([&] {
              pqxx::work tx{connection};
              once::publish(tx, other);
          }) == "ON050");
    CHECK(staged(server) == 2);

    // Also when it waits for its time.
    auto later = message{
        .topic = "l", .id = some_id(2), .deliver_at = std::chrono::sys_days{std::chrono::year{2100} / 1 / 1}};
    borrowed({later});
    borrowed({later});
    CHECK(server.ask("select count(*) from once.scheduled_message") == "1");
    // Ids of the library's own leave no trace behind.
    CHECK(server.ask("select count(*) from once.outbox_identity") == "2");
}

TEST_CASE("a message with a time waits apart until then", "[publish]") {
    effects_database const server;
    once::database db{server.dsn()};
    pqxx::connection connection{server.dsn()};
    using namespace std::chrono;
    auto const due = sys_days{year{2031} / 2 / 3} + hours{4} + microseconds{567};
    auto const later = message{.topic = "t", .key = "k", .payload = once::body::text("x"), .deliver_at = due};
    std::ignore = once::transact(db, [&](once::transaction& tx) { tx.publish(later); });
    {
        pqxx::work tx{connection};
        std::vector<message> const both{later, message{.topic = "now"}};
        CHECK(once::publish(tx, both).size() == 2);
        once::publish(tx, later);
        tx.commit();
    }
    CHECK(staged(server) == 1);
    CHECK(server.ask("select count(*) || ' ' || min(due_at at time zone 'UTC') || ' ' || max(due_at at time "
                     "zone 'UTC') "
                     "from once.scheduled_message") ==
          "3 2031-02-03 04:00:00.000567 2031-02-03 04:00:00.000567");
}

TEST_CASE("many messages are staged in their order in bounded statements", "[publish]") {
    effects_database const server;
    pqxx::connection connection{server.dsn()};
    constexpr int count = 10'000;
    pqxx::work tx{connection};
    auto const made = once::publish_each(tx, std::views::iota(0, count) | std::views::transform([](int n) {
                                                 return message{.topic = "t", .key = std::to_string(n)};
                                             }));
    CHECK(made == count);
    tx.commit();
    CHECK(server.ask("select count(*) || ' ' || bool_and(key::int = place - 1) from "
                     "(select key, row_number() over (order by id) as place from once.outbox) as o") ==
          std::to_string(count) + " true");
}

TEST_CASE("a message that breaks a rule is refused by name before anything is sent", "[publish]") {
    effects_database const server;
    once::database db{server.dsn()};
    pqxx::connection connection{server.dsn()};
    std::vector<message> const bad{
        {.topic = "a..b"},
        {.topic = "t", .key = "a\nb"},
        {.topic = "t", .payload = once::body::bytes(std::string(1048577, 'x'), "")}};
    for (auto const& one : bad) {
        CHECK_THROWS_AS(once::transact(db, [&](once::transaction& tx) { tx.publish(one); }),
                        once::invalid_argument);
        CHECK_THROWS_AS(once::publish_statement(one), once::invalid_argument);
        pqxx::work tx{connection};
        CHECK_THROWS_AS(once::publish(tx, one), once::invalid_argument);
        std::vector<message> const pair{message{.topic = "fine"}, one};
        CHECK_THROWS_AS(once::publish(tx, pair), once::invalid_argument);
        CHECK(tx.query_value<int>("select 1") == 1); // still usable
        tx.commit();
    }
    CHECK(staged(server) == 0);
}

TEST_CASE("what the library refuses, the schema refuses, too", "[publish]") {
    effects_database const server;
    std::vector<std::string> const bad{
        "once.publish('', p_json => '1')",
        "once.publish('a..b', p_json => '1')",
        "once.publish('a.', p_json => '1')",
        "once.publish('a#', p_json => '1')",
        "once.publish(repeat('a', 250), p_json => '1')",
        "once.publish('t', '', '1')",
        "once.publish('t', E'a\\tb', '1')",
        "once.publish('t', repeat('k', 256), '1')",
        "once.publish('t')",
        "once.publish('t', p_json => '1', p_bytes => 'x')",
        "once.publish('t', p_bytes => repeat('x', 1048577)::bytea)",
        "once.publish('t', p_json => '1', p_headers => '{\"a\":\"b\"}')",
        "once.publish('t', p_json => '1', p_headers => '[[\"a\",1]]')",
        "once.publish('t', p_json => '1', p_traceparent => '00-0-0-0')",
        "once.publish('t', p_json => '1', p_content_type => repeat('x', 256))",
        "once.publish('t', p_json => '1', p_content_type => E'a\\nb')",
        "once.publish('t', p_json => '1', p_message_id => '00000000-0000-0000-0000-000000000000')",
        "once.schedule('infinity', 't', p_json => '1')",
    };
    for (auto const& call : bad) {
        INFO(call);
        CHECK(sqlstate_of([&] { server.run("select " + call); }) != "accepted");
    }
    CHECK(staged(server) == 0);
}

TEST_CASE("whoever draws a place in the log has the id of its transaction before, whatever defaults give it",
          "[publish]") {
    effects_database const server;
    session db{server.dsn()};
    // Without the second guard: the default of txid gives no id any more.
    server.run(
        "create schema proof; create function proof.draw() returns bigint language plpgsql as $$ begin "
        "if pg_current_xact_id_if_assigned() is null then raise exception 'drawn too early'; end if; "
        "return nextval('once.outbox_id_seq'); end $$; "
        "alter table once.outbox alter txid set default '3', alter id set default proof.draw()");
    CHECK(db.refused(
              "insert into once.outbox (service, bucket, topic, payload_json) values ('s', 0, 't', '1')") ==
          "P0001");
    db.run("select publish('t', 'k', '1')");
    db.run("select publish_many('{t,t}', p_json => '{1,2}')");
    db.run("select schedule(now(), 't', 'k', '3')");
    CHECK(db.ask("select released from release_due()") == "1");
    CHECK(staged(server) == 4);
}
