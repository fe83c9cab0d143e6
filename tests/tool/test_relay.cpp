// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "exit_status.hpp"
#include "relay_database.hpp"
#include "relay_program.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <nlohmann/json.hpp>

#include <cstdlib>

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using namespace once::testing;
using namespace std::chrono_literals;
namespace exit_status = once::command::exit_status;

namespace {

std::vector<std::string> to_file(std::string const& file) {
    return {"relay", "s", "--to", "jsonl", "--file", file, "--lease", "1s", "--batch-messages", "20"};
}

/// @return complaints about completeness, order within a key, and repeats with other bytes
std::string check(std::vector<std::string> const& lines, std::set<std::string> const& staged) {
    std::string complaints;
    std::map<std::string, std::string> seen;
    std::map<std::string, int> last;
    for (auto const& line : lines) {
        auto const one = nlohmann::json::parse(line, nullptr, false);
        if (one.is_discarded()) {
            continue; // torn by the kill; readers skip it
        }
        auto const id = one["id"].get<std::string>();
        if (auto const [at, is_new] = seen.emplace(id, line); !is_new) {
            complaints += at->second == line ? "" : "other bytes: " + line + "\n";
            continue;
        }
        complaints += staged.contains(id) ? "" : "unknown: " + line + "\n";
        auto const n = one["payload"]["n"].get<int>();
        auto& before = last[one["payload"]["key"].get<std::string>()];
        complaints += n > before ? "" : "out of order: " + line + "\n";
        before = n;
    }
    return complaints +
           (seen.size() == staged.size() ? "" : "lost: " + std::to_string(staged.size() - seen.size()));
}

} // namespace

TEST_CASE("relay appends each message to a file once, in the order of its key, and then is done", "[relay]") {
    relay_database db{3};
    temporary_folder const folder;
    auto const file = folder.file("out.jsonl");
    db.publish(100);
    auto const run = [&] {
        return db.run(
            {"relay", "s", "--to", "jsonl", "--file", file, "--until-idle", "--batch-messages", "7"});
    };
    auto const first = run();
    CHECK(first.status == exit_status::ok);
    CHECK_THAT(first.err, ContainsSubstring("stopped subscription=s accepted=100"));
    CHECK(check(lines_of_file(file), db.ids()) == "");
    CHECK(lines_of_file(file).size() == 100);
    CHECK(db.lease_is_free());
    CHECK(run().status == exit_status::ok);
    CHECK(lines_of_file(file).size() == 100);
}

TEST_CASE("relay writes JSON lines to standard output, and nothing else there", "[relay]") {
    relay_database db{2};
    db.publish(10);
    auto const result = db.run({"relay", "s", "--to", "jsonl", "--until-idle", "--log", "json", "--verbose"});
    CHECK(result.status == exit_status::ok);
    CHECK(check(lines_of(result.out), db.ids()) == "");
    // The log is JSON, too, and holds no payload.
    std::set<std::string> events;
    for (auto const& line : lines_of(result.err)) {
        events.insert(nlohmann::json::parse(line)["event"].get<std::string>());
    }
    CHECK(events.contains("started"));
    CHECK(events.contains("batch"));
    CHECK(events.contains("stopped"));
    CHECK(result.err.find("\"n\":") == std::string::npos);
}

TEST_CASE("one slice alone is relayed when one is named", "[relay]") {
    relay_database db{2};
    db.publish(40);
    auto const run = [&](std::string const& slice) {
        return db.run({"relay", "s", "--to", "jsonl", "--until-idle", "--slice", slice});
    };
    auto const lines = lines_of(run("0").out + run("1").out);
    CHECK(lines.size() == 40);
    CHECK(check(lines, db.ids()) == "");
    auto const third = run("2");
    CHECK(third.status == exit_status::usage);
    CHECK_THAT(third.err, ContainsSubstring("--slice 2: subscription s has the slices 0 to 1"));
}

TEST_CASE("a relay that is killed again and again loses nothing, and repeats have the same bytes",
          "[relay]") {
    relay_database db;
    temporary_folder const folder;
    auto const file = folder.file("out.jsonl");
    db.publish(500);
    int killed = 0;
    for (int round = 1; round <= 3; ++round) {
        once_program relay{to_file(file), {db.variable()}};
        CHECK(wait_until([&] { return lines_of_file(file).size() > static_cast<std::size_t>(round) * 60; }));
        relay.signal(SIGKILL);
        killed += relay.wait() == -SIGKILL ? 1 : 0;
        db.publish(50);
    }
    CHECK(killed == 3);
    auto const staged = db.ids();
    once_program last{to_file(file), {db.variable()}};
    CHECK(wait_until([&] { return db.all_through(); }, 60s));
    REQUIRE(last.logs("started")); // the one before may have left nothing to do
    CHECK(last.stop() == exit_status::ok);
    CHECK(check(lines_of_file(file), staged) == "");
    CHECK(db.lease_is_free());
}

