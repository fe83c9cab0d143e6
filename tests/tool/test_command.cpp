// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/migrations.hpp>

#include "command.hpp"
#include "exit_status.hpp"
#include "purge.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <future>

using Catch::Matchers::ContainsSubstring;
using once::testing::command_database;
using once::testing::empty_database;
using once::testing::run_command;
using once::testing::test_database;
namespace exit_status = once::command::exit_status;

namespace {

int newest() {
    return once::migrations().back().version;
}

} // namespace

TEST_CASE("migrate up, down to zero and up again leaves the schema that one migrate up makes", "[command]") {
    command_database<empty_database> const db;
    CHECK(db.run({"migrate", "up"}).status == exit_status::not_found);
    CHECK(db.run({"migrate", "status"}).status == exit_status::found);
    REQUIRE(db.run({"migrate", "up", "--create-schema"}).status == exit_status::ok);
    CHECK(db.run({"migrate", "status", "--json"}).json()["installed"] == newest());
    CHECK(db.run({"migrate", "up"}).says("nothing to do"));

    auto const refused = db.run({"migrate", "down", "--to", "0"});
    CHECK(refused.status == exit_status::usage);
    CHECK_THAT(refused.err, ContainsSubstring("--yes"));
    REQUIRE(db.run({"migrate", "down", "--to", "0", "--yes"}).status == exit_status::ok);
    CHECK(db.ask("select count(*) from pg_class where relnamespace = 'once'::regnamespace") == "0");
    CHECK(db.ask("select count(*) from pg_proc where pronamespace = 'once'::regnamespace") == "0");
    CHECK(db.ask("select count(*) from pg_type where typnamespace = 'once'::regnamespace") == "0");
    REQUIRE(db.run({"migrate", "up"}).status == exit_status::ok);
    // Two settings of a throw-away server are all that is wrong.
    for (auto const& finding : db.run({"doctor", "--json"}).json()) {
        CHECK_THAT(finding["what"].get<std::string>(), ContainsSubstring("setting "));
    }
}

TEST_CASE("migrate can stop on the way, and takes a schema of another name", "[command]") {
    command_database<empty_database> const db;
    REQUIRE(db.run({"--schema", "billing", "migrate", "up", "--create-schema", "--to", "3"}).status ==
            exit_status::ok);
    auto const status = db.run({"--schema", "billing", "migrate", "status", "--json"}).json();
    CHECK(status["installed"] == 3);
    CHECK(status["pending"].size() == static_cast<std::size_t>(newest() - 3));
    CHECK(db.ask("select outcome from billing.claim('s', 'k')") == "started");
    CHECK(db.run({"--schema", "Bill\"ing", "migrate", "status"}).status == exit_status::usage);
    CHECK(db.run({"migrate", "up", "--to", "999"}).status == exit_status::usage);
}

TEST_CASE("a dry run prints SQL that psql could apply, and changes nothing", "[command]") {
    command_database<empty_database> const db;
    auto const printed = db.run({"migrate", "up", "--dry-run"});
    CHECK(printed.status == exit_status::ok);
    CHECK(db.ask("select to_regnamespace('once') is null") == "t");
    auto const all = run_command({"migrate", "print"});
    CHECK(printed.out.ends_with(all.out));
    db.sql("create schema once");
    {
        pqxx::connection connection{db.dsn()};
        pqxx::nontransaction session{connection};
        session.exec(printed.out);
    }
    CHECK(db.run({"migrate", "status"}).status == exit_status::ok);
}

TEST_CASE("status and why say when messages wait and nobody reads", "[command]") {
    command_database<test_database> const db;
    // Compiling it takes seconds where the server does that.
    CHECK(db.ask("select proconfig @> array['jit=off'] from pg_proc where proname = 'explain_stall'") == "t");
    CHECK(db.run({"status"}).status == exit_status::ok);
    CHECK(db.run({"why"}).says("nothing stands in the way"));
    db.sql("select once.subscribe('billing')");
    CHECK(db.run({"why"}).status == exit_status::ok);
    db.sql("select once.publish('orders.placed', 'A-17', '{}')");
    auto const status = db.run({"status", "--json"});
    CHECK(status.status == exit_status::found);
    CHECK(status.json()["subscriptions"][0]["waiting"] == 1);
    auto const why = db.run({"why", "billing", "--json"}).json();
    REQUIRE(why.size() == 1);
    CHECK(why[0]["reason"] == "no reader is running");

    db.sql("select once.pause_subscription('billing')");
    CHECK(db.run({"why"}).says("the subscription is paused"));
}

