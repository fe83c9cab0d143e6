// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "support/database.hpp"
#include "support/session.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <map>
#include <string>
#include <vector>

using namespace once::testing;

// Tables grow and statistics come later: what a call costs must not grow with either.

namespace {

constexpr int many = 5000;

/// More rows in every table of the schema that grows, with these numbers. Of the operations all but some are finished.
void fill(session& db, int first, int last) {
    std::string const each =
        " from generate_series(" + std::to_string(first) + ", " + std::to_string(last) + ") as n";
    std::string const uuid = "lpad(n::text, 32, '0')::uuid";
    std::string const other_uuid = "('f' || lpad(n::text, 31, '0'))::uuid";
    // What is left of an earlier one, so that the batch below has all that is published here.
    for (auto left = next_batch(db, "s", 100'000); left.size() > 0 || left.worth_saving;
         left = next_batch(db, "s", 100'000)) {
        acknowledge(db, "s", left);
    }
    for (std::string const& filling : std::vector<std::string>{
             "select claim('s', 'k' || n)",
             "select complete('s', 'k' || n, 200, null, null, '{}', null)",
             "select acquire_lease('l' || n, '1 day', 'me')",
             "select publish('t.x', 'k' || n % 500, '{}', p_message_id => " + uuid + ")",
             "select schedule(now() + interval '1 day', 't.x', 'k', '{}', p_message_id => " + other_uuid +
                 ")",
             "select issue_tokens('p', 'form', '1 day', array[sha256(n::text::bytea)])",
             "select receive('c', " + uuid + ", sha256('first'))",
             "select begin_operation('s', 'op' || n, null, 'pay', '{a,b}', null, '{}', " + uuid +
                 ", '1 second')",
             "select open_window('s', 'k' || n, sha256(n::text::bytea), '1 day')",
         }) {
        db.run(filling + each);
    }
    auto const all = next_batch(db, "s", 100'000);
    db.run("select acknowledge('s', 0, '" + all.token +
           "', max(id), count(*)::integer, array_agg(id), "
           "array_agg('retry'::park_verdict)) from outbox where given_id in (select " +
           uuid + each + ")");
    db.run("insert into checkpoint select (jsonb_populate_record(c, jsonb_build_object('number', c.number + "
           "n))).* "
           "from checkpoint as c, generate_series(1, " +
           std::to_string(last - first) +
           ") as n "
           "where (subscription, number) = (select subscription, max(number) from checkpoint "
           "where subscription = 'other' group by subscription)");
    db.run("update parked_message set next_attempt_at = parked_at where next_attempt_at is not null");
    db.run(
        "select finish_operation(scope, key, fence, 'a', '{}', 200, null, null, '{}', null) from operation "
        "where state <> 'finished' and key !~ '99$|^op(200)?.$'");
    db.run("update operation set lease_until = started_at where key ~ '99$'");
}

/// How many rows of each table this session has read.
std::map<std::string, long> rows_read(session& db) {
    std::map<std::string, long> read;
    for (auto const& row : db.rows("select relname, seq_tup_read + coalesce(idx_tup_fetch, 0) "
                                   "from pg_stat_xact_user_tables where schemaname = 'once'")) {
        read[row[0].as<std::string>()] = row[1].as<long>();
    }
    return read;
}

/// The tables of which this read a good part, each with the number of rows.
template <class Call>
std::string reads_much_of(session& db, Call const& call) {
    db.run("begin");
    auto const before = rows_read(db);
    call();
    std::string much;
    for (auto const& [table, read] : rows_read(db)) {
        if (auto const more = read - before.at(table); more >= many / 5) {
            much += table + " " + std::to_string(more) + "\n";
        }
    }
    db.run("commit");
    return much;
}

/// Does something seven times, each in a transaction of its own: a plan that is kept comes after five.
template <class Call>
void check_reads_little(session& db, int first, Call const& call) {
    for (int i = first; i < first + 7; ++i) {
        CHECK(reads_much_of(db, [&] { call(std::to_string(i)); }) == "");
    }
}

/// Everything that services and readers call often, on rows of seven numbers from `first` on.
// More than 60 lines: a table of calls.
void check_calls(session& db, int first) {
    std::string const lease = " from lease where service = current_service() and name = 'l$'";
    std::string const operation =
        " from operation where service = current_service() and scope = 's' and key = 'op$'";
    std::string const message = "lpad('$', 32, '0')::uuid";
    // Not among them: redrive() and discard() of one message, which people call now and then.
    std::vector<std::string> const calls{
        "select claim('s', 'new $'); select complete('s', 'new $', 200, null, null, '{}', null)",
        "select claim('s', 'row $'); select complete_with_row('s', 'row $', 200, '{\"a\": 1}')",
        "select claim('s', 'k$')",
        "select claim('s', 'k$', p_now => now() + interval '2 days')",
        "select try_claim('s', 'k$')",
        "select lookup('s', 'k$')",
        "select purge(10, now() + interval '1 month')",
        "select acquire_lease('l$', '1 day', 'me')",
        "select acquire_lease('new $', '1 day', 'me')",
        "select renew_lease(name, fence, '1 day')" + lease,
        "select lease_held(name, fence)" + lease,
        "select assert_fence(name, fence)" + lease,
        "select release_lease(name, fence)" + lease,
        "select purge_leases('1 day', 10, now() + interval '1 year')",
        "select publish('t.x', 'k', '{}')",
        "select publish('t.x', 'k$', '{}', p_message_id => gen_random_uuid())",
        "select publish('t.x', 'k' || $ % 500, '{}', p_message_id => " + message + ")",
        "select publish_many('{t.x,t.y}', null, '{1,2}')",
        "select parked_due('s')",
        "select take_parked('s', 0, 10)",
        "select take_parked('other', 0, 10)",
        "select settle_parked('s', 0, '{$}', array(select message_id::uuid from parked_message where service "
        "= "
        "current_service() and subscription = 's' and id = $), '{retry}', '{why}')",
        "select settle_parked('s', 0, array[20 + $], array(select message_id::uuid from parked_message where "
        "service = "
        "current_service() and subscription = 's' and id = 20 + $), '{accepted}')",
        "select schedule(now() + interval '1 day', 't.x', 'k$', '{}')",
        "select cancel_scheduled(('f' || lpad('$', 31, '0'))::uuid)",
        "select release_due(10)",
        "select release_due(10, now() + interval '2 days')",
        "select issue_token('p', 'form', '1 day')",
        "select redeem_token(sha256('$'), 'p', 'form')",
        "select purge_tokens(10, now() + interval '1 month')",
        "select receive('c', " + message + ")",
        "select receive('c', " + message + ", sha256('other'))",
        "select receive_many('c', array[" + message + "], array[sha256('other')])",
        "select receive('c', gen_random_uuid())",
        "select receive_many('c', array[gen_random_uuid(), " + message + "])",
        "select purge_inbox(10, now() + interval '1 year')",
        "select begin_operation('s', 'new $', null, 'pay', '{a,b}', null, '{}', gen_random_uuid(), '1 day')",
        "select begin_operation('s', 'op$', null, 'pay', '{a,b}', null, '{}', gen_random_uuid(), '1 day')",
        "select next_operation('{pay}', gen_random_uuid(), '1 day')",
        "select next_operation('{other}', gen_random_uuid(), '1 day')",
        "select renew_operation(scope, key, fence, '1 day')" + operation,
        "select advance_operation(scope, key, fence, 'a', 'b', null, '{}', '1 day')" + operation,
        "select release_operation(scope, key, fence, 'why', '1 second', 20, true)" + operation,
        "select finish_operation(scope, key, fence, 'b', '{}', 200, null, null, '{}', null)" + operation,
        "select retake_operation('s', 'op$', gen_random_uuid(), '1 day')",
        "select purge_operations(10, now() + interval '1 month')",
        "select open_window('s', 'k$', sha256('$'), '1 day')",
        "select open_window('s', 'new $', sha256('$'), '1 day')",
        "select open_window('s', 'later $', sha256('$'), '1 day', p_now => now() + interval '2 days')",
        "select purge_windows(10, now() + interval '1 month')",
        "select trim_outbox('0', 10)",
    };
    for (auto const& call : calls) {
        INFO(call);
        check_reads_little(db, first, [&](std::string const& i) {
            auto text = call;
            for (auto at = text.find('$'); at != std::string::npos; at = text.find('$')) {
                text.replace(at, 1, i);
            }
            db.run(text);
        });
    }
    check_reads_little(db, first, [&](std::string const&) {
        auto const some = next_batch(db, "other", 2);
        REQUIRE(some.size() == 2);
        acknowledge(db, "other", some, some.rows[1][0].as<std::string>(), 2);
    });
    check_reads_little(db, first, [&](std::string const&) {
        auto const some = next_batch(db, "other", 2);
        auto const one = some.rows[0][0].as<std::string>();
        db.run("select acknowledge('other', 0, '" + some.token + "', " + one + ", 1, array[" + one +
               "], '{retry}')");
    });
    // The messages that were published above, with their keys, beside thousands that are parked. The batch that was
    // full when those were parked has an end, which is empty, and the first one behind it passes the same messages
    // again.
    acknowledge(db, "s", next_batch(db, "s", 2));
    acknowledge(db, "s", next_batch(db, "s", 2));
    check_reads_little(db, first, [&](std::string const&) {
        auto const some = next_batch(db, "s", 2);
        REQUIRE(some.size() == 2);
    });
}

session made_ready(std::string const& dsn) {
    session db{dsn};
    db.run("select subscribe('s', p_from => 'beginning'), subscribe('other', p_from => 'beginning')");
    acknowledge(db, "other", next_batch(db, "other", 1));
    return db;
}

/// The calls by a session that has made its plans beside few rows, with statistics of them or without, when there are
/// many.
void check_calls_with_early_plans(bool with_statistics) {
    int const few = GENERATE(30, 900);
    CAPTURE(few);
    test_database const server;
    auto db = made_ready(server.dsn());
    fill(db, 1, few);
    if (with_statistics) {
        db.run("vacuum analyze");
    }
    check_calls(db, 1);
    session other{server.dsn()};
    fill(other, 1001, 1000 + many);
    check_calls(db, 2001);
}

} // namespace

TEST_CASE("no call reads a table from end to end, however many rows and whatever the statistics say",
          "[purge][outbox]") {
    test_database const server;
    auto db = made_ready(server.dsn());
    fill(db, 1, many);
    db.run("analyze");
    check_calls(db, 1);
    CHECK(reads_much_of(db, [&] { db.run("select count(*) from inbox"); }).starts_with("inbox"));
}

TEST_CASE("nor with a plan that was made while there were few rows", "[purge][outbox]") {
    check_calls_with_early_plans(true);
}

TEST_CASE("nor with a plan that was made before there were any statistics", "[purge][outbox]") {
    check_calls_with_early_plans(false);
}
