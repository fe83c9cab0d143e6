// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// What made a relay stand still, or say that all was well, with the settings that it has by itself.
#include "exit_status.hpp"
#include "support/http_receiver.hpp"
#include "tool/relay_database.hpp"
#include "tool/relay_program.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <nlohmann/json.hpp>

#include <chrono>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using Catch::Matchers::ContainsSubstring;
using namespace once::testing;
using namespace std::chrono_literals;
namespace exit_status = once::command::exit_status;

namespace {

using stopwatch = std::chrono::steady_clock;

std::string milliseconds_since(stopwatch::time_point begin) {
    return std::to_string(std::chrono::round<std::chrono::milliseconds>(stopwatch::now() - begin).count()) +
           " ms";
}

/// Answers 503 to messages with such a number, 200 to all others, and counts those.
class choosy_receiver {
public:
    explicit choosy_receiver(std::function<bool(int)> refuses) {
        m_http.set_script([this, refuses = std::move(refuses)](http_request const& request) {
            auto const number = nlohmann::json::parse(request.body)["n"].get<int>();
            if (refuses(number)) {
                return http_answer{503};
            }
            ++m_taken;
            return http_answer{200};
        });
    }
    [[nodiscard]] int taken() const { return m_taken; }
    [[nodiscard]] std::string url() { return m_http.url(); }

private:
    std::atomic<int> m_taken = 0;
    http_receiver m_http;
};

void publish_one(relay_database const& db, int number) {
    db.sql("select once.publish('t', 'own" + std::to_string(number) + "', '{\"n\":" + std::to_string(number) +
           "}'::json, p_content_type => 'application/json')");
}

} // namespace

TEST_CASE("503 to forty messages at the head does not hold up the hundred behind them", "[relay][stalls]") {
    relay_database db;
    choosy_receiver receiver{[](int number) { return number <= 40; }};
    for (int i = 1; i <= 140; ++i) {
        publish_one(db, i);
    }
    auto const begin = stopwatch::now();
    once_program relay{{"relay", "s", "--to", "webhook", "--url", receiver.url()}, {db.variable()}};
    CHECK(wait_until([&] { return receiver.taken() == 100; }));
    UNSCOPED_INFO("100 of 100 after " << milliseconds_since(begin));
    CHECK(wait_until(
        [&] { return db.ask("select count(*) from once.parked_message where attempts > 0") == "40"; }));
    // As long as others get through the bad ones are counted, and die.
    int number = 140;
    CHECK(wait_until(
        [&] {
            publish_one(db, ++number);
            return db.ask("select count(*) from once.parked_message where state = 'dead'") == "40";
        },
        60s));
    CHECK(wait_until([&] { return receiver.taken() == number - 40; }));
    UNSCOPED_INFO("40 of 40 dead after " << milliseconds_since(begin));
    CHECK(relay.stop() == exit_status::ok);
}

TEST_CASE("five messages that wait for another attempt do not hold up a good one now and then",
          "[relay][stalls]") {
    relay_database db;
    choosy_receiver receiver{[](int number) { return number <= 5; }};
    for (int i = 1; i <= 5; ++i) {
        publish_one(db, i);
    }
    publish_one(db, 6);
    once_program relay{{"relay", "s", "--to", "webhook", "--url", receiver.url()}, {db.variable()}};
    REQUIRE(wait_until([&] { return receiver.taken() == 1; }));
    auto const begin = stopwatch::now();
    for (int i = 7; i <= 36; ++i) {
        publish_one(db, i);
        REQUIRE(wait_until([&] { return receiver.taken() == i - 5; })); // one at a time, as each comes
    }
    UNSCOPED_INFO("30 of 30, one after the other, after " << milliseconds_since(begin));
    CHECK(relay.stop() == exit_status::ok);
}

TEST_CASE("an error that the target raises for one of three messages is about that one", "[relay][stalls]") {
    relay_database db;
    db.sql("create table public.arrival (n bigint);"
           "create function public.refuse() returns trigger language plpgsql as $$ begin if new.n = 2 then "
           "raise exception 'x' using errcode = 'OR001'; end if; return new; end $$;"
           "create trigger refuse before insert on public.arrival for each row execute function "
           "public.refuse()");
    for (int i = 1; i <= 3; ++i) {
        publish_one(db, i);
    }
    auto const result = db.run(
        {"relay", "s", "--to", "postgres", "--target", db.dsn(), "--statement",
         "-- of each message\nwith one as (select (payload->>'n')::bigint as n from message) insert into "
         "public.arrival select n from one;",
         "--until-idle"});
    CHECK(result.status == exit_status::found);
    CHECK(db.ask("select string_agg(n::text, ' ' order by n) from public.arrival") == "1 3");
    CHECK(db.ask("select attempts > 0 and last_error like '%OR001%' from once.parked_message") == "t");
}