TEST_CASE("why names who works on a key, of whichever service, and nobody when that is over", "[command]") {
    command_database<test_database> const db;
    std::vector<std::string> const asked{"why", "--key", "k-1", "--scope", "POST /orders alice"};
    auto const json = [&] {
        auto words = asked;
        words.emplace_back("--json");
        return db.run(words).json();
    };
    CHECK(db.run(asked).says("no transaction works on this request"));
    CHECK(db.run(asked).status == exit_status::ok);
    {
        pqxx::connection connection{db.dsn() + " application_name=orders-1"};
        pqxx::work working{connection};
        working.exec("select once.begin_request('POST /orders alice', 'k-1')");
        CHECK(db.run(asked).status == exit_status::found);
        CHECK(db.run(asked).says("orders-1"));
        auto const found = json();
        REQUIRE(found.size() == 1);
        CHECK(found[0]["process"] == connection.backendpid());
        CHECK(found[0]["service"] == db.ask("select once.current_service()"));
        CHECK(found[0]["foreign_role"] == false);
        CHECK(db.run({"why", "--key", "k-1", "--scope", "another"}).status == exit_status::ok);
        CHECK(
            db.run({"why", "--key", "k-1", "--scope", "POST /orders alice", "--service", "nobody"}).status ==
            exit_status::ok);
    }
    CHECK(json().empty());
    CHECK(db.run({"why", "--key", "k-1"}).status == exit_status::usage);
}

TEST_CASE("why names the dead message that blocks a key, parked shows it, redrive lets it come again",
          "[command]") {
    command_database<test_database> const db;
    db.sql("select once.subscribe('billing')");
    db.sql("select once.publish('orders.placed', 'A-17', '{\"secret\":1}')");
    db.sql("do $$ declare b text; i bigint; begin select max(batch::text), max(id) into b, i from "
           "once.next_batch('billing'); "
           "perform once.acknowledge('billing', 0, b::once.batch, null, null, array[i], '{dead}', "
           "array['no such "
           "customer']); end $$");
    CHECK(db.run({"why"}).says("key 'A-17' is blocked by a dead message"));
    CHECK(db.run({"status"}).status == exit_status::found);
    auto const list = db.run({"parked", "list", "--state", "dead", "--json"}).json();
    REQUIRE(list.size() == 1);
    auto const id = list[0]["message_id"].get<std::string>();
    auto const shown = db.run({"parked", "show", id});
    CHECK(shown.says("no such customer"));
    CHECK_FALSE(shown.says("secret"));
    CHECK(db.run({"parked", "show", id, "--payload"}).out == "{\"secret\":1}\n");

    CHECK(db.run({"parked", "redrive", "billing", id}).status == exit_status::ok);
    CHECK(db.run({"parked", "redrive", "billing", id}).status == exit_status::not_found);
    CHECK(db.ask("select state from once.parked_message") == "retrying");
    CHECK(db.run({"parked", "discard", "billing", id}).status == exit_status::ok);
    CHECK(db.run({"parked", "list"}).says("nothing is parked"));
    CHECK(db.run({"parked", "show", "not-a-uuid"}).status == exit_status::usage);
}

TEST_CASE("request show answers who, when and what, and keeps the response to itself unless asked",
          "[command]") {
    command_database<test_database> const db;
    db.sql("do $$ begin perform once.claim('POST /orders alice', 'k-1'); "
           "perform once.complete('POST /orders alice', 'k-1', 201, null, 'application/json', "
           "'{\"card\":4711}', null); end $$");
    auto const shown = db.run({"request", "show", "k-1"});
    CHECK(shown.status == exit_status::ok);
    CHECK(shown.says("completed"));
    CHECK_FALSE(shown.says("4711"));
    CHECK(db.run({"request", "show", "k-1", "--response"}).says("4711"));
    CHECK(db.run({"request", "show", "k-1", "--scope", "other"}).status == exit_status::not_found);
    CHECK(db.run({"request", "show", "k-2"}).status == exit_status::not_found);
}

