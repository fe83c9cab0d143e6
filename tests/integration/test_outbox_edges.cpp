// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "support/database.hpp"
#include "support/session.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/except>

#include <future>
#include <optional>
#include <string>
#include <string_view>

using namespace once::testing;

// Corners of the outbox in which messages were lost, held up or misread before somebody looked.

namespace {

struct outbox : test_database {
    session db{dsn()};
    session watch{dsn()}; ///< never in a transaction: there, pg_stat_activity would stand still

    /// The keys of all that a slice has not read, which is acknowledged.
    std::string all_keys(std::string const& name, int limit, int slice = 0) {
        std::string all;
        for (int idle = 0; idle < 2;) {
            auto const some = next_batch(db, name, limit, slice);
            for (int i = 0; i < some.size(); ++i) {
                all += some.rows[i][2].as<std::string>() + " ";
            }
            idle = some.size() == 0 ? idle + 1 : 0;
            acknowledge(db, name, some,
                        some.size() > 0 ? std::optional{some.rows[some.size() - 1][0].as<std::string>()}
                                        : std::nullopt,
                        {}, slice);
        }
        return all;
    }
    void publish(std::string const& key = "k") { db.run("select publish('t.x', '" + key + "', '{}')"); }
    [[nodiscard]] std::string keys(std::string const& subscription, int limit = 100) {
        return db.ask("select string_agg(key, ' ') from next_batch('" + subscription + "', 0, " +
                      std::to_string(limit) + ") where id is not null");
    }
    [[nodiscard]] bool waits_for_a_lock(std::string const& what) {
        return watch.ask("select count(*) from pg_stat_activity where datname = current_database() and "
                         "wait_event_type = "
                         "'Lock' and query like '%" +
                         what + "%' and pid <> pg_backend_pid()") != "0";
    }
};

} // namespace

TEST_CASE("the very first message is read, also after an empty batch was acknowledged", "[outbox]") {
    outbox here;
    here.db.run("select subscribe('one')");
    for (int i = 0; i < 3; ++i) {
        acknowledge(here.db, "one", next_batch(here.db, "one", 10));
    }
    here.db.run("select subscribe('two')");
    here.publish("first");
    CHECK(here.keys("one") == "first");
    CHECK(here.keys("two") == "first");
}

TEST_CASE("a batch that next_batch did not make, or that was changed in any field, is refused", "[outbox]") {
    outbox here;
    here.db.run("select subscribe('liar')");
    here.publish("k");
    auto const honest = next_batch(here.db, "liar", 10);
    auto const refused = [&](std::string const& batch) {
        return here.db.refused("select acknowledge('liar', 0, " + batch + ")");
    };
    // Each field by itself, with a value of its type that is not the one it has.
    auto const fields = here.db.rows("select attname, format_type(atttypid, atttypmod) from pg_attribute "
                                     "where attrelid = 'batch'::regclass order by attnum");
    for (auto const& field : fields) {
        auto const name = field[0].as<std::string>();
        auto const type = field[1].as<std::string>();
        INFO(name);
        for (auto const* const value :
             {"'9223372036854775806'", "'0'", "'-1'", "null", "'1:9000000000000000000:'", "'f'", "'t'",
              "'00000000-0000-0000-0000-000000000000'"}) {
            auto const changed = "(select jsonb_populate_record(b, jsonb_build_object('" + name + "', " +
                                 value + "::text)) from (select '" + honest.token + "'::batch) as x (b))";
            if (here.db.refused("select " + changed + "").empty() &&
                here.db.ask("select " + changed + "::text is distinct from '" + honest.token + "'") == "t") {
                CHECK(refused(changed) ==
                      (name == "subscription" && std::string_view{value} != "null" ? "ON065" : "22023"));
            }
        }
    }
    CHECK(refused("null") == "22023");
    CHECK(refused("(select row(1, 1, false, 1, incarnation, 0, 1, pg_current_snapshot(), 1, 1, 1, "
                  "sha256(''))::batch "
                  "from subscription where name = 'liar')") == "22023");
    CHECK(refused("(select row(1, 1, false, 1, 0, 0, 1, pg_current_snapshot(), 1, 1, 1, "
                  "sha256(''))::batch)") == "ON065");
    CHECK(here.db.ask("select count(*) from checkpoint where subscription = 'liar'") == "1");
    // Nothing that anybody else does is in the way of this.
    here.db.run("select trim_outbox(); select unsubscribe('liar')");
}

