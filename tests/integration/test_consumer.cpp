// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/consumer.hpp>
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>
#include <once/publish.hpp>

#include "support/effects.hpp"
#include "support/refusal.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <pqxx/connection>
#include <pqxx/transaction>

#include <atomic>
#include <chrono>
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

/// A service that publishes, and a subscription that gets everything.
struct outbox_fixture {
    effects_database server;
    once::database db{server.dsn()};

    explicit outbox_fixture(once::subscription_options options = {.backoff_base = 1ms, .backoff_cap = 1ms}) {
        options.from = once::subscribe_from::beginning;
        std::ignore =
            once::transact(db, [&](once::transaction& tx) { CHECK(once::subscribe(tx, "s", options)); });
    }

    void publish(std::vector<message> const& messages) {
        std::ignore = once::transact(db, [&](once::transaction& tx) { once::publish(tx, messages); });
    }

    /// One message per text, all of one key or without.
    void publish(std::vector<std::string> const& texts, std::string const& key) {
        std::vector<message> messages;
        for (auto const& text : texts) {
            messages.push_back({.topic = "t", .key = key, .payload = once::body::text(text)});
        }
        publish(messages);
    }

    /// Effects in the order in which they were committed.
    [[nodiscard]] std::string effects() const {
        return server.ask("select coalesce(string_agg(what, ' ' order by id), '') from effect");
    }
    [[nodiscard]] std::string parked(std::string const& what = "state || ':' || attempts") const {
        return server.ask("select coalesce(string_agg(" + what +
                          ", ' ' order by id), '') from once.parked_message");
    }
};

void write_effect(delivery const& one, once::transaction& tx) {
    add_effect(tx, one.payload.data());
}

consumer_summary& operator+=(consumer_summary& to, consumer_summary const& from) {
    to.handled += from.handled;
    to.failed += from.failed;
    to.rejected += from.rejected;
    to.behind += from.behind;
    return to;
}

/// Runs until nothing is left to do, now or soon.
consumer_summary drain(outbox_fixture const& outbox, consumer& one) {
    consumer_summary total;
    CHECK(wait_until([&] {
        auto const did = one.run_once();
        total += did;
        return did.idle() && did.active && outbox.parked("state").find("retrying") == std::string::npos;
    }));
    return total;
}

} // namespace

TEST_CASE("a consumer gets every part of a message as it was published", "[consumer]") {
    outbox_fixture outbox;
    auto const id = once::message_id::random();
    outbox.publish({message{.topic = "a.b",
                            .key = "caf\xc3\xa9",
                            .payload = once::body::json_text("{ \"n\": 1 }"),
                            .headers = {{"x", "1"}, {"x", "\"2"}},
                            .traceparent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
                            .id = id},
                    message{.topic = "c", .payload = once::body::bytes(std::string{"\0\xff", 2}, "x/y")}});
    std::vector<delivery> got;
    consumer one{outbox.db, "s", [&](delivery const& d, once::transaction&) { got.push_back(d); }};
    CHECK(one.run_once().handled == 2);
    REQUIRE(got.size() == 2);
    CHECK(got[0].id == id);
    CHECK(got[0].topic == "a.b");
    CHECK(got[0].key == "caf\xc3\xa9");
    CHECK(got[0].payload == once::body::json_text("{ \"n\": 1 }"));
    CHECK(got[0].headers == std::vector<once::header>{{"x", "1"}, {"x", "\"2"}});
    CHECK(got[0].traceparent == "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01");
    CHECK(got[0].service == outbox.server.ask("select session_user"));
    CHECK(got[0].attempt == 1);
    CHECK(std::chrono::abs(got[0].published_at - std::chrono::system_clock::now()) < 1h);
    CHECK(got[1].payload == once::body::bytes(std::string{"\0\xff", 2}, "x/y"));
    CHECK(got[1].key.empty());
    CHECK(got[0].position < got[1].position);
}