TEST_CASE("purge removes what has expired and what every subscription has passed, and nothing else",
          "[command]") {
    command_database<test_database> const db;
    db.sql("select once.claim('s', 'old', p_retention => '1 second', p_now => now() - interval '1 hour')");
    db.sql("select once.claim('s', 'new')");
    db.sql("select once.subscribe('billing')");
    db.sql("select once.publish('orders.placed', 'A-17', '{}')");
    CHECK(db.run({"purge", "--keep", "0 seconds"}).says("removed 1 expired records, 0 inbox entries"));
    CHECK(db.ask("select string_agg(key, ',') from once.idempotency_record") == "new");
    db.sql("do $$ declare b text; begin select max(batch::text) into b from once.next_batch('billing'); "
           "perform once.acknowledge('billing', 0, b::once.batch); end $$");
    CHECK(db.run({"purge", "--keep", "0 seconds", "--json"}).json()["messages"] == 1);
    CHECK(db.run({"purge", "--batch", "0"}).status == exit_status::usage);
}

TEST_CASE("purge runs every purge job of the schema, or those that are named", "[command]") {
    command_database<test_database> const db;
    // What has expired, three of each but of operations: those only go once they are finished.
    db.sql("select once.claim('s', 'r' || i, p_retention => '1 second', p_now => now() - interval '1 hour') "
           "from "
           "generate_series(1, 3) as i");
    db.sql("select once.issue_token('alice', 'p', '1 second', now() - interval '1 hour') from "
           "generate_series(1, 3) as i");
    db.sql("select once.receive('c', gen_random_uuid(), p_retention => '1 second', p_now => now() - interval "
           "'1 hour') from "
           "generate_series(1, 3) as i");
    db.sql("select once.open_window('w', 'k' || i, decode(lpad(i::text, 64, '0'), 'hex'), '1 second', p_now "
           "=> now() - interval "
           "'1 hour') from generate_series(1, 3) as i");
    db.sql("select once.acquire_lease('l' || i, '1 second', p_now => now() - interval '100 days') from "
           "generate_series(1, 3) as i");
    CHECK(db.run({"purge", "--only", "tokens", "--only", "leases", "--batch", "2"}).out ==
          "removed 3 expired tokens, 3 unused leases\n");
    auto const sum = db.run({"purge", "--batch", "1", "--json"}).json();
    CHECK(sum["records"] == 3);
    CHECK(sum["inbox"] == 3);
    CHECK(sum["windows"] == 3);
    CHECK(sum["operations"] == 0);
    CHECK(sum["tokens"] == 0);
    CHECK(sum["leases"] == 0);
    CHECK(db.run({"purge", "--only", "attic"}).status == exit_status::usage);

    // Whatever purges is a job of the command.
    CHECK(db.ask("select count(*) from pg_proc where pronamespace = 'once'::regnamespace and (proname like "
                 "'purge%' or proname like 'trim%')") == std::to_string(once::command::purge_jobs().size()));
}

TEST_CASE("a purge job that fails does not keep the others from running", "[command]") {
    command_database<test_database> const db;
    db.sql("select once.claim('s', 'r', p_retention => '1 second', p_now => now() - interval '1 hour')");
    db.sql("select once.issue_token('alice', 'p', '1 second', now() - interval '1 hour')");
    db.sql("drop function once.purge(integer, timestamptz)");
    auto const result = db.run({"purge"});
    CHECK(result.status == exit_status::refused);
    CHECK_THAT(result.err, ContainsSubstring("records: "));
    CHECK(result.says("removed 0 expired records"));
    CHECK(result.says("1 expired tokens"));
    CHECK(db.ask("select count(*) from once.token") == "0");
}

