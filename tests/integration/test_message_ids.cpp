// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/consumer.hpp>
#include <once/execute.hpp>
#include <once/message_id.hpp>
#include <once/postgres_publisher.hpp>
#include <once/publish.hpp>
#include <once/subscription.hpp>

#include "support/database.hpp"
#include "support/effects.hpp"
#include "support/login_role.hpp"
#include "support/seed.hpp"
#include "support/session.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/pqxx>

#include <map>
#include <random>
#include <string>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;
using once::message_id;

namespace {

constexpr auto given = "00000000-0000-4000-8000-00000000000a";

/// Two services that give the same id, and a database that receives from both.
struct two_senders {
    effects_database server;
    test_database second;
    session receiver{second.dsn()};
    login_role one{server, "one"};
    login_role other{server, "other"};

    two_senders() {
        one.grant_use();
        other.grant_use();
        receiver.run("create table once.arrival (n bigint generated always as identity, id uuid, given uuid, "
                     "service text, what text)");
    }

    [[nodiscard]] static std::vector<once::delivery> read(login_role const& role, std::string const& name) {
        once::database db{role.dsn()};
        std::vector<once::delivery> got;
        std::ignore = once::consumer{
            db, name, [&](once::delivery const& d, once::transaction&) {
                got.push_back(d);
            }}.run_once();
        return got;
    }

    [[nodiscard]] once::publish_report deliver(std::vector<once::delivery> const& messages) {
        once::database db{second.dsn()};
        once::postgres_publisher publisher{
            db,
            {.consumer = "warehouse",
             .sql = "insert into once.arrival (id, given, service, what) select id, given_id, service, "
                    "payload::text from message"}};
        return publisher.publish(messages, std::chrono::steady_clock::now() + 10s);
    }
};

void subscribe(login_role const& role, std::string const& name) {
    session{role.dsn()}.run("set search_path = once; select subscribe('" + name +
                            "', p_from => 'beginning')");
}

} // namespace

TEST_CASE("two services that give the same id have two effects at one receiver", "[ids]") {
    two_senders here;
    subscribe(here.one, "s");
    for (auto const* const role : {&here.one, &here.other}) {
        once::database db{role->dsn()};
        once::transact(db, [&](once::transaction& tx) {
            auto const id = tx.publish(
                {.topic = "t", .payload = once::body::json_text("1"), .id = message_id::parse(given)});
            CHECK(id.to_string() == given);
            // The same again, from the same service, is the same message.
            tx.publish({.topic = "t", .payload = once::body::json_text("1"), .id = message_id::parse(given)});
        }).expect_committed();
    }
    auto const messages = here.read(here.one, "s");
    REQUIRE(messages.size() == 2);
    CHECK(messages[0].id != messages[1].id);
    for (auto const& one : messages) {
        CHECK(one.given_id == message_id::parse(given));
    }
    for (auto const& answer : here.deliver(messages).answers) {
        CHECK(answer.result == once::publish_result::accepted);
    }
    CHECK(here.receiver.ask(
              "select count(*) || ' ' || count(distinct id) || ' ' || count(distinct given) from arrival") ==
          "2 2 1");
    // And again: nothing happens twice.
    static_cast<void>(here.deliver(messages));
    CHECK(here.receiver.ask("select count(*) from arrival") == "2");
}

TEST_CASE(
    "a receiver in PostgreSQL sees other content under one id, and takes a new trace or time for the same",
    "[ids]") {
    two_senders here;
    subscribe(here.one, "s");
    session{here.one.dsn()}.run("select once.publish('t', 'k', '1', p_message_id => '" + std::string{given} +
                                "')");
    auto messages = here.read(here.one, "s");
    REQUIRE(messages.size() == 1);
    CHECK(here.deliver(messages).answers[0].result == once::publish_result::accepted);

    auto again = messages;
    again[0].traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    again[0].published_at += 5s;
    CHECK(here.deliver(again).answers[0].result == once::publish_result::accepted);
    CHECK(here.receiver.ask("select count(*) from once.inbox_alarm") == "0");

    using change = void (*)(once::delivery&);
    for (change const alter :
         {change{[](once::delivery& d) { d.payload = once::body::json_text("2"); }},
          change{[](once::delivery& d) { d.key = "l"; }}, change{[](once::delivery& d) { d.topic = "t.u"; }},
          change{[](once::delivery& d) { d.headers = {{"a", "b"}}; }},
          change{[](once::delivery& d) { d.service = "forger"; }}}) {
        auto other = messages;
        alter(other[0]);
        auto const report = here.deliver(other);
        CHECK(report.answers[0].result == once::publish_result::rejected);
        CHECK(report.answers[0].error.find("other content") != std::string::npos);
    }
    CHECK(here.receiver.ask("select altered_times from once.inbox_alarm") == "5");
    CHECK(here.receiver.ask("select count(*) from arrival") == "1");
}

