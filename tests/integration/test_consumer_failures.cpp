// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/consumer.hpp>
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>
#include <once/publish.hpp>

#include "consumer_database.hpp"
#include "support/effects.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <atomic>
#include <chrono>
#include <span>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;
using once::consumer;
using once::consumer_summary;
using once::delivery;
using once::message;

namespace {

/// With a handler of one message; it gets them one by one, or a batch of them in one transaction.
template <class Handle>
consumer make_consumer(consumer_database& outbox, bool batches, Handle const& handle,
                       once::consumer_options const& options = {}) {
    if (!batches) {
        return {outbox.db, "s", handle, options};
    }
    return {outbox.db, "s",
            [handle](std::span<delivery const> batch, once::transaction& tx) {
                for (auto const& one : batch) {
                    handle(one, tx);
                }
            },
            options};
}

} // namespace

TEST_CASE("a failing message is parked with those behind it, and everything else flows", "[consumer]") {
    consumer_database outbox;
    outbox.publish({"a1", "bad", "a2"}, "a");
    outbox.publish({"b1", "b2"}, "b");
    outbox.publish({"n1"}, "");
    std::atomic<bool> broken = true;
    std::vector<int> attempts;
    auto const handle = [&](delivery const& d, once::transaction& tx) {
        write_effect(d, tx);
        if (d.payload.data() == "bad") {
            attempts.push_back(d.attempt);
            if (broken) {
                tx.exec("select 1 / 0");
            }
        }
    };
    bool const batches = GENERATE(false, true);
    CAPTURE(batches);
    auto one = make_consumer(outbox, batches, handle);
    auto total = consumer_summary{};
    total += drain(outbox, one);
    CHECK(total.behind == 1);
    CHECK(total.retried == 10);
    CHECK(attempts.back() == 10);
    CHECK(outbox.effects() == "a1 b1 b2 n1");
    CHECK(outbox.parked("state || ':' || payload_bytes::text") ==
          "dead:\\x626164 waiting:\\x6132"); // attempts are used up by now
    CHECK(outbox.parked("last_error").find("division by zero") != std::string::npos);
    broken = false;
    outbox.server.run("select once.redrive('s')");
    drain(outbox, one);
    CHECK(outbox.effects() == "a1 b1 b2 n1 bad a2");
    CHECK(outbox.parked() == "");
}

TEST_CASE("a key that recovers is handled in a few transactions, not one for each message", "[consumer]") {
    consumer_database outbox;
    std::vector<std::string> texts;
    std::string expected;
    for (int i = 0; i < 200; ++i) {
        texts.push_back(std::to_string(i));
        expected += (i == 0 ? "" : " ") + texts.back();
    }
    outbox.publish(texts, "k");
    bool broken = true;
    auto const handle = [&](delivery const& d, once::transaction& tx) {
        if (broken) {
            tx.exec("select 1 / 0");
        }
        write_effect(d, tx);
    };
    bool const batches = GENERATE(false, true);
    CAPTURE(batches);
    once::consumer_options const options{.reader = {.batch_messages = 50}};
    auto one = make_consumer(outbox, batches, handle, options);
    CHECK(wait_until([&] {
        static_cast<void>(one.run_once());
        return outbox.server.ask("select count(*) from once.parked_message") == "200";
    }));
    broken = false;
    drain(outbox, one);
    CHECK(outbox.effects() == expected);
    CHECK(outbox.parked() == "");
    // The one that had failed, then the others in fifties.
    CHECK(std::stoi(outbox.server.ask("select count(distinct xmin::text) from effect")) <= 1 + 4);
}