TEST_CASE("a batch goes on in the next slot of the ring, in order, whatever ends it", "[outbox]") {
    outbox here;
    here.db.run("select subscribe('plain', p_from => 'beginning'), "
                "subscribe('topics', array['t', 't.*'], 'beginning'), "
                "subscribe('parked', p_from => 'beginning'), "
                "subscribe('sliced', p_from => 'beginning', p_slices => 2)");
    // Every key is looked up once something is parked.
    here.db.run("select publish('t', 'bad', '1')");
    auto const first = next_batch(here.db, "parked", 10);
    here.db.run("select acknowledge('parked', 0, '" + first.token + "', null, null, array[" +
                first.rows[0][0].as<std::string>() + "], '{retry}')");
    here.all_keys("plain", 10);
    here.all_keys("topics", 10);
    here.all_keys("sliced", 10, 0);
    here.all_keys("sliced", 10, 1);
    for (int const limit : {1, 3, 4, 5, 7, 20}) {
        INFO(limit);
        // The last slot of the ring, then the first; and a slot that nothing is in between them.
        here.db.run(
            "select setval('outbox_id_seq', ((last_value >> 23) + 2) * 8388608 - 1 - 4) from outbox_id_seq");
        for (int i = 0; i < 8; ++i) {
            here.publish("k" + std::to_string(i));
        }
        here.db.run("select setval('outbox_id_seq', last_value + 2 * 1048576) from outbox_id_seq");
        here.publish("k8");
        CHECK(here.db.ask(
                  "select count(distinct tableoid) from outbox where id > (select max(id) - 4 * 1048576 "
                  "from outbox)") == "3");
        for (auto const* const name : {"plain", "topics", "parked"}) {
            INFO(name);
            CHECK(here.all_keys(name, limit) == "k0 k1 k2 k3 k4 k5 k6 k7 k8 ");
        }
        auto const even = here.all_keys("sliced", limit, 0);
        auto const odd = here.all_keys("sliced", limit, 1);
        CHECK(even.size() + odd.size() == 9 * 3);
        for (auto const& some : {even, odd}) {
            for (std::size_t i = 4; i < some.size(); i += 3) {
                CHECK(some[i] > some[i - 3]);
            }
        }
    }
}

TEST_CASE("what travels beside a batch lies within it", "[outbox]") {
    outbox here;
    here.db.run("select subscribe('one')");
    for (auto const* const key : {"a", "b", "c", "d"}) {
        here.publish(key);
    }
    auto const some = next_batch(here.db, "one", 3);
    auto const refused = [&](std::string const& rest) {
        return here.db.refused("select acknowledge('one', 0, '" + some.token + "', " + rest + ")");
    };
    CHECK(refused("9223372036854775807") == "22023");
    CHECK(refused("(select max(id) from outbox)") == "22023");
    CHECK(refused("-1") == "22023");
    CHECK(refused("(select min(id) from outbox), 4") == "22023");
    CHECK(refused("(select min(id) from outbox), -1") == "22023");
    CHECK(refused("(select min(id) from outbox), 1, array(select max(id) from outbox), '{dead}'") == "22023");
    CHECK(refused("(select min(id) from outbox), 1, '{null}', '{dead}'") == "22023");
    CHECK(here.keys("one") == "a b c d");
    acknowledge(here.db, "one", some);
    CHECK(here.keys("one") == "d");
}

TEST_CASE("acknowledging on another session that has an id already does not move the bound too far",
          "[outbox]") {
    outbox here;
    here.db.run("select subscribe('one')");
    session consumer{here.dsn()};
    session early{here.dsn()};
    consumer.run("begin; select pg_current_xact_id()");
    early.run("begin; select pg_current_xact_id(), publish('t.x', 'early', '{}')");
    auto const read = next_batch(here.db, "one", 10); // after both: it sees the place of the early one
    acknowledge(consumer, "one", read);
    consumer.run("commit");
    // Twice: the bound of a checkpoint counts one later.
    acknowledge(here.db, "one", next_batch(here.db, "one", 10));
    early.run("commit");
    CHECK(here.keys("one") == "early");
}

TEST_CASE("a consumer whose effects came first does not move the bound too far", "[outbox]") {
    outbox here;
    here.db.run("select subscribe('one')");
    session consumer{here.dsn()};
    session early{here.dsn()};
    consumer.run("begin");
    auto const read = next_batch(consumer, "one", 10);
    consumer.run("select pg_current_xact_id()"); // an effect
    early.run("begin; select pg_current_xact_id(), publish('t.x', 'early', '{}')");
    acknowledge(consumer, "one", read);
    consumer.run("commit");
    acknowledge(here.db, "one", next_batch(here.db, "one", 10));
    early.run("commit");
    CHECK(here.keys("one") == "early");
}