TEST_CASE(
    "messages with an id of the application's and without one keep their order and their ids, side by side",
    "[ids]") {
    two_senders here;
    subscribe(here.one, "s");
    once::database db{here.one.dsn()};
    std::vector<message_id> returned;
    std::vector<bool> has_given;
    std::mt19937_64 random{seed()};
    INFO("ONCE_SEED=" << seed());
    once::transact(db, [&](once::transaction& tx) {
        returned.clear();
        has_given.clear();
        for (int i = 0; i < 60; ++i) {
            once::message message{
                .topic = "t", .key = "k", .payload = once::body::json_text(std::to_string(i))};
            has_given.push_back(random() % 3 == 0);
            if (has_given.back()) {
                message.id = message_id::random();
            }
            returned.push_back(tx.publish(message));
        }
    }).expect_committed();
    auto const messages = here.read(here.one, "s");
    REQUIRE(messages.size() == returned.size());
    for (std::size_t i = 0; i < messages.size(); ++i) {
        CHECK(messages[i].payload.data() == std::to_string(i));
        CHECK(messages[i].given_id.has_value() == has_given[i]);
        CHECK(messages[i].given_id.value_or(messages[i].id) == returned[i]);
        CHECK((messages[i].id == returned[i]) != has_given[i]);
    }
}

TEST_CASE("an id of the library's own travels as it is, and no service can make one that another was given",
          "[ids]") {
    two_senders here;
    subscribe(here.one, "s");
    once::database db{here.one.dsn()};
    message_id made = message_id::random();
    once::transact(db, [&](once::transaction& tx) {
        made = tx.publish({.topic = "t", .payload = once::body::json_text("1")});
    }).expect_committed();
    auto const messages = here.read(here.one, "s");
    REQUIRE(messages.size() == 1);
    CHECK(messages[0].id == made);
    CHECK_FALSE(messages[0].given_id);

    session thief{here.other.dsn()};
    thief.run("set search_path = once, pg_temp");
    auto const theirs =
        session{here.server.dsn()}.ask("select bound_message_id('" + here.one.name() + "', '" + given + "')");
    CHECK(thief.refused("select publish('t', 'k', '1', p_message_id => '" + theirs + "', p_fresh => true)") ==
          "22023");
    CHECK(thief.refused("select publish_many(array['t'], null, array['1']::json[], p_message_ids => array['" +
                        theirs + "']::uuid[], p_fresh => true)") == "22023");
    CHECK(thief.refused("select schedule(now(), 't', 'k', '1', p_message_id => '" + theirs +
                        "', p_fresh => true)") == "22023");
    thief.run("select publish('t', 'k', '1', p_message_id => '" + theirs + "', p_fresh => null)");
    CHECK(here.server.ask("select count(*) from once.outbox where message_id = '" + theirs + "'") == "0");
}

TEST_CASE(
    "a scheduled message goes by the same id as a published one, and is cancelled by the id that was given",
    "[ids]") {
    test_database const server;
    session db{server.dsn()};
    auto const id = std::string{"p_message_id => '"} + given + "'";
    CHECK(db.ask("select schedule(now() - interval '1 second', 't', 'k', '1', " + id + ")") == given);
    CHECK(db.ask("select message_id = message_id_of(given_id) from scheduled_message") == "t");
    CHECK(db.ask("select cancel_scheduled(message_id) from scheduled_message") == "f");
    CHECK(db.ask(std::string{"select cancel_scheduled('"} + given + "')") == "t");
    CHECK(db.ask("select count(*) from scheduled_message") == "0");
    db.run("select schedule(now() - interval '1 second', 't', 'k', '1', " + id + ")");
    db.run("select publish('t', 'k', '1', " + id + ")"); // is the same message
    db.run("select * from release_due()");
    CHECK(db.ask("select count(*) || ' ' || bool_and(message_id = message_id_of(given_id)) from outbox") ==
          "1 true");
    // One that the library made.
    CHECK(db.ask("select cancel_scheduled(schedule(now(), 't', 'k', '1'))") == "t");
    CHECK(db.ask("select count(*) from scheduled_message") == "0");
}

