// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// `once relay --to rabbitmq`, from the outbox to a queue of a real broker.
#include "brokers/rabbitmq/support/far_end.hpp"
#include "brokers/support/far_order.hpp"
#include "exit_status.hpp"
#include "tool/relay_database.hpp"
#include "tool/relay_program.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

using Catch::Matchers::ContainsSubstring;
using namespace once::testing;
namespace exit_status = once::command::exit_status;

TEST_CASE("relay hands each message to RabbitMQ, and says nothing of the password", "[relay][rabbitmq]") {
    broker_server const server{"RABBITMQ"};
    rabbitmq_queue queue{server};
    relay_database db{2};
    temporary_folder const folder;
    db.publish(30);
    auto const url = split_url(server.url());
    auto const password = folder.write("password", url.password + "\n");
    std::vector<std::string> const words{"relay",  "s",          "--to",         "rabbitmq",
                                         "--name", queue.name(), "--until-idle", "--verbose"};
    auto with_file = words;
    for (auto const& word : {std::string{"--url"}, url.server, std::string{"--user"}, url.user,
                             std::string{"--password-file"}, password}) {
        with_file.push_back(word);
    }
    once_program relay{with_file, {db.variable()}};
    CHECK(relay.wait() == exit_status::ok);
    CHECK_THAT(relay.log(), ContainsSubstring("url=" + url.server));
    db.publish(30);
    once_program again{words, {db.variable(), "ONCE_RELAY_URL=" + server.url()}};
    CHECK(again.wait() == exit_status::ok);
    std::set<std::string> ids;
    CHECK(wait_until([&] { return queue.messages().size() == 60; }));
    for (auto const& one : queue.messages()) {
        ids.insert(one.header("id"));
    }
    CHECK(ids == db.ids());
    auto const said = relay.output() + relay.log() + again.output() + again.log();
    CHECK(said.find(url.password) == std::string::npos);
}

TEST_CASE("a wrong setting of a relay to RabbitMQ is named, and shows no secret", "[relay][rabbitmq]") {
    relay_database const db;
    struct wrong {
        std::vector<std::string> words;
        std::string says;
    };
    for (auto const& [words, says] : {
             wrong{{}, "Give --url or ONCE_RELAY_URL"},
             wrong{{"--url", "amqp://a:hunter2@b"}, "--url: no password"},
             wrong{{"--url", "http://b"}, "amqp://HOST"},
             wrong{{"--url", "amqps://b"}, "certificates to trust"},
             wrong{{"--url", "amqp://b", "--password-file", "/nowhere"},
                   "--password-file: /nowhere cannot be read"},
         }) {
        std::vector<std::string> all{"relay", "s", "--to", "rabbitmq"};
        all.insert(all.end(), words.begin(), words.end());
        auto const result = db.run(all);
        CAPTURE(words, result.err);
        CHECK(result.status == exit_status::usage);
        CHECK_THAT(result.err, ContainsSubstring(says));
        CHECK(result.err.find("hunter2") == std::string::npos);
    }
}

TEST_CASE("from the outbox to RabbitMQ nothing is lost and no key loses its order, whoever is killed",
          "[relay][rabbitmq]") {
    broker_server const server{"RABBITMQ"};
    rabbitmq_queue queue{server};
    server.settle();
    relay_database db;
    auto const journey = journey_of_this_run();
    std::vector<std::string> const words{"relay",      "s",       "--to", "rabbitmq",    "--name",
                                         queue.name(), "--lease", "1s",   "--pause-cap", "300ms"};
    run_and_kill(server, db, words, {db.variable(), "ONCE_RELAY_URL=" + server.url()}, journey,
                 [&] { return queue.count(); });
    std::vector<far_message> seen;
    for (auto const& one : queue.messages()) {
        seen.push_back({one.id, one.header("key"), std::stol(one.body)});
    }
    check_order(seen, journey);
}