TEST_CASE("tail shows messages when their transaction commits, also one that began before it", "[command]") {
    command_database<test_database> const db;
    pqxx::connection early{db.dsn()};
    pqxx::work begun{early};
    begun.exec("select once.publish('orders.placed', 'early', '{}')");
    db.sql("select once.publish('orders.placed', 'before tail', '{}')");
    std::stop_source stop;
    auto watching = std::async(std::launch::async, [&] {
        return db.run({"tail", "orders.*", "--limit", "2", "--json"}, stop.get_token());
    });
    // It has begun to watch when it has asked for its position twice.
    using namespace std::chrono_literals;
    REQUIRE(once::testing::wait_until(
        [&] {
            return db.ask("select count(*) from pg_stat_activity where datname = current_database() and "
                          "query like "
                          "'%pg_visible_in_snapshot%' and pid <> pg_backend_pid()") != "0" ||
                   db.ask("select count(*) from pg_stat_activity where datname = current_database() and "
                          "state = 'idle' "
                          "and query = 'COMMIT' and pid <> pg_backend_pid()") != "0";
        },
        20s));
    begun.commit();
    // Whatever the moment, a message that commits later than the first look is seen.
    for (int i = 0; watching.wait_for(100ms) == std::future_status::timeout && i < 100; ++i) {
        db.sql("select once.publish('orders.placed', 'late', '{}')");
        db.sql("select once.publish('stock.low', 'other', '{}')");
    }
    stop.request_stop();
    auto const seen = watching.get();
    CHECK(seen.says("\"late\""));
    CHECK_FALSE(seen.says("before tail"));
    CHECK_FALSE(seen.says("stock.low"));
}

TEST_CASE("metrics come in the format of Prometheus, each with help and type", "[command]") {
    command_database<test_database> const db;
    db.sql("select once.subscribe('bill\"ing', null, 'beginning')");
    db.sql("select once.publish('orders.placed', 'A-17', '{}')");
    auto const text = db.run({"metrics"});
    CHECK(text.status == exit_status::ok);
    CHECK(text.says("# TYPE once_outbox_last_id counter\nonce_outbox_last_id 1\n"));
    CHECK(text.says("once_subscription_waiting_messages{service=\"postgres\",slice=\"0\","
                    "subscription=\"bill\\\"ing\"} 1\n"));
    CHECK(db.ask("select count(*) from once.metrics where help = '' or kind not in ('gauge', 'counter')") ==
          "0");
}

TEST_CASE("wrong use, passwords on the command line and unreachable servers have their own exit status",
          "[command]") {
    CHECK(run_command({"nonsense"}).status == exit_status::usage);
    CHECK(run_command({}).status == exit_status::usage);
    CHECK(run_command({"--help"}).status == exit_status::ok);
    auto const secret = run_command({"--database", "host=/nowhere password=hunter2", "status"});
    CHECK(secret.status == exit_status::usage);
    CHECK(secret.err.find("hunter2") == std::string::npos);
    CHECK(run_command({"--database", "host=/nowhere", "status"}).status == exit_status::unreachable);
    CHECK(run_command({"--database", "no such keyword=1", "status"}).status == exit_status::usage);
}

TEST_CASE("completion and the manual page know every subcommand and option", "[command]") {
    auto const script = run_command({"completion"}).out;
    CHECK(script.find("'parked redrive')") != std::string::npos);
    CHECK(script.find("--create-schema") != std::string::npos);
}

TEST_CASE("a response without a body is told as such, and records are counted before anybody has analysed",
          "[command]") {
    command_database<test_database> const db;
    db.sql("do $$ begin perform once.claim('s', 'k'); "
           "perform once.complete('s', 'k', 204, null, '', null, ''::bytea); end $$");
    db.sql("do $$ begin perform once.claim('s', 'l'); "
           "perform once.complete('s', 'l', 200, null, '', null, 'abc'::bytea); end $$");
    CHECK(db.run({"request", "show", "k", "--response", "--json"}).json()[0]["response"] == "no body");
    CHECK(db.run({"request", "show", "l", "--response", "--json"}).json()[0]["response"] ==
          "3 bytes of no type");
    CHECK(db.run({"status", "--json"}).json()["records_estimated"] == 2);
    CHECK(db.run({"metrics"}).says("\nonce_idempotency_records 2\n"));
    db.sql("delete from once.idempotency_record");
    db.sql("vacuum analyze once.idempotency_record"); // the statistics say that it is empty
    db.sql("select count(once.claim('s', i::text)) from generate_series(1, 7) as i");
    CHECK(db.run({"status", "--json"}).json()["records_estimated"] == 7);
    db.sql("analyze once.idempotency_record");
    CHECK(db.run({"status", "--json"}).json()["records_estimated"] == 7);
}