TEST_CASE("what was parked, and what came through rebase, still says which id was given", "[ids]") {
    test_database const server;
    session db{server.dsn()};
    db.run("select subscribe('s', p_from => 'beginning')");
    db.run(std::string{"select publish('t', 'k', '1', p_message_id => '"} + given + "')");
    auto const some = next_batch(db, "s", 10);
    db.run("select acknowledge('s', 0, '" + some.token + "', null, null, array[" +
           db.ask("select id from outbox") + "], '{retry}', array['no'])");
    CHECK(db.ask("select given_id from parked_message") == given);
    CHECK(db.ask("select given_id from take_parked('s', p_now => now() + interval '1 hour')") == given);
}

// An id that is free again at its sender must not be one that a receiver still takes for the old message.
TEST_CASE("a sender remembers an id for as long as any inbox can remember its message", "[ids]") {
    test_database const server;
    session db{server.dsn()};
    auto const publish = [](std::string const& json) {
        return "select publish('t', 'k', '" + json + "', p_message_id => '" + given + "')";
    };
    db.run(publish("1"));
    // Received as late as it may be (30 days), it is remembered for 30 days more.
    db.run(
        "update outbox_identity set published_at = published_at - interval '60 days' + interval '1 minute'");
    db.run("select trim_outbox('0')");
    CHECK(db.refused(publish("2")) == "ON050");
    CHECK(db.ask("select receive('c', message_id_of('" + std::string{given} +
                 "'), p_sent_at => now() - interval '30 days')") == "too_old");
    db.run("update outbox_identity set published_at = published_at - interval '2 minutes'");
    db.run("select trim_outbox('0')");
    db.run(publish("2"));
    // A scheduled one counts from when it is due.
    auto const schedule = [](std::string const& json) {
        return "select schedule(now() + interval '50 days', 't', 'k', '" + json +
               "', p_message_id => '00000000-0000-4000-8000-00000000000b')";
    };
    db.run(schedule("1"));
    db.run("select release_due(p_now => now() + interval '51 days')");
    db.run("select trim_outbox('0', p_now => now() + interval '109 days')");
    CHECK(db.refused(schedule("2")) == "ON050");
}

TEST_CASE("a name makes the same id in SQL and in C++, whatever letters it has", "[ids]") {
    test_database const server;
    session db{server.dsn()};
    // RFC 9562, appendix B.2.
    CHECK(db.ask("select name_uuid('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com')") ==
          "5c146b14-3c52-8afd-938a-375d0df1fbf6");
    INFO("ONCE_SEED=" << seed());
    std::mt19937_64 random{seed()};
    std::map<std::string, std::string> seen;
    std::vector<std::string> const letters{
        "a", "Z",  "0",  "_",   ":", "-", " ", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\x98",
        "'", "\\", "\n", "\x01"};
    pqxx::connection connection{server.dsn()};
    pqxx::nontransaction tx{connection};
    auto const check = [&](std::string const& source, std::string const& name) {
        auto const made = message_id::from_name(source, name).to_string();
        CHECK(made == tx.query_value<std::string>("select once.message_id_from_name($1, $2)",
                                                  pqxx::params{source, name}));
        CHECK(made[14] == '8');
        auto const [known, fresh] = seen.emplace(made, source + '\n' + name);
        CHECK((fresh || known->second == source + '\n' + name));
    };
    check("stripe", "evt_1PqJ2eLkdIwHu7ix");
    check("standard-webhooks", "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W");
    check("kafka:prod/orders", "0:42");
    check("ab", "c");
    check("a", "bc"); // the source does not run into the name
    for (int i = 0; i < 200; ++i) {
        std::string source;
        std::string name;
        for (auto* const text : {&source, &name}) {
            for (auto n = 1 + random() % 70; n > 0; --n) {
                *text += letters[random() % letters.size()];
            }
        }
        check(source.substr(0, source.find('\xf0')).empty() ? "x" : source, name);
    }
    for (auto const& [source, name] : std::vector<std::pair<std::string, std::string>>{
             {"", "a"}, {"a", ""}, {std::string(256, 'a'), "a"}, {"a", std::string(4097, 'a')}}) {
        CHECK_THROWS_AS(message_id::from_name(source, name), once::invalid_argument);
        CHECK(db.refused("select message_id_from_name('" + source + "', '" + name + "')") == "22023");
    }
    CHECK_THROWS_AS(message_id::from_name("a", std::string_view{"a\0b", 3}), once::invalid_argument);
    CHECK_THROWS_AS(message_id::from_name("a", "\xff"), once::invalid_argument);
}
