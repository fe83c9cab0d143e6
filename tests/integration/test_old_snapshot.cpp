// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "support/database.hpp"
#include "support/session.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>

#include <string>

using namespace once::testing;

// Under an old snapshot the entries of rows that are gone stay in every index.

namespace {

constexpr int gone = 60'000;
constexpr int calls = 20;
constexpr long few_looks = 5L * gone; // of the entries that each look from the start reads

std::string const numbers = " from generate_series(1, " + std::to_string(gone) + ") as n";
std::string const later_numbers = " from generate_series(" + std::to_string(gone + 1) + ", " +
                                  std::to_string(gone + 100 * calls) + ") as n";
constexpr auto schedule_past =
    "insert into scheduled_message (service, message_id, due_at, topic, payload_json) "
    "select current_service(), gen_random_uuid(), now() - interval '1 hour', 't.x', '1'";

/// Somebody who has looked at the database, and whose transaction goes on.
class old_snapshot {
public:
    explicit old_snapshot(test_database const& server) : m_db{server.dsn()} {
        m_db.run("begin isolation level repeatable read");
        m_db.run("select count(*) from schema_version");
    }

private:
    session m_db;
};

/// How many entries of an index so many calls read, of rows that are gone, too.
template <class Call>
long entries_read(session& db, std::string const& index, Call const& call) {
    std::string const read = "select pg_stat_get_xact_tuples_returned('" + index + "'::regclass)";
    db.run("begin");
    auto const before = std::stol(db.ask(read));
    for (int i = 0; i < calls; ++i) {
        call();
    }
    auto const after = std::stol(db.ask(read));
    db.run("commit");
    return after - before;
}

} // namespace

TEST_CASE("while an old snapshot is held, readers do not look at all released messages again and again",
          "[outbox][snapshot]") {
    test_database const server;
    session db{server.dsn()};
    db.run(schedule_past + numbers);
    old_snapshot const held{server};
    db.run("delete from scheduled_message");
    auto const read = entries_read(db, "scheduled_message_due_idx",
                                   [&] { CHECK(db.ask("select released from release_due()") == "0"); });
    CHECK(read < few_looks);
    db.run("select schedule(now() + interval '1 hour', 't.x', 'k', '1')");
    CHECK(std::stol(db.ask("select (extract(epoch from next_due_in) * 1000)::bigint from release_due()")) >
          3'500'000);
}

TEST_CASE("a message that becomes visible before the place of the last look is released soon",
          "[outbox][snapshot]") {
    test_database const server;
    session db{server.dsn()};
    session late{server.dsn()};
    db.run(schedule_past + numbers);
    late.run("begin");
    late.run(schedule_past);
    old_snapshot const held{server};
    db.run("delete from scheduled_message");
    db.run("select release_due()");
    REQUIRE(db.ask("select current_setting('once.look_release_due')") != "");
    late.run("commit");
    CHECK(wait_until([&] { return db.ask("select released from release_due()") == "1"; }));
    CHECK(db.ask("select count(*) from outbox") == "1");
}

TEST_CASE(
    "while an old snapshot is held, readers do not look at all delivered parked messages again and again",
    "[outbox][snapshot]") {
    test_database const server;
    session db{server.dsn()};
    db.run("select subscribe('s', array['t.*'])");
    std::string const park =
        "insert into parked_message (service, subscription, slice, id, message_id, state, attempts, "
        "next_attempt_at, published_at, published_by, topic, key, payload_json) "
        "select current_service(), 's', 0, n, gen_random_uuid(), 'retrying', 0, "
        "now() - interval '1 hour', now(), 'me', 't.x', 'k' || n, '1'";
    db.run(park + numbers);
    old_snapshot const held{server};
    db.run("delete from parked_message");
    db.run("select publish('t.x', 'k1', '1'), publish('t.x', 'k2', '2')");
    auto const read = entries_read(db, "parked_message_due_idx", [&] {
        CHECK(db.ask("select parked_due('s')") == "NULL");
        CHECK(db.ask("select count(*) from take_parked('s')") == "0");
    });
    CHECK(read < few_looks);
    auto const blocked = [&] {
        return db.ask(
            "select string_agg(key, ' ' order by id) from next_batch('s') where id is not null and blocked");
    };
    auto const read_by_batches = entries_read(db, "parked_message_pkey", [&] { CHECK(blocked() == "NULL"); });
    CHECK(read_by_batches < few_looks);
    db.run(park + " from generate_series(1, 1) as n; update checkpoint set parked = true");
    CHECK(blocked() == "k1");
    CHECK(wait_until([&] { return db.ask("select parked_due('s') = '0'") == "t"; }));
    CHECK(db.ask("select count(*) from take_parked('s')") == "1");
}

TEST_CASE("while an old snapshot is held, a purge does not look at all that is gone for each thousand rows",
          "[purge][snapshot]") {
    test_database const server;
    session db{server.dsn()};
    std::string const expired =
        "insert into idempotency_record (service, scope, key, claimed_by, claimed_at, expires_at) "
        "select current_service(), 's', 'k' || n, 'me', now() - interval '2 days', "
        "now() - interval '1 day' + n * interval '1 ms'";
    db.run(expired + numbers);
    old_snapshot const held{server};
    db.run("delete from idempotency_record");
    db.run(expired + later_numbers);
    auto const read = entries_read(db, "idempotency_record_expiry_idx",
                                   [&] { CHECK(db.ask("select purge(100)") == "100"); });
    CHECK(read < few_looks);
    CHECK(db.ask("select purge(100)") == "0");
    CHECK(db.ask("select count(*) from idempotency_record") == "0");
}

TEST_CASE("while an old snapshot is held, trimming does not look at all ids that are gone",
          "[outbox][snapshot]") {
    test_database const server;
    session db{server.dsn()};
    std::string const old =
        "insert into outbox_identity (service, message_id, digest, published_at) select current_service(), "
        "gen_random_uuid(), sha256(''), now() - interval '61 days' + n * interval '1 ms'";
    db.run(old + numbers);
    old_snapshot const held{server};
    db.run("delete from outbox_identity");
    db.run(old + later_numbers);
    auto const read = entries_read(db, "outbox_identity_age_idx", [&] {
        CHECK(db.ask("select identities from trim_outbox(p_limit => 100)") == "100");
    });
    CHECK(read < few_looks);
    CHECK(db.ask("select count(*) from outbox_identity") == "0");
}

TEST_CASE("a session that finds little to read looks from the start each time", "[outbox][snapshot]") {
    test_database const server;
    session db{server.dsn()};
    for (auto const* const what : {"release_due", "parked", "any_parked", "purge", "trim"}) {
        db.run(std::string{"set once.look_"} + what + " = ''");
    }
    db.run("select subscribe('s', array['t.*'])");
    db.run("select release_due(), parked_due('s'), purge(), next_batch('s')");
    db.run("select trim_outbox()");
    for (auto const* const what : {"release_due", "parked", "any_parked", "purge", "trim"}) {
        CHECK(db.ask(std::string{"select current_setting('once.look_"} + what + "')").empty());
    }
    // What a long look left is forgotten after a short one, and was about something else in any case.
    db.run("select keep_look('purge', 'token', '-infinity', now(), 100000)");
    CHECK(db.ask("select look_from('purge', 'token') > '-infinity'") == "t");
    CHECK(db.ask("select look_from('purge', 'inbox')") == "-infinity");
    db.run("select purge()");
    CHECK(db.ask("select look_from('purge', 'token')") == "-infinity");
}