TEST_CASE("a relay needs no more than the rights of a consumer", "[relay]") {
    relay_database const db;
    auto const role = db.ask("select current_database() || '_reader'");
    db.sql("create role " + role + " login; grant once_consumer, once_producer to " + role);
    auto const as_reader = db.dsn() + " user=" + role;
    {
        pqxx::connection connection{as_reader};
        pqxx::nontransaction work{connection};
        work.exec("select once.subscribe('mine', p_slices => 2)");
        work.exec("select once.publish('t', 'a', '{}')");
    }
    db.sql("revoke once_producer from " + role);
    auto const result = run_command({"-d", as_reader, "relay", "mine", "--to", "jsonl", "--until-idle"});
    CHECK(result.status == exit_status::ok);
    CHECK_THAT(result.err, ContainsSubstring("accepted=1"));
    // It is not the subscription of another service of the same name.
    CHECK(run_command({"-d", as_reader, "relay", "s", "--to", "jsonl", "--until-idle"}).status ==
          exit_status::not_found);
    db.sql("drop owned by " + role + "; drop role " + role);
}

TEST_CASE("SIGTERM ends a relay in good order: what was accepted is acknowledged, and the lease is free",
          "[relay]") {
    for (int const signal : {SIGTERM, SIGINT}) {
        relay_database db{2};
        temporary_folder const folder;
        auto const file = folder.file("out.jsonl");
        once_program relay{to_file(file), {db.variable()}};
        REQUIRE(relay.logs("started"));
        REQUIRE(wait_until(
            [&] { return db.ask("select count(*) from once.lease where released_at is null") == "2"; }));
        db.publish(30);
        REQUIRE(wait_until([&] { return lines_of_file(file).size() == 30; }));
        relay.signal(signal);
        CHECK(relay.wait() == exit_status::ok);
        CHECK_THAT(relay.log(),
                   ContainsSubstring("stopping") && ContainsSubstring("stopped subscription=s accepted=30"));
        CHECK(db.lease_is_free());
        // Nothing comes twice.
        CHECK(db.run({"relay", "s", "--to", "jsonl", "--until-idle"}).out.empty());
    }
}

TEST_CASE("a relay opens its file anew after SIGHUP, as log rotation wants it", "[relay]") {
    relay_database db;
    temporary_folder const folder;
    auto const file = folder.file("out.jsonl");
    once_program relay{to_file(file), {db.variable()}};
    db.publish(5);
    REQUIRE(wait_until([&] { return lines_of_file(file).size() == 5; }));
    std::filesystem::rename(file, folder.file("old.jsonl"));
    relay.signal(SIGHUP);
    // The signal has arrived when the program has handled it; it has no other way to tell.
    db.publish(5);
    CHECK(wait_until(
        [&] { return lines_of_file(file).size() + lines_of_file(folder.file("old.jsonl")).size() == 10; }));
    db.publish(5);
    CHECK(wait_until([&] {
        return lines_of_file(file).size() >= 5 &&
               lines_of_file(file).size() + lines_of_file(folder.file("old.jsonl")).size() == 15;
    }));
    CHECK(relay.stop() == exit_status::ok);
    auto all = lines_of_file(folder.file("old.jsonl"));
    for (auto const& line : lines_of_file(file)) {
        all.push_back(line);
    }
    CHECK(check(all, db.ids()) == "");
}

