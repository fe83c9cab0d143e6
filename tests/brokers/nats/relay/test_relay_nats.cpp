// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// `once relay --to nats`, from the outbox to a stream of a real server.
#include "brokers/nats/support/far_end.hpp"
#include "brokers/support/far_order.hpp"
#include "exit_status.hpp"
#include "tool/relay_database.hpp"
#include "tool/relay_program.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

using Catch::Matchers::ContainsSubstring;
using namespace once::testing;
namespace exit_status = once::command::exit_status;

TEST_CASE("relay hands each message to NATS, and says nothing of the password", "[relay][nats]") {
    broker_server const server{"NATS"};
    nats_stream stream{server};
    relay_database db{2};
    temporary_folder const folder;
    db.publish(30);
    auto const url = split_url(server.url());
    auto const password = folder.write("password", url.password + "\n");
    std::vector<std::string> const words{
        "relay",    "s",           "--to",         "nats",
        "--stream", stream.name(), "--topic-map",  "t=" + stream.name() + ".{service}",
        "--form",   "structured",  "--until-idle", "--verbose"};
    auto with_file = words;
    for (auto const& word : {std::string{"--url"}, url.server, std::string{"--user"}, url.user,
                             std::string{"--password-file"}, password}) {
        with_file.push_back(word);
    }
    once_program relay{with_file, {db.variable()}};
    CHECK(relay.wait() == exit_status::ok);
    CHECK_THAT(relay.log(), ContainsSubstring("url=" + url.server));
    CHECK_THAT(relay.log(), ContainsSubstring("has one replica"));
    db.publish(30);
    once_program again{words, {db.variable(), "ONCE_RELAY_URL=" + server.url()}};
    CHECK(again.wait() == exit_status::ok);
    std::set<std::string> ids;
    for (auto const& record : stream.records()) {
        CHECK(record.subject == stream.name() + ".postgres");
        CHECK_THAT(record.body, ContainsSubstring("\"specversion\":\"1.0\""));
        ids.insert(record.header("Nats-Msg-Id"));
    }
    CHECK(ids == db.ids());
    CHECK(stream.records().size() == 60);
    auto const said = relay.output() + relay.log() + again.output() + again.log();
    CHECK(said.find(url.password) == std::string::npos);
}

TEST_CASE("a wrong setting of a relay to NATS is named, and shows no secret", "[relay][nats]") {
    relay_database const db;
    struct wrong {
        std::vector<std::string> words;
        std::string says;
    };
    for (auto const& [words, says] : {
             wrong{{}, "Give --url or ONCE_RELAY_URL"},
             wrong{{"--url", "nats://a:hunter2@b"}, "--url: no password"},
             wrong{{"--url", "nats://b,nats://a:hunter2@b"}, "--url: no password"},
             wrong{{"--url", "http://b"}, "nats://HOST:PORT"},
             wrong{{"--url", "nats://b", "--topic-map", "t"}, "--topic-map: give PATTERN=NAME"},
             wrong{{"--url", "nats://b", "--name", "{key}"}, "name"},
             wrong{{"--url", "nats://b", "--stream", "a.b"}, "stream"},
             wrong{{"--url", "nats://b", "--password-file", "/nowhere"},
                   "--password-file: /nowhere cannot be read"},
             wrong{{"--url", "nats://b", "--credentials-file", "/nowhere"}, "--credentials-file"},
             wrong{{"--url", "nats://b", "--key-file", "/nowhere"}, "certificate"},
         }) {
        std::vector<std::string> all{"relay", "s", "--to", "nats"};
        all.insert(all.end(), words.begin(), words.end());
        auto const result = db.run(all);
        CAPTURE(words, result.err);
        CHECK(result.status == exit_status::usage);
        CHECK_THAT(result.err, ContainsSubstring(says));
        CHECK(result.err.find("hunter2") == std::string::npos);
    }
}

TEST_CASE("a relay that cannot use NATS says so once, costs nobody an attempt, and goes on when it can",
          "[relay][nats]") {
    broker_server const server{"NATS"};
    relay_database db;
    db.publish(5);
    server.kill();
    once_program relay{{"relay", "s", "--to", "nats", "--name", "once_test_late.x", "--pause-cap", "300ms"},
                       {db.variable(), "ONCE_RELAY_URL=" + server.url()}};
    CHECK(relay.logs("no server can be reached"));
    server.start();
    CHECK(relay.logs("no stream takes the subject once_test_late.x"));
    nats_stream stream{server, {.subject = "once_test_late.*"}};
    CHECK(wait_until([&] { return stream.records().size() == 5; }));
    CHECK(wait_until([&] { return db.all_through(); }));
    CHECK(db.ask("select count(*) from once.parked_message where attempts > 0") == "0");
    CHECK(relay.stop() == exit_status::ok);
}

TEST_CASE("from the outbox to NATS nothing is lost and no key loses its order, whoever is killed",
          "[relay][nats]") {
    broker_server const server{"NATS"};
    nats_stream stream{server};
    relay_database db;
    auto const journey = journey_of_this_run();
    std::vector<std::string> const words{"relay",       "s",      "--to",
                                         "nats",        "--name", stream.name() + ".{topic}",
                                         "--lease",     "1s",     "--no-deduplication",
                                         "--pause-cap", "300ms"};
    run_and_kill(server, db, words, {db.variable(), "ONCE_RELAY_URL=" + server.url()}, journey,
                 [&] { return stream.count(); });
    std::vector<far_message> seen;
    for (auto const& record : stream.records()) {
        seen.push_back({record.header("id"), record.header("key"), std::stol(record.body)});
    }
    check_order(seen, journey);
}
