// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "support/database.hpp"
#include "support/session.hpp"

#include <catch2/catch_test_macros.hpp>

#include <string>
#include <vector>

using namespace once::testing;

// Tables grow and statistics come later: what a call costs must not grow with either.

namespace {

constexpr int rows_of_each = 5000;

/// Every table of the schema that grows, with that many rows; and statistics that say so. Of the operations all but
/// some are finished.
void fill(session& db) {
    std::string const each = " from generate_series(1, " + std::to_string(rows_of_each) + ") as n";
    std::string const uuid = "lpad(n::text, 32, '0')::uuid";
    std::string const other_uuid = "('f' || lpad(n::text, 31, '0'))::uuid";
    for (std::string const& filling : std::vector<std::string>{
             "select claim('s', 'k' || n)",
             "select complete('s', 'k' || n, 200, null, null, '{}', null)",
             "select acquire_lease('l' || n, '1 day', 'me')",
             "select publish('t.x', 'k' || n % 500, '{}', p_message_id => " + uuid + ")",
             "select schedule(now() + interval '1 day', 't.x', 'k', '{}', p_message_id => " + other_uuid +
                 ")",
             "select issue_tokens('p', 'form', '1 day', array[sha256(n::text::bytea)])",
             "select receive('c', " + uuid + ")",
             "select begin_operation('s', 'op' || n, null, 'pay', '{a,b}', null, '{}', " + uuid +
                 ", '1 second')",
             "select open_window('s', 'k' || n, sha256(n::text::bytea), '1 day')",
         }) {
        db.run(filling + each);
    }
    db.run("select subscribe('s', p_from => 'beginning'), subscribe('other', p_from => 'beginning')");
    auto const all = next_batch(db, "s", rows_of_each);
    db.run("select acknowledge('s', 0, '" + all.token + "', " + std::to_string(rows_of_each) + ", " +
           std::to_string(rows_of_each) + ", array_agg(n), array_agg('retry'::text)) " + each);
    acknowledge(db, "other", next_batch(db, "other", 1), "1", 1);
    db.run("insert into checkpoint select (jsonb_populate_record(c, jsonb_build_object('number', n))).* "
           "from checkpoint as c, generate_series(2, " +
           std::to_string(rows_of_each) + ") as n where c.number = 1");
    db.run("update parked_message set next_attempt_at = parked_at where next_attempt_at is not null");
    db.run(
        "select finish_operation(scope, key, fence, 'a', '{}', 200, null, null, '{}', null) from operation "
        "where key !~ '99$|^op.$'");
    db.run("update operation set lease_until = started_at where key ~ '99$'");
    db.run("analyze");
}

/// Rows that this session has read by scanning a table.
long scanned(session& db) {
    return std::stol(db.ask("select coalesce(sum(seq_tup_read), 0)::bigint from pg_stat_xact_user_tables "
                            "where schemaname = 'once'"));
}

/// Does something seven times, each in a transaction of its own: a plan that is kept comes after five.
template <class Work>
void check_reads_little(session& db, Work const& work) {
    for (int i = 1; i <= 7; ++i) {
        db.run("begin");
        auto const before = scanned(db);
        work(std::to_string(i));
        CHECK(scanned(db) - before < rows_of_each / 5);
        db.run("commit");
    }
}

} // namespace

TEST_CASE("no call reads a table from end to end, however many rows and whatever the statistics say",
          "[purge][outbox]") {
    test_database const server;
    session db{server.dsn()};
    fill(db);
    std::string const lease = " from lease where service = current_service() and name = 'l$'";
    std::string const operation =
        " from operation where service = current_service() and scope = 's' and key = 'op$'";
    std::string const message = "lpad('$', 32, '0')::uuid";
    // Not among them: redrive() and discard() of one message, which people call now and then.
    std::vector<std::string> const calls{
        "select claim('s', 'new $'); select complete('s', 'new $', 200, null, null, '{}', null)",
        "select claim('s', 'row $'); select complete_with_row('s', 'row $', 200, '{\"a\": 1}')",
        "select claim('s', 'k$')",
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
        "select publish_many('{t.x,t.y}', null, '{1,2}')",
        "select parked_due('s')",
        "select take_parked('s', 0, 10)",
        "select take_parked('other', 0, 10)",
        "select settle_parked('s', 0, '{$}', '{retry}', '{why}')",
        "select settle_parked('s', 0, array[20 + $], '{accepted}')",
        "select schedule(now() + interval '1 day', 't.x', 'k$', '{}')",
        "select cancel_scheduled(('f' || lpad('$', 31, '0'))::uuid)",
        "select release_due(10)",
        "select release_due(10, now() + interval '2 days')",
        "select issue_token('p', 'form', '1 day')",
        "select redeem_token(sha256('$'), 'p', 'form')",
        "select purge_tokens(10, now() + interval '1 month')",
        "select receive('c', " + message + ")",
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
        "select purge_operations(10, now() + interval '1 month')",
        "select open_window('s', 'k$', sha256('$'), '1 day')",
        "select open_window('s', 'new $', sha256('$'), '1 day')",
        "select purge_windows(10, now() + interval '1 month')",
        "select trim_outbox('0', 10)",
    };
    for (auto const& call : calls) {
        INFO(call);
        check_reads_little(db, [&](std::string const& i) {
            auto text = call;
            for (auto at = text.find('$'); at != std::string::npos; at = text.find('$')) {
                text.replace(at, 1, i);
            }
            db.run(text);
        });
    }
    check_reads_little(db, [&](std::string const&) {
        auto const some = next_batch(db, "other", 10);
        REQUIRE(some.size() == 10);
        acknowledge(db, "other", some, some.rows[9][0].as<std::string>(), 10);
    });
    check_reads_little(db, [&](std::string const&) {
        auto const some = next_batch(db, "other", 10);
        auto const first = some.rows[0][0].as<std::string>();
        db.run("select acknowledge('other', 0, '" + some.token + "', " + first + ", 1, array[" + first +
               "], '{retry}')");
    });
    db.run("begin");
    auto const before = scanned(db);
    db.run("select count(*) from inbox");
    CHECK(scanned(db) - before >= rows_of_each / 5); // a scan would have been seen
}
