// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// `once relay --to redis`, from the outbox to a stream of a real server.
#include "brokers/redis/support/far_end.hpp"
#include "brokers/support/far_order.hpp"
#include "exit_status.hpp"
#include "tool/relay_database.hpp"
#include "tool/relay_program.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

using Catch::Matchers::ContainsSubstring;
using namespace once::testing;
namespace exit_status = once::command::exit_status;

TEST_CASE("relay adds each message to a stream of Redis, and says nothing of the password",
          "[relay][redis]") {
    broker_server const server{"REDIS"};
    redis_stream stream{server, "of postgres"};
    relay_database db{2};
    temporary_folder const folder;
    db.publish(30);
    auto const url = split_url(server.url());
    auto const password = folder.write("password", url.password + "\n");
    std::vector<std::string> const words{"relay",        "s",        "--to",
                                         "redis",        "--name",   stream.prefix() + "of {service}",
                                         "--until-idle", "--verbose"};
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
    for (auto const& entry : stream.entries()) {
        ids.insert(entry.field("id"));
    }
    CHECK(ids == db.ids());
    CHECK(stream.entries().size() == 60);
    auto const said = relay.output() + relay.log() + again.output() + again.log();
    CHECK(said.find(url.password) == std::string::npos);
}

TEST_CASE("a wrong setting of a relay to Redis is named, and shows no secret", "[relay][redis]") {
    relay_database const db;
    struct wrong {
        std::vector<std::string> words;
        std::string says;
    };
    for (auto const& [words, says] : {
             wrong{{}, "Give --url or ONCE_RELAY_URL"},
             wrong{{"--url", "redis://a:hunter2@b"}, "--url: no password"},
             wrong{{"--url", "http://b"}, "redis://HOST"},
             wrong{{"--url", "rediss://b"}, "TLS"},
             wrong{{"--url", "redis://b", "--tls"}, "TLS"},
             wrong{{"--url", "redis://b", "--wait-replicas", "101"},
                   "--wait-replicas: it must be between 0 and 100"},
             wrong{{"--url", "redis://b", "--max-length", "-1"}, "--max-length"},
             wrong{{"--url", "redis://b", "--password-file", "/nowhere"},
                   "--password-file: /nowhere cannot be read"},
         }) {
        std::vector<std::string> all{"relay", "s", "--to", "redis"};
        all.insert(all.end(), words.begin(), words.end());
        auto const result = db.run(all);
        CAPTURE(words, result.err);
        CHECK(result.status == exit_status::usage);
        CHECK_THAT(result.err, ContainsSubstring(says));
        CHECK(result.err.find("hunter2") == std::string::npos);
    }
}

TEST_CASE("from the outbox to Redis nothing is lost and no key loses its order, whoever is killed",
          "[relay][redis]") {
    broker_server const server{"REDIS"};
    redis_stream stream{server, "t"};
    relay_database db;
    auto const journey = journey_of_this_run();
    std::vector<std::string> const words{
        "relay",   "s",  "--to",        "redis", "--name", stream.prefix() + "{topic}",
        "--lease", "1s", "--pause-cap", "300ms"};
    run_and_kill(server, db, words, {db.variable(), "ONCE_RELAY_URL=" + server.url()}, journey,
                 [&] { return stream.count(); });
    std::vector<far_message> seen;
    for (auto const& entry : stream.entries()) {
        seen.push_back({entry.field("id"), entry.field("key"), std::stol(entry.field("payload"))});
    }
    check_order(seen, journey);
}