TEST_CASE("a batch is acknowledged for its own subscription and slice only, also when that is made anew",
          "[outbox]") {
    outbox here;
    here.db.run(
        "select subscribe('one', p_from => 'beginning', p_slices => 2), subscribe('two', p_slices => 2)");
    here.publish();
    auto const read = next_batch(here.db, "one", 10, 0);
    CHECK_THROWS_AS(acknowledge(here.db, "one", read, {}, {}, 1), pqxx::data_exception);
    auto const foreign = "select acknowledge('two', 0, '" + read.token + "')";
    CHECK(here.db.refused(foreign) == "ON065");
    here.db.run("select unsubscribe('one')");
    auto const own = "select acknowledge('one', 0, '" + read.token + "')";
    CHECK(here.db.refused(own) == "ON060");
    here.db.run("select subscribe('one', p_from => 'beginning', p_slices => 2)");
    CHECK(here.db.refused(own) == "ON065");
    CHECK(next_batch(here.db, "one", 10, 0).size() + next_batch(here.db, "one", 10, 1).size() == 1);
}

TEST_CASE("ending a subscription waits for its own readers and holds up no others", "[outbox]") {
    outbox here;
    here.db.run("select subscribe('ending'), subscribe('other')");
    session reader{here.dsn()};
    auto const read = next_batch(reader, "ending", 10);
    reader.run("begin");
    acknowledge(reader, "ending", read);
    auto ended =
        std::async(std::launch::async, [&] { session{here.dsn()}.run("select once.unsubscribe('ending')"); });
    REQUIRE(wait_until([&] { return here.waits_for_a_lock("unsubscribe"); }));
    here.db.run("set lock_timeout = '10s'");
    acknowledge(here.db, "other", next_batch(here.db, "other", 10)); // at once
    reader.run("commit");
    ended.get();
    CHECK(here.db.ask("select count(*) from checkpoint where subscription = 'ending'") == "0");

    // The other way round: a later acknowledgement finds no subscription.
    here.db.run("select subscribe('ending')");
    auto const again = next_batch(reader, "ending", 10);
    here.db.run("begin; select unsubscribe('ending')");
    auto late = std::async(std::launch::async, [&] {
        return reader.refused("select once.acknowledge('ending', 0, '" + again.token + "')");
    });
    REQUIRE(wait_until([&] { return here.waits_for_a_lock("acknowledge"); }));
    here.db.run("commit");
    CHECK(late.get() == "ON060");
}

TEST_CASE("an old snapshot cannot acknowledge for a subscription that has ended", "[outbox]") {
    outbox here;
    here.db.run("select subscribe('one')");
    session reader{here.dsn()};
    reader.run("begin isolation level repeatable read");
    auto const read = next_batch(reader, "one", 10);
    here.db.run("select unsubscribe('one')");
    CHECK(reader.refused("select acknowledge('one', 0, '" + read.token + "')") == "40001");
    CHECK(here.db.ask("select count(*) from checkpoint") == "0");
}

TEST_CASE("rebase gives everything that was not delivered, also when other transactions end meanwhile",
          "[outbox]") {
    outbox here;
    here.db.run("select subscribe('one', p_from => 'beginning')");
    here.publish("done");
    acknowledge(here.db, "one", next_batch(here.db, "one", 10));
    here.publish("open");
    // As if it came from elsewhere: of another cluster, by a server that was started before this one.
    here.db.run(
        "update subscription set system_identifier = '1'; update checkpoint set server_started = 'epoch'");
    CHECK(here.db.refused("select * from next_batch('one')") == "ON062");
    CHECK(here.db.refused("select subscribe('two')") == "ON062");
    // Its id is older than one that has ended when it looks: then PostgreSQL's snapshots show it to itself as ended.
    here.db.run("begin; select pg_current_xact_id()");
    session{here.dsn()}.run("select pg_current_xact_id()");
    CHECK(here.db.ask("select to_deliver from rebase()") == "1");
    here.db.run("commit");
    CHECK(here.keys("one") == "open");
}

TEST_CASE("messages from another cluster are noticed where there was no subscription", "[outbox]") {
    outbox here;
    here.publish("old");
    here.db.run("update outbox set txid = '1000000000000'");
    CHECK(here.db.refused("select subscribe('one', p_from => 'beginning')") == "ON062");
    here.db.run("select rebase(); select subscribe('one', p_from => 'beginning')");
    CHECK(here.keys("one") == "old");
}

TEST_CASE("an idle subscription does not expire because of topics that it does not want", "[outbox]") {
    outbox here;
    here.db.run("select subscribe('one', array['wanted.*'], p_expire_after => '1 minute')");
    here.publish();
    CHECK(here.db.ask("select expire_subscriptions(now() + interval '1 hour')") == "0");
    here.db.run("select publish('wanted.x', 'k', '{}')");
    CHECK(here.db.ask("select expire_subscriptions(now() + interval '1 hour')") == "1");
    CHECK(here.db.refused("select * from next_batch('one')") == "ON061");
}