TEST_CASE("effects and position are one transaction, whichever batch size and handler", "[consumer]") {
    outbox_fixture outbox;
    std::vector<std::string> texts;
    std::string expected;
    for (int i = 0; i < 57; ++i) {
        texts.push_back(std::to_string(i));
        expected += (i == 0 ? "" : " ") + texts.back();
    }
    outbox.publish(texts, "k");
    once::consumer_options const small{.reader = {.batch_messages = 10}};
    SECTION("one by one") {
        consumer one{outbox.db, "s", write_effect, small};
        CHECK(drain(outbox, one).handled == 57);
    }
    SECTION("in batches") {
        consumer one{outbox.db, "s",
                     [](std::span<delivery const> batch, once::transaction& tx) {
                         for (auto const& d : batch) {
                             write_effect(d, tx);
                         }
                     },
                     small};
        CHECK(drain(outbox, one).handled == 57);
    }
    SECTION("with another consumer after each batch") {
        for (int i = 0; i < 6; ++i) {
            consumer one{outbox.db, "s", write_effect, small};
            std::stop_source at_once;
            CHECK(one.run_once().handled == (i < 5 ? 10 : 7));
            at_once.request_stop();
            one.run(at_once.get_token()); // gives the lease back
        }
    }
    CHECK(outbox.effects() == expected);
}

TEST_CASE("a handler may publish in the same transaction", "[consumer]") {
    outbox_fixture outbox;
    outbox.publish({"3"}, "k");
    consumer one{outbox.db, "s", [](delivery const& d, once::transaction& tx) {
                     auto const n = std::stoi(d.payload.data());
                     add_effect(tx, d.payload.data());
                     if (n > 0) {
                         tx.publish(
                             {.topic = "t", .key = "k", .payload = once::body::text(std::to_string(n - 1))});
                     }
                 }};
    drain(outbox, one);
    CHECK(outbox.effects() == "3 2 1 0");
}

TEST_CASE("a failing message is parked with those behind it, and everything else flows", "[consumer]") {
    outbox_fixture outbox;
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
    auto const in_batches = [&](std::span<delivery const> batch, once::transaction& tx) {
        for (auto const& d : batch) {
            handle(d, tx);
        }
    };
    bool const batches = GENERATE(false, true);
    CAPTURE(batches);
    consumer one = batches ? consumer{outbox.db, "s", in_batches} : consumer{outbox.db, "s", handle};
    auto total = consumer_summary{};
    total += drain(outbox, one);
    CHECK(total.behind == 1);
    CHECK(total.failed == 10);
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
    outbox_fixture outbox;
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
    auto const in_batches = [&](std::span<delivery const> batch, once::transaction& tx) {
        for (auto const& d : batch) {
            handle(d, tx);
        }
    };
    bool const batches = GENERATE(false, true);
    CAPTURE(batches);
    once::consumer_options const options{.reader = {.batch_messages = 50}};
    consumer one =
        batches ? consumer{outbox.db, "s", in_batches, options} : consumer{outbox.db, "s", handle, options};
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
    outbox_fixture outbox;
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
    auto const in_batches = [&](std::span<delivery const> batch, once::transaction& tx) {
        for (auto const& d : batch) {
            handle(d, tx);
        }
    };
    bool const batches = GENERATE(false, true);
    CAPTURE(batches);
    consumer one = batches ? consumer{outbox.db, "s", in_batches} : consumer{outbox.db, "s", handle};
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
    outbox_fixture outbox{{.max_attempts = 3, .backoff_base = 1ms, .backoff_cap = 1ms}};
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
    std::jthread const worker{[&](std::stop_token stop) { one.run(stop); }};
    CHECK(wait_until([&] { return outbox.parked() == "dead:3 waiting:0 waiting:0"; }));
    CHECK(outbox.effects() == "0 1 2");
    outbox.server.run("select once.discard('s', message_id) from once.parked_message where state = 'dead'");
    CHECK(wait_until([&] { return outbox.effects() == "0 1 2 4 5" && outbox.parked().empty(); }));
}

TEST_CASE("a rejected message is dead at once", "[consumer]") {
    outbox_fixture outbox{{.backoff_base = 1ms, .backoff_cap = 1ms, .dead_blocks_key = false}};
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
    outbox_fixture outbox{{.max_attempts = 1, .dead_blocks_key = false}};
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
    outbox_fixture outbox;
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
    outbox_fixture outbox;
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
    CHECK(did.failed == 0);
    CHECK(outbox.effects() == "1 2");
}

