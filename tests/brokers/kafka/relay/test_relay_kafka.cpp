// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// `once relay --to kafka`, from the outbox to a topic of a real broker.
#include "brokers/kafka/support/far_end.hpp"
#include "brokers/support/far_order.hpp"
#include "exit_status.hpp"
#include "tool/relay_database.hpp"
#include "tool/relay_program.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

using Catch::Matchers::ContainsSubstring;
using namespace once::testing;
namespace exit_status = once::command::exit_status;

TEST_CASE("relay hands each message to Kafka, with what a file of properties says", "[relay][kafka]") {
    broker_server const server{"KAFKA"};
    kafka_topic topic{server};
    relay_database db{2};
    temporary_folder const folder;
    db.publish(30);
    auto const properties =
        folder.write("properties", "# who it is\nclient.id=relay of billing\nlinger.ms=1\n");
    once_program relay{{"relay", "s", "--to", "kafka", "--url", server.url(), "--name", topic.name(),
                        "--properties-file", properties, "--until-idle"},
                       {db.variable()}};
    CHECK(relay.wait() == exit_status::ok);
    CHECK_THAT(relay.log(), ContainsSubstring("url=" + server.url()));
    CHECK_THAT(relay.log(), ContainsSubstring("has one replica"));
    std::set<std::string> ids;
    for (auto const& record : topic.records()) {
        ids.insert(record.header("id"));
    }
    CHECK(ids == db.ids());
    CHECK(topic.records().size() == 30);
}

TEST_CASE("relay reaches Kafka over TLS with a password from a file, and says nothing of it",
          "[relay][kafka]") {
    broker_server const server{"KAFKA"};
    kafka_topic topic{server};
    relay_database db;
    temporary_folder const folder;
    db.publish(3);
    auto const password = folder.write("password", server.variable("_PASSWORD") + "\n");
    std::vector<std::string> const words{"relay",        "s",
                                         "--to",         "kafka",
                                         "--url",        server.variable("_TLS"),
                                         "--name",       topic.name(),
                                         "--user",       server.variable("_USER"),
                                         "--ca-file",    server.ca_file(),
                                         "--until-idle", "--verbose"};
    auto with_file = words;
    with_file.insert(with_file.end(), {"--password-file", password});
    once_program relay{with_file, {db.variable()}};
    CHECK(relay.wait() == exit_status::ok);
    db.publish(3);
    once_program again{words, {db.variable(), "ONCE_RELAY_PASSWORD=" + server.variable("_PASSWORD")}};
    CHECK(again.wait() == exit_status::ok);
    CHECK(topic.records().size() == 6);
    CHECK((relay.log() + again.log()).find(server.variable("_PASSWORD")) == std::string::npos);
}

TEST_CASE("a wrong setting of a relay to Kafka is named, and shows no secret", "[relay][kafka]") {
    relay_database const db;
    temporary_folder const folder;
    struct wrong {
        std::vector<std::string> words;
        std::string says;
    };
    auto const weak = folder.write("weak", "acks=1\n");
    auto const odd = folder.write("odd", "hunter2\n");
    auto const open = folder.write("open", "sasl.password=hunter2\n", std::filesystem::perms{0644});
    for (auto const& [words, says] :
         {wrong{{}, "Give --url or ONCE_RELAY_URL"}, wrong{{"--url", "a:hunter2@b"}, "--url: no password"},
          wrong{{"--url", "b:9092", "--properties-file", weak}, "acks is set by the publisher"},
          wrong{{"--url", "b:9092", "--properties-file", odd}, "NAME=VALUE"},
          wrong{{"--url", "b:9092", "--properties-file", open}, "everybody on this machine may read"},
          wrong{{"--url", "b:9092", "--properties-file", "/nowhere"}, "cannot be read"}}) {
        std::vector<std::string> all{"relay", "s", "--to", "kafka"};
        all.insert(all.end(), words.begin(), words.end());
        auto const result = db.run(all);
        CAPTURE(words, result.err);
        CHECK(result.status == exit_status::usage);
        CHECK_THAT(result.err, ContainsSubstring(says));
        CHECK(result.err.find("hunter2") == std::string::npos);
    }
}

TEST_CASE("from the outbox to Kafka nothing is lost and no key loses its order, whoever is killed",
          "[relay][kafka]") {
    broker_server const server{"KAFKA"};
    kafka_topic topic{server};
    relay_database db;
    auto const journey = journey_of_this_run();
    std::vector<std::string> const words{"relay",   "s",          "--to",        "kafka",
                                         "--url",   server.url(), "--name",      topic.name(),
                                         "--lease", "1s",         "--pause-cap", "300ms"};
    run_and_kill(server, db, words, {db.variable()}, journey, [&] { return topic.count(); });
    std::vector<far_message> seen;
    for (auto const& record : topic.records()) {
        seen.push_back({record.header("id"), record.key.value_or(""), std::stol(record.value)});
    }
    check_order(seen, journey);
}