TEST_CASE("who prepares a transaction can say that it must not notify", "[outbox]") {
    outbox here;
    auto const name = "'" + here.name() + "'";
    here.db.run("select fall_asleep('10 seconds')");
    here.db.run("begin; select publish('t.x', 'k', '{}')");
    CHECK(here.db.refused("prepare transaction " + name) == "0A000");
    here.db.run(
        "begin; set local once.wake_readers = off; select publish('t.x', 'k', '{}'); prepare transaction " +
        name);
    here.db.run("commit prepared " + name);
    CHECK(here.db.ask("select count(*) from outbox") == "1");
}

TEST_CASE("a scheduled message that was cancelled can be scheduled again, and its id is kept until then",
          "[outbox]") {
    outbox here;
    auto const schedule = std::string{"select schedule(now() + interval '30 days', 't.x', 'k', '1', "
                                      "p_message_id => '00000000-0000-4000-8000-000000000001')"};
    here.db.run(schedule);
    here.db.run("select trim_outbox('0', 100, now() + interval '20 days')");
    here.db.run(schedule); // the same message, staged once
    CHECK(here.db.ask("select count(*) from scheduled_message") == "1");
    CHECK(here.db.ask("select cancel_scheduled('00000000-0000-4000-8000-000000000001')") == "t");
    CHECK(here.db.ask("select cancel_scheduled('00000000-0000-4000-8000-000000000001')") == "f");
    here.db.run(schedule);
    CHECK(here.db.ask("select count(*) from scheduled_message") == "1");
}

TEST_CASE("limits of messages and subscriptions are checked in SQL", "[outbox]") {
    outbox here;
    CHECK(here.db.refused("select publish('t.x', 'k', '1', p_content_type => repeat('a', 256))") == "23514");
    CHECK(here.db.refused("select publish('t x', 'k', '1')") == "23514");
    CHECK(here.db.refused("select publish('t.x', '', '1')") == "23514");
    CHECK(here.db.refused("select publish('t.x', E'a\nb', '1')") == "23514");
    CHECK(here.db.refused("select publish('t.x', 'k')") == "22023");
    CHECK(here.db.refused("select publish('t.x', 'k', '1', p_headers => '{\"a\": \"b\"}')") == "23514");
    CHECK(here.db.refused("select publish('t.x', 'k', p_bytes => decode(repeat('00', 1048577), 'hex'))") ==
          "23514");
    CHECK(here.db.refused(
              "select publish_many(array['t.x', null], array['k', 'l'], array['1', '2']::json[])") ==
          "22023");
    CHECK(here.db.refused("select subscribe('s', array['a b'])") == "23514");
    CHECK(here.db.refused("select subscribe('s', array[]::text[])") == "23514");
    CHECK(here.db.refused("select subscribe('s', array['a', null])") == "23514");
    for (auto const* from : {"null", "'infinity'", "'some day'"}) {
        CHECK(here.db.refused(std::string{"select subscribe('s', p_from => "} + from + ")") == "22023");
    }
    CHECK(here.db.ask("select count(*) from outbox") == "0");
}

TEST_CASE("a transaction that has written cannot read the next batch, since the bound would be wrong",
          "[outbox]") {
    outbox here;
    here.db.run("select subscribe('one')");
    here.db.run("begin; select pg_current_xact_id()");
    CHECK(here.db.refused("select * from next_batch('one')") == "ON063");
    here.db.run("begin; savepoint a; select publish('t.x', 'k', '1'); rollback to a");
    CHECK(here.db.refused("select * from next_batch('one')") == "ON063");
}

TEST_CASE("the plan for a batch scans the two indexes also after it was made for an empty table",
          "[outbox]") {
    outbox here;
    here.db.run("select subscribe('one', p_from => 'beginning')");
    for (int i = 0; i < 10; ++i) {
        acknowledge(here.db, "one", next_batch(here.db, "one", 10)); // a generic plan by now
    }
    session{here.dsn()}.run(
        "select once.publish_many(array_agg('t.x'::text), array_agg('k' || n), array_agg('1'::json)) "
        "from generate_series(1, 50000) as n");
    auto const scanned = [&] {
        return std::stol(
            here.db.ask("select coalesce(sum(seq_tup_read), 0)::bigint from pg_stat_xact_user_tables "
                        "where relname ~ '^outbox_[0-7]$'"));
    };
    long got = 0;
    for (int size = 1; size > 0;) {
        here.db.run("begin");
        auto const before = scanned();
        auto const some = next_batch(here.db, "one", 1000);
        acknowledge(here.db, "one", some);
        CHECK(scanned() == before);
        here.db.run("commit");
        size = some.size();
        got += size;
    }
    CHECK(got == 50'000);
    here.db.run("begin");
    auto const before = scanned();
    here.db.run("select count(*) from outbox");
    CHECK(scanned() - before == 50'000); // a scan would have been seen
}