TEST_CASE("a handler that is too slow gets smaller batches before a message is blamed", "[consumer]") {
    outbox_fixture outbox;
    outbox.publish({"1", "2", "3", "slow", "5"}, "");
    consumer one{outbox.db,
                 "s",
                 [&](delivery const& d, once::transaction& tx) {
                     write_effect(d, tx);
                     tx.exec(d.payload.data() == "slow" ? "select pg_sleep(30)" : "select pg_sleep(0.15)");
                 },
                 {.deadline = 500ms}};
    consumer_summary total;
    while (total.handled < 4 || total.failed < 1) {
        total += one.run_once();
    }
    CHECK(outbox.server.ask("select string_agg(what, ' ' order by what) from effect") == "1 2 3 5");
    CHECK(outbox.parked("last_error").find("500 ms") != std::string::npos);
}

TEST_CASE("a lost connection is waited out, and each effect is there once", "[consumer]") {
    outbox_fixture outbox;
    outbox.publish({"1", "2", "3"}, "k");
    std::atomic<int> runs = 0;
    consumer one{outbox.db, "s", [&](delivery const& d, once::transaction& tx) {
                     write_effect(d, tx);
                     if (++runs == 2) {
                         tx.exec("select pg_terminate_backend(pg_backend_pid())");
                     }
                 }};
    std::jthread const worker{[&](std::stop_token stop) { one.run(stop); }};
    CHECK(wait_until([&] { return outbox.effects() == "1 2 3"; }));
    CHECK(outbox.parked() == "");
}

TEST_CASE("a message that costs the connection each time ends up dead, and the others do not", "[consumer]") {
    outbox_fixture outbox{{.max_attempts = 3, .backoff_base = 1ms, .backoff_cap = 1ms}};
    outbox.publish({"1", "poison", "2"}, "");
    consumer one{outbox.db, "s", [&](delivery const& d, once::transaction& tx) {
                     write_effect(d, tx);
                     if (d.payload.data() == "poison") {
                         tx.exec("select pg_terminate_backend(pg_backend_pid())");
                     }
                 }};
    std::jthread const worker{[&](std::stop_token stop) { one.run(stop); }};
    CHECK(wait_until([&] { return outbox.parked("state") == "dead"; }));
    CHECK(wait_until([&] {
        return outbox.server.ask("select string_agg(what, ' ' order by what) from effect") == "1 2";
    }));
}

TEST_CASE("one consumer of a slice is active, another takes over when it ends", "[consumer]") {
    outbox_fixture outbox;
    outbox.publish({"1"}, "k");
    once::consumer_options const quick{.reader = {.lease = 2s}, .deadline = 1s};
    consumer first{outbox.db, "s", write_effect, quick};
    consumer second{outbox.db, "s", write_effect, quick};
    CHECK(first.run_once().active);
    auto const standby = second.run_once();
    CHECK_FALSE(standby.active);
    CHECK(standby.idle());
    outbox.publish({"2"}, "k");
    CHECK(second.run_once().idle());
    CHECK(first.run_once().handled == 1);
    std::stop_source stop;
    stop.request_stop();
    first.run(stop.get_token());
    outbox.publish({"3"}, "k");
    CHECK(wait_until([&] { return second.run_once().handled == 1; }));
    CHECK(outbox.effects() == "1 2 3");
    CHECK(outbox.parked() == ""); // it ended in good order: nobody is suspect
}

TEST_CASE("after a takeover from one that died, its messages come one at a time", "[consumer]") {
    outbox_fixture outbox;
    outbox.publish({"1", "2", "3"}, "");
    // Somebody took the lease and is never heard of again.
    outbox.server.run("select once.acquire_lease('subscription/s/0', '100 milliseconds')");
    std::vector<int> attempts;
    consumer one{outbox.db, "s", [&](delivery const& d, once::transaction& tx) {
                     write_effect(d, tx);
                     attempts.push_back(d.attempt);
                 }};
    CHECK(wait_until([&] { return !one.run_once().idle(); }));
    drain(outbox, one);
    CHECK(outbox.effects() == "1 2 3");
    CHECK(attempts == std::vector{2, 2, 2});
}

TEST_CASE("slices divide the messages by key, and each key stays in order", "[consumer]") {
    outbox_fixture outbox{{.slices = 2}};
    std::vector<message> messages;
    for (int i = 0; i < 100; ++i) {
        messages.push_back(
            {.topic = "t", .key = std::to_string(i % 10), .payload = once::body::text(std::to_string(i))});
    }
    outbox.publish(messages);
    consumer even{outbox.db, "s", write_effect, {.reader = {.slice = 0}}};
    consumer odd{outbox.db, "s", write_effect, {.reader = {.slice = 1}}};
    auto const first = drain(outbox, even).handled;
    auto const second = drain(outbox, odd).handled;
    CHECK(first + second == 100);
    CHECK(first > 0);
    CHECK(second > 0);
    CHECK(outbox.server.ask("select bool_and(later) from (select what::int > lag(what::int) over "
                            "(partition by what::int % 10 order by id) as later from effect) as o") == "t");
}

