// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "support/effects.hpp"
#include "support/login_role.hpp"
#include "support/session.hpp"

#include <catch2/catch_test_macros.hpp>

#include <string>

using namespace once::testing;

namespace {

/// What a service needs for the outbox, and no more.
void grant_outbox(effects_database const& server, login_role const& role) {
    role.grant_use();
    server.run(
        "grant execute on function once.publish, once.publish_many, once.schedule, once.cancel_scheduled, "
        "once.subscribe, once.unsubscribe, once.pause_subscription, once.next_batch, once.acknowledge, "
        "once.park, "
        "once.take_parked, once.settle_parked, once.redrive, once.discard, once.release_due, "
        "once.wake_channel, "
        "once.outbox_writers, once.fall_asleep, once.wake_up, once.resume_expired to " +
        role.name());
}

struct two_services : effects_database {
    login_role victim_role{*this, "victim"};
    login_role thief_role{*this, "thief"};
    session owner{dsn()};

    two_services() {
        grant_outbox(*this, victim_role);
        grant_outbox(*this, thief_role);
    }
};

} // namespace

TEST_CASE("no service reads, acknowledges, parks, ends or pauses for another", "[outbox][services]") {
    two_services server;
    session victim{server.victim_role.dsn()};
    session thief{server.thief_role.dsn()};
    auto const named = ", p_service => '" + server.victim_role.name() + "')";
    victim.run("select subscribe('s', p_from => 'beginning')");
    victim.run("select publish('t.x', 'k', '1'), publish('t.x', 'k', '2'), publish('t.x', 'l', '3')");
    auto const some = next_batch(victim, "s", 2);
    victim.run("select acknowledge('s', 0, '" + some.token + "', 2, 2, '{1,2}', '{dead,behind}')");
    auto const open = next_batch(victim, "s", 2);

    CHECK(thief.refused("select * from next_batch('s')") == "ON060");
    CHECK(thief.refused("select acknowledge('s', 0, '" + open.token + "')") == "ON060");
    CHECK(thief.refused("select park('s', 0, '{3}', '{dead}', null)") == "ON060");
    CHECK(thief.refused("select take_parked('s')") == "ON060");
    CHECK(thief.refused("select settle_parked('s', 0, '{1}', array[gen_random_uuid()], '{accepted}')") ==
          "ON060");
    CHECK(thief.ask("select redrive('s')") == "0");
    CHECK(thief.ask("select discard('s', '" + some.rows[0][1].as<std::string>() + "')") == "f");
    CHECK(thief.ask("select unsubscribe('s')") == "f");
    CHECK(thief.ask("select pause_subscription('s')") == "f");
    CHECK(thief.refused("select redrive('s'" + named) == "42501");
    CHECK(thief.refused("select discard('s', '" + some.rows[0][1].as<std::string>() + "'" + named) ==
          "42501");
    CHECK(thief.refused("select unsubscribe('s'" + named) == "42501");
    CHECK(thief.refused("select pause_subscription('s'" + named) == "42501");
    CHECK(thief.refused("select resume_expired('s'" + named) == "42501");
    CHECK(thief.refused("select subscribe('t'" + named) == "42501");

    // With a subscription of the same name, the thief's own batch is good for nobody else's, and the other way round.
    thief.run("select subscribe('s', p_from => 'beginning')");
    CHECK(thief.refused("select acknowledge('s', 0, '" + open.token + "')") == "ON065");
    auto const own = next_batch(thief, "s", 10);
    acknowledge(thief, "s", own);
    CHECK(next_batch(victim, "s", 10).size() == 1);
    CHECK(server.owner.ask("select string_agg(id || ' ' || state, ',' order by id) from parked_message") ==
          "1 dead,2 waiting");

    // Nor do ids of messages meet.
    auto const given = std::string{
        "select publish('t.x', 'k', '1', p_message_id => '00000000-0000-4000-8000-00000000000a')"};
    victim.run(given);
    thief.run(given);
    CHECK(server.owner.ask("select count(distinct message_id) from outbox where given_id = "
                           "'00000000-0000-4000-8000-00000000000a'") == "2");

    // The owner of the schema may.
    CHECK(server.owner.ask("select redrive('s'" + named) == "1");
    CHECK(server.owner.ask("select unsubscribe('s'" + named) == "t");
}

TEST_CASE("a service has no way around the functions", "[outbox][services]") {
    two_services server;
    session thief{server.thief_role.dsn()};
    thief.run("set search_path = once, pg_temp");
    for (auto const* table : {"outbox", "outbox_0", "outbox_identity", "subscription", "checkpoint",
                              "parked_message", "scheduled_message", "outbox_id_seq", "outbox_asleep_seq"}) {
        INFO(table);
        CHECK(thief.refused(std::string{"select * from "} + table) == "42501");
    }
    for (auto const* call :
         {"trim_outbox()", "rebase()", "expire_subscriptions()", "take_identity('x', gen_random_uuid(), '')",
          "service_named('x')", "promote_keys(null, null, null)", "usable_subscription('x', 'y')",
          "lock_subscription('x', 'y')", "empty_slot(0, '1:1:')", "slot_is_passed(0, now(), '1:1:')",
          "notify_readers()", "newest_checkpoints()"}) {
        INFO(call);
        CHECK(thief.refused(std::string{"select "} + call) == "42501");
    }
    // Objects of its own under names that the functions use.
    thief.run("create temp table outbox (id bigint); create temp table subscription (name text); "
              "create temp table checkpoint (number bigint); create temp table parked_message (id bigint); "
              "create temp table service_role (role text, service text); "
              "insert into pg_temp.service_role values (session_user, 'somebody')");
    thief.run("set search_path = pg_temp, once");
    thief.run("select once.subscribe('s', p_from => 'beginning'), once.publish('t.x', 'k', '1')");
    CHECK(thief.ask("select count(id) from once.next_batch('s')") == "1");
    CHECK(server.owner.ask("select service from once.outbox") == server.thief_role.name());
}