TEST_CASE("a thousand messages that take ten milliseconds each in the target get through",
          "[relay][stalls]") {
    relay_database db;
    db.sql("create table public.arrival (n bigint);"
           "create function public.slow() returns trigger language plpgsql as $$ begin perform "
           "pg_sleep(0.01); return "
           "new; end $$;"
           "create trigger slow before insert on public.arrival for each row execute function public.slow()");
    db.publish(1000);
    auto const begin = stopwatch::now();
    auto const result =
        db.run({"relay", "s", "--to", "postgres", "--target", db.dsn(), "--statement",
                "insert into public.arrival select (payload->>'n')::bigint from message", "--until-idle"});
    UNSCOPED_INFO("after " << milliseconds_since(begin) << ": " << result.err);
    CHECK(result.status == exit_status::ok);
    CHECK(db.ask("select count(*) from public.arrival") == "1000");
    CHECK(result.err.find("no connection") == std::string::npos);
}

TEST_CASE("large messages and a short time get out in small calls", "[relay][stalls]") {
    relay_database db;
    temporary_folder const folder;
    auto const file = folder.file("out.jsonl");
    db.sql("select count(once.publish('t', null, null, convert_to(repeat('x', 512 * 1024), 'UTF8'), "
           "'text/plain')) from "
           "generate_series(1, 100)");
    auto const begin = stopwatch::now();
    auto const result =
        db.run({"relay", "s", "--to", "jsonl", "--file", file, "--until-idle", "--publish-timeout", "300ms"});
    UNSCOPED_INFO("after " << milliseconds_since(begin) << ": " << result.err);
    CHECK(result.status == exit_status::ok);
    CHECK(lines_of_file(file).size() == 100);
}

TEST_CASE("a relay that gets nothing out says so: status 1, a line that says why, not ready",
          "[relay][stalls]") {
    relay_database db;
    temporary_folder const folder;
    auto const pipe = folder.file("pipe");
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    int const nobody_reads =
        ::open(pipe.c_str(), O_RDWR | O_NONBLOCK); // NOLINT(cppcoreguidelines-pro-type-vararg)
    REQUIRE(nobody_reads >= 0);
    std::string const full(4096, '\n');
    while (::write(nobody_reads, full.data(), full.size()) > 0) {
    }
    db.publish(30);
    std::vector<std::string> words{"relay", "s", "--to", "jsonl", "--file", pipe, "--publish-timeout",
                                   "100ms"};
    {
        once_program relay{words, {db.variable()}}; // the same without an end
        words.emplace_back("--listen");
        words.emplace_back("127.0.0.1:0");
        CHECK(relay.logs("unavailable"));
        CHECK(relay.stop() == exit_status::ok);
    }
    {
        once_program relay{words, {db.variable()}};
        auto const url = relay.url();
        CHECK(wait_until([&] { return status_of(get(url, "/readyz")) == 503; }));
        CHECK_THAT(get(url, "/metrics"),
                   ContainsSubstring("once_relay_stuck{subscription=\"s\",slice=\"0\"} 1"));
        CHECK(wait_until([&] {
            return get(url, "/metrics")
                       .find("once_relay_receiver_unavailable{subscription=\"s\",slice=\"0\"} 1") !=
                   std::string::npos;
        }));
        CHECK(relay.stop() == exit_status::ok);
    }
    words.resize(words.size() - 2);
    words.emplace_back("--until-idle");
    auto const result = db.run(words);
    CHECK(result.status == exit_status::found);
    CHECK_THAT(result.err, ContainsSubstring("did not get out within"));
    CHECK(db.ask("select count(*) from once.parked_message where attempts > 0") == "0");
    ::close(nobody_reads);
}

TEST_CASE("a statement for the target that is wrong ends the relay with status 2 and the server's text",
          "[relay][stalls]") {
    relay_database db;
    db.publish(1);
    for (auto const& [statement, text] : std::vector<std::pair<std::string, std::string>>{
             {"insrt into x select 1 from message", "syntax error at or near \"insrt\""},
             {"insert into no_such_table select id from message",
              "relation \"no_such_table\" does not exist"},
             {"insert into once.outbox select nothing from message", "column \"nothing\" does not exist"}}) {
        CAPTURE(statement);
        auto const result = db.run({"relay", "s", "--to", "postgres", "--target", db.dsn(), "--statement",
                                    statement, "--until-idle"});
        CHECK(result.status == exit_status::usage);
        CHECK_THAT(result.err, ContainsSubstring(text));
    }
    CHECK(db.ask("select count(*) from once.parked_message") == "0");
}