TEST_CASE("relay writes each message into a second database with one effect, also when it is killed",
          "[relay]") {
    relay_database db;
    command_database<test_database> const other;
    temporary_folder const folder;
    other.sql("create table arrival (n bigint, id uuid)");
    auto const target = folder.write("target", other.dsn() + "\n");
    auto const statement = folder.write(
        "arrival.sql", "insert into arrival (n, id) select (payload->>'n')::bigint, id from message\n");
    std::vector<std::string> const words{"relay",
                                         "s",
                                         "--to",
                                         "postgres",
                                         "--target-file",
                                         target,
                                         "--statement-file",
                                         statement,
                                         "--batch-messages",
                                         "20",
                                         "--lease",
                                         "1s"};
    auto const arrived = [&] { return std::stoi(other.ask("select count(*) from arrival")); };
    db.publish(600);
    {
        once_program relay{words, {db.variable()}};
        REQUIRE(wait_until([&] { return arrived() > 100; }));
        relay.signal(SIGKILL);
        CHECK(relay.wait() == -SIGKILL);
    }
    once_program relay{words, {db.variable()}};
    CHECK(wait_until([&] { return arrived() >= 600; }, 60s));
    REQUIRE(relay.logs("started")); // the one before may have left nothing to do
    CHECK(relay.stop() == exit_status::ok);
    CHECK(arrived() == 600);
    CHECK(other.ask("select count(distinct id) from arrival") == "600");
    CHECK(other.ask("select string_agg(distinct consumer, ',') from once.inbox") == "s");
}

TEST_CASE("a relay outlives a restart of its database, says so, and goes on", "[relay]") {
    char const* const folder_of_cluster = std::getenv("ONCE_CLUSTER_DIR");
    if (folder_of_cluster == nullptr) {
        SKIP("NO SERVERS: ONCE_CLUSTER_DIR is not set. Run tests/run, or tools/dev/cluster run -- ctest ...");
    }
    auto const server = std::string{folder_of_cluster} + "/restart" + std::to_string(std::random_device{}());
    auto const cluster = [&](std::string const& what) {
        return std::system(
            (ONCE_SOURCE_DIR "/tools/dev/cluster " + what + " " + server + " </dev/null >/dev/null 2>&1")
                .c_str());
    };
    REQUIRE(cluster("start") == 0);
    auto const dsn = "host=" + server + " port=5432 user=postgres dbname=postgres";
    REQUIRE(run_command({"-d", dsn, "migrate", "up", "--create-schema"}).status == exit_status::ok);
    auto const sql = [&](std::string const& text) {
        pqxx::connection connection{dsn};
        pqxx::nontransaction{connection}.exec(text);
    };
    sql("select once.subscribe('s')");
    sql("select once.publish('t', 'a', '{}')");
    temporary_folder const folder;
    auto const file = folder.file("out.jsonl");
    once_program relay{to_file(file), {"ONCE_DATABASE=" + dsn}};
    REQUIRE(wait_until([&] { return lines_of_file(file).size() == 1; }));
    REQUIRE(cluster("stop --keep") == 0);
    CHECK(relay.logs("warn relay subscription=s slice=0"));
    CHECK_FALSE(relay.ended());
    REQUIRE(cluster("start") == 0);
    sql("select once.publish('t', 'a', '{}')");
    CHECK(wait_until([&] { return lines_of_file(file).size() == 2; }, 60s));
    CHECK(relay.logs("goes on after"));
    CHECK(relay.stop() == exit_status::ok);
    CHECK(cluster("stop") == 0);
}

TEST_CASE("a relay serves its numbers, its life and whether it is ready", "[relay]") {
    relay_database db;
    db.publish(12);
    temporary_folder const folder;
    auto words = to_file(folder.file("out.jsonl"));
    words.insert(words.end(), {"--listen", "127.0.0.1:0"});
    once_program relay{words, {db.variable()}};
    auto const url = relay.url();
    REQUIRE_THAT(url, StartsWith("http://127.0.0.1:"));
    CHECK(wait_until([&] {
        return get(url, "/metrics")
                   .find("once_relay_messages_total{subscription=\"s\",slice=\"0\",result=\"accepted\"} "
                         "12\n") != std::string::npos;
    }));
    auto const numbers = get(url, "/metrics");
    CHECK_THAT(numbers, ContainsSubstring("text/plain; version=0.0.4") && ContainsSubstring("once_up 1\n") &&
                            ContainsSubstring(
                                "once_subscription_active{service=\"postgres\",subscription=\"s\"} 1\n"));
    CHECK(status_of(get(url, "/healthz")) == 200);
    CHECK(status_of(get(url, "/readyz")) == 200);
    CHECK(status_of(get(url, "/nothing")) == 404);
    // A second one cannot take the port, and says so.
    words.back() = url.substr(7);
    words.emplace_back("--until-idle"); // so that a test that fails ends
    auto const second = db.run(words);
    CHECK(second.status == exit_status::refused);
    CHECK_THAT(second.err, ContainsSubstring("--listen: cannot listen at"));
    CHECK(relay.stop() == exit_status::ok);
}