TEST_CASE("order stays when the handler fails in the middle of those that catch up", "[consumer]") {
    consumer_database outbox;
    outbox.publish({"0", "1", "2", "bad", "4", "5"}, "k");
    outbox.publish({"other"}, "l");
    bool broken = true;
    auto const handle = [&](delivery const& d, once::transaction& tx) {
        write_effect(d, tx);
        if (broken && d.key == "k") {
            tx.exec("select 1 / 0");
        }
        if (d.payload.data() == "bad") {
            throw once::message_rejected{"unknown kind"};
        }
    };
    bool const batches = GENERATE(false, true);
    CAPTURE(batches);
    auto one = make_consumer(outbox, batches, handle);
    for (int i = 0; i < 3; ++i) {
        static_cast<void>(one.run_once());
    }
    REQUIRE(outbox.parked("state") == "retrying waiting waiting waiting waiting waiting");
    broken = false;
    auto const total = drain(outbox, one);
    CHECK(total.rejected == 1);
    CHECK(outbox.server.ask("select string_agg(what, ' ' order by id) from effect where what <> 'other'") ==
          "0 1 2");
    CHECK(outbox.parked() == "dead:1 waiting:0 waiting:0");
    outbox.server.run("select once.discard('s', message_id) from once.parked_message where state = 'dead'");
    drain(outbox, one);
    CHECK(outbox.server.ask("select string_agg(what, ' ' order by id) from effect where what <> 'other'") ==
          "0 1 2 4 5");
}

TEST_CASE(
    "a message that costs the connection among those that catch up is found, and the others are not blamed",
    "[consumer]") {
    consumer_database outbox{{.max_attempts = 3, .backoff_base = 1ms, .backoff_cap = 1ms}};
    outbox.publish({"0", "1", "2", "poison", "4", "5"}, "k");
    bool broken = true;
    consumer one{outbox.db, "s", [&](delivery const& d, once::transaction& tx) {
                     write_effect(d, tx);
                     if (broken) {
                         tx.exec("select 1 / 0");
                     }
                     if (d.payload.data() == "poison") {
                         tx.exec("select pg_terminate_backend(pg_backend_pid())");
                     }
                 }};
    for (int i = 0; i < 2; ++i) {
        static_cast<void>(one.run_once());
    }
    REQUIRE(outbox.parked("state") == "retrying waiting waiting waiting waiting waiting");
    broken = false;
    std::jthread const worker{[&](std::stop_token const& stop) { one.run(stop); }};
    CHECK(wait_until([&] { return outbox.parked() == "dead:3 waiting:0 waiting:0"; }));
    CHECK(outbox.effects() == "0 1 2");
    outbox.server.run("select once.discard('s', message_id) from once.parked_message where state = 'dead'");
    CHECK(wait_until([&] { return outbox.effects() == "0 1 2 4 5" && outbox.parked().empty(); }));
}

TEST_CASE("a rejected message is dead at once", "[consumer]") {
    consumer_database outbox{{.backoff_base = 1ms, .backoff_cap = 1ms, .dead_blocks_key = false}};
    outbox.publish({"1", "no", "2"}, "k");
    consumer one{outbox.db, "s", [](delivery const& d, once::transaction& tx) {
                     write_effect(d, tx);
                     if (d.payload.data() == "no") {
                         throw once::message_rejected{"unknown kind"};
                     }
                 }};
    CHECK(drain(outbox, one).rejected == 1);
    CHECK(outbox.effects() == "1 2");
    CHECK(outbox.parked("state || ':' || attempts || ':' || last_error") == "dead:1:unknown kind");
}

TEST_CASE("whatever a handler throws parks its message", "[consumer]") {
    consumer_database outbox{{.max_attempts = 1, .dead_blocks_key = false}};
    outbox.publish({"1", "no", "2"}, "k");
    consumer one{outbox.db, "s", [](delivery const& d, once::transaction& tx) {
                     write_effect(d, tx);
                     if (d.payload.data() == "no") {
                         throw 42; // NOLINT(hicpp-exception-baseclass): what nobody should throw
                     }
                 }};
    std::ignore = drain(outbox, one);
    CHECK(outbox.effects() == "1 2");
    CHECK(outbox.parked("state || ':' || last_error") == "dead:an exception that is no std::exception");
}