TEST_CASE("topics choose, and a paused subscription waits", "[consumer]") {
    outbox_fixture outbox{{.topics = {"a.*", "b"}}};
    outbox.publish({message{.topic = "a.x", .payload = once::body::text("1")},
                    message{.topic = "a", .payload = once::body::text("2")},
                    message{.topic = "b", .payload = once::body::text("3")},
                    message{.topic = "b.x", .payload = once::body::text("4")}});
    consumer one{outbox.db, "s", write_effect};
    std::ignore =
        once::transact(outbox.db, [](once::transaction& tx) { CHECK(once::pause_subscription(tx, "s")); });
    CHECK_THROWS_AS(one.run_once(), pqxx::sql_error);
    {
        std::jthread const worker{[&](std::stop_token stop) { one.run(stop); }};
        std::ignore = once::transact(
            outbox.db, [](once::transaction& tx) { CHECK(once::pause_subscription(tx, "s", false)); });
        CHECK(wait_until([&] { return outbox.effects() == "1 3"; }));
    }
    std::ignore = once::transact(outbox.db, [](once::transaction& tx) {
        CHECK(once::unsubscribe(tx, "s"));
        CHECK_FALSE(once::unsubscribe(tx, "s"));
    });
    CHECK_THROWS_AS(one.run({}), pqxx::sql_error); // no such subscription: nothing to wait for
}

TEST_CASE("a stop in the middle of a batch commits what is done and loses nothing", "[consumer]") {
    outbox_fixture outbox;
    outbox.publish({"1", "2", "3", "4"}, "k");
    std::stop_source stop;
    consumer one{outbox.db, "s", [&](delivery const& d, once::transaction& tx) {
                     write_effect(d, tx);
                     if (d.payload.data() == "2") {
                         stop.request_stop();
                     }
                 }};
    CHECK(one.run(stop.get_token()).handled == 2);
    CHECK(outbox.effects() == "1 2");
    consumer next{outbox.db, "s", write_effect};
    drain(outbox, next); // at once: the lease was given back
    CHECK(outbox.effects() == "1 2 3 4");
}

TEST_CASE("options of consumers and subscriptions have their bounds", "[consumer]") {
    outbox_fixture outbox;
    auto const refused = [&](once::consumer_options const& options) {
        return refused_field([&] { consumer const one{outbox.db, "s", write_effect, options}; });
    };
    CHECK(refused({}) == "accepted");
    CHECK(refused({.reader = {.lease = 1s}, .deadline = 600ms}) == "consumer_options.deadline");
    CHECK(refused({.reader = {.lease = 999ms}}) == "reader_options.lease");
    CHECK(refused({.reader = {.slice = -1}}) == "reader_options.slice");
    CHECK(refused({.reader = {.batch_messages = 0}}) == "reader_options.batch_messages");
    CHECK(refused({.max_attempts = 0}) == "consumer_options.max_attempts");
    auto const subscribed = [&](std::string const& name, once::subscription_options const& options) {
        pqxx::connection connection{outbox.server.dsn()};
        pqxx::work tx{connection};
        return refused_field([&] { return once::subscribe(tx, name, options) ? "made" : "there"; });
    };
    CHECK(subscribed("s", {}) == "there");
    CHECK(subscribed("x", {.from = std::chrono::sys_days{std::chrono::year{2020} / 1 / 1}}) == "made");
    CHECK(subscribed("", {}) == "subscription");
    CHECK(subscribed(std::string(64, 'x'), {}) == "subscription");
    CHECK(subscribed("x", {.topics = {"a b"}}) == "subscription_options.topics");
    CHECK(subscribed("x", {.topics = {"*"}}) == "subscription_options.topics");
    CHECK(subscribed("x", {.slices = 65}) == "subscription_options.slices");
    CHECK(subscribed("x", {.backoff_base = 2s, .backoff_cap = 1s}) == "subscription_options.backoff_base");
    CHECK(subscribed("x", {.expire_after = 59s}) == "subscription_options.expire_after");
}