TEST_CASE("a message whose COMMIT fails is found and parked, the others are handled once", "[consumer]") {
    consumer_database outbox;
    outbox.server.run(
        "alter table effect add constraint unique_what unique (what) deferrable initially deferred; "
        "insert into effect (what) values ('7')");
    std::vector<message> messages;
    for (int i = 0; i < 20; ++i) {
        messages.push_back({.topic = "t", .payload = once::body::text(std::to_string(i))});
    }
    outbox.publish(messages);
    consumer one{outbox.db, "s", write_effect};
    drain(outbox, one);
    CHECK(outbox.server.ask("select count(*) || ' ' || count(distinct what) from effect") == "20 20");
    CHECK(outbox.parked("state || convert_from(payload_bytes, 'UTF8')") == "dead7");
}

TEST_CASE("a conflict is no failure: the transaction is begun anew", "[consumer]") {
    consumer_database outbox;
    outbox.publish({"1", "2"}, "k");
    int runs = 0;
    consumer one{outbox.db, "s", [&](delivery const& d, once::transaction& tx) {
                     write_effect(d, tx);
                     if (++runs == 2) {
                         tx.exec("do $$ begin raise exception 'x' using errcode = '40001'; end $$");
                     }
                 }};
    auto const did = one.run_once();
    CHECK(did.handled == 2);
    CHECK(did.retried == 0);
    CHECK(outbox.effects() == "1 2");
}

TEST_CASE("a handler that is too slow gets smaller batches before a message is blamed", "[consumer]") {
    consumer_database outbox;
    outbox.publish({"1", "2", "3", "slow", "5"}, "");
    consumer one{outbox.db,
                 "s",
                 [&](delivery const& d, once::transaction& tx) {
                     write_effect(d, tx);
                     tx.exec(d.payload.data() == "slow" ? "select pg_sleep(30)" : "select pg_sleep(0.15)");
                 },
                 {.deadline = 500ms}};
    consumer_summary total;
    while (total.handled < 4 || total.retried < 1) {
        total += one.run_once();
    }
    CHECK(outbox.server.ask("select string_agg(what, ' ' order by what) from effect") == "1 2 3 5");
    CHECK(outbox.parked("last_error").find("500 ms") != std::string::npos);
}

TEST_CASE("a lost connection is waited out, and each effect is there once", "[consumer]") {
    consumer_database outbox;
    outbox.publish({"1", "2", "3"}, "k");
    std::atomic<int> runs = 0;
    consumer one{outbox.db, "s", [&](delivery const& d, once::transaction& tx) {
                     write_effect(d, tx);
                     if (++runs == 2) {
                         tx.exec("select pg_terminate_backend(pg_backend_pid())");
                     }
                 }};
    std::jthread const worker{[&](std::stop_token const& stop) { one.run(stop); }};
    CHECK(wait_until([&] { return outbox.effects() == "1 2 3"; }));
    CHECK(outbox.parked() == "");
}

TEST_CASE("a message that costs the connection each time ends up dead, and the others do not", "[consumer]") {
    consumer_database outbox{{.max_attempts = 3, .backoff_base = 1ms, .backoff_cap = 1ms}};
    outbox.publish({"1", "poison", "2"}, "");
    consumer one{outbox.db, "s", [&](delivery const& d, once::transaction& tx) {
                     write_effect(d, tx);
                     if (d.payload.data() == "poison") {
                         tx.exec("select pg_terminate_backend(pg_backend_pid())");
                     }
                 }};
    std::jthread const worker{[&](std::stop_token const& stop) { one.run(stop); }};
    CHECK(wait_until([&] { return outbox.parked("state") == "dead"; }));
    CHECK(wait_until([&] {
        return outbox.server.ask("select string_agg(what, ' ' order by what) from effect") == "1 2";
    }));
}
