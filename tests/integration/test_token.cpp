// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// More than 400 lines: one claim for each rule of a token, over one set of fixtures.
#include <once/error.hpp>
#include <once/token.hpp>

#include "support/effects.hpp"
#include "support/login_role.hpp"
#include "support/refusal.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/result>
#include <pqxx/row>
#include <pqxx/transaction>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

once::token_terms const terms{.principal = "alice", .purpose = "pay", .lifetime = 10min};

once::redemption redemption_of(std::string const& token, std::string const& principal = "alice",
                               std::string const& purpose = "pay") {
    return {.token = token, .principal = principal, .purpose = purpose, .fingerprint = once::no_fingerprint};
}

struct with_tokens : effects_database {
    once::database db{dsn()};

    std::string issue() { return once::issue_token(db, terms); }
    once::reply redeem(once::redemption const& given, once::call_options const& options = {}) {
        return once::execute(
            db, given,
            [](once::transaction& tx) {
                add_effect(tx);
                return once::response{.status = 201, .body = once::body::text("paid")};
            },
            options);
    }
    once::reply redeem_at_once(once::redemption const& given) {
        return once::execute(db, given, {effect_statement()}, 201);
    }
    [[nodiscard]] std::string tokens() const { return ask("select count(*) from once.token"); }
};

/// All that a client could tell two refusals apart by.
auto visible(once::reply const& reply) {
    return std::tuple{reply.outcome(),  reply.has_response(), reply.committed(),
                      reply.attempts(), reply.retry_after(),  reply.was_in_doubt()};
}

} // namespace

TEST_CASE("a token does its work once, and each repeat gets the stored response", "[token]") {
    with_tokens server;
    for (bool const at_once : {false, true}) {
        auto const token = server.issue();
        auto const redeem = [&] {
            return at_once ? server.redeem_at_once(redemption_of(token))
                           : server.redeem(redemption_of(token));
        };
        auto const before = server.effects();
        auto const first = redeem();
        CHECK(first.done());
        for (int i = 0; i < 3; ++i) {
            auto const again = redeem();
            CHECK(again.replayed());
            CHECK(again.response() == first.response());
        }
        CHECK(server.effects() == before + 1);
        CHECK(server.tokens() == "0");
    }
}

TEST_CASE("unknown, foreign, misused, expired and malformed tokens get one and the same answer", "[token]") {
    with_tokens server;
    auto const expired = server.issue();
    server.run("update once.token set issued_at = issued_at - interval '1 day', expires_at = expires_at - "
               "interval '1 day'");
    auto const good = server.issue();
    auto const used = server.issue();
    CHECK(server.redeem(redemption_of(used)).done());
    using namespace std::string_literals;
    std::vector<once::redemption> const bad{
        redemption_of(std::string(43, 'A')),    // unknown
        redemption_of(good, "bob", "pay"),      // foreign
        redemption_of(good, "Alice", "pay"),    // case counts
        redemption_of(good, "alice", "refund"), // another purpose
        redemption_of(expired),                 // expired
        redemption_of(used, "bob", "pay"),      // used, and foreign
        redemption_of(used, "alice", "refund"), // used, another purpose
        redemption_of(""),                      // wrong length
        redemption_of(good.substr(0, 42)),      // the right beginning
        redemption_of(good + "A"),
        redemption_of(good + "="), // padded
        redemption_of(" " + good),
        redemption_of(good + "\n"),
        redemption_of(good + "\0"s),
        redemption_of("\xff\xfe"s), // not UTF-8
        redemption_of("'; drop table once.token; --"),
        redemption_of(std::string(1'000'000, 'x')),
    };
    auto const expected = visible(server.redeem(bad.front()));
    CHECK(std::get<0>(expected) == once::outcome::refused);
    for (auto const& one : bad) {
        INFO(one.token.substr(0, 60) << " of " << one.principal << " for " << one.purpose);
        CHECK(visible(server.redeem(one)) == expected);
        CHECK(visible(server.redeem_at_once(one)) == expected);
    }
    CHECK(server.effects() == 1);
    CHECK(server.records() == 1);
    CHECK(server.redeem(redemption_of(good)).done());
}

TEST_CASE("64 redemptions of one token at the same time have one effect and one answer", "[token]") {
    with_tokens server;
    auto const token = server.issue();
    once::database db{server.dsn(), {.max_connections = 64}};
    std::atomic<int> started = 0;
    std::atomic<int> replayed = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 64; ++i) {
        threads.emplace_back([&] {
            auto const reply =
                once::execute(db, redemption_of(token),
                              [](once::transaction& tx) {
                                  add_effect(tx);
                                  return once::response{.status = 201, .body = once::body::text("paid")};
                              },
                              {.wait = 60s, .deadline = 100s});
            started += reply.done();
            replayed += reply.replayed() && reply.response().status == 201;
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    CHECK(started == 1);
    CHECK(replayed == 63);
    CHECK(server.effects() == 1);
}

TEST_CASE("a token that expires while another redemption holds it and rolls back is refused", "[token]") {
    with_tokens server;
    auto const token = once::issue_token(server.db, {.principal = "alice", .purpose = "pay", .lifetime = 1s});
    auto const is_expired = [&] { return server.ask("select expired from once.token_readable") == "t"; };
    pqxx::connection connection{server.dsn()};
    pqxx::work holder{connection};
    CHECK(std::holds_alternative<once::started>(once::redeem(holder, redemption_of(token))));
    auto waiting = std::async(std::launch::async, [&] {
        return server.redeem(redemption_of(token), {.wait = 60s, .deadline = 100s});
    });
    REQUIRE(wait_until([&] {
        return server.ask("select count(*) from pg_stat_activity where datname = current_database() "
                          "and wait_event_type = 'Lock'") == "1";
    }));
    CHECK(!is_expired()); // it was good when the other one began to wait
    REQUIRE(wait_until(is_expired));
    holder.abort();
    CHECK(waiting.get().refused());
    CHECK(server.effects() == 0);
}

TEST_CASE("a redemption that does not commit leaves the token as it was", "[token]") {
    with_tokens server;
    auto const token = server.issue();
    CHECK_THROWS_AS(
        once::execute(server.db, redemption_of(token),
                      [](once::transaction&) -> once::response { throw std::runtime_error{"no"}; }),
        std::runtime_error);
    auto const declined = once::execute(server.db, redemption_of(token), [](once::transaction& tx) {
        add_effect(tx);
        return once::response{.status = 402};
    });
    CHECK(declined.done());
    CHECK(!declined.committed());
    CHECK(server.tokens() == "1");
    CHECK(server.redeem(redemption_of(token)).done());
    CHECK(server.effects() == 1);
}

TEST_CASE("the same token with another question is key_reused, and while it is redeemed in_progress",
          "[token]") {
    with_tokens server;
    auto const token = server.issue();
    auto asking = redemption_of(token);
    asking.fingerprint = once::fingerprint{"10 euros"};
    {
        pqxx::connection connection{server.dsn()};
        pqxx::work holder{connection};
        CHECK(std::holds_alternative<once::started>(once::redeem(holder, asking)));
        CHECK(server.redeem(asking, {.wait = 0ms}).in_progress());
        pqxx::connection another{server.dsn()};
        pqxx::work tx{another};
        CHECK(std::holds_alternative<once::in_progress>(once::redeem(tx, asking, {.wait = 0ms})));
        CHECK(tx.exec("select 1")[0][0].as<int>() == 1);
    }
    CHECK(server.redeem(asking).done());
    CHECK(server.redeem(asking).replayed());
    asking.fingerprint = once::fingerprint{"1000 euros"};
    CHECK(server.redeem(asking).key_reused());
    CHECK(server.redeem_at_once(asking).key_reused());
    CHECK(server.effects() == 1);
}

TEST_CASE("tokens are redeemed on a borrowed transaction, too", "[token]") {
    with_tokens server;
    auto const token = server.issue();
    pqxx::connection connection{server.dsn()};
    {
        pqxx::work tx{connection};
        CHECK(std::holds_alternative<once::refused>(once::redeem(tx, redemption_of("x"))));
        auto const result = once::redeem(tx, redemption_of(token));
        add_effect(tx);
        once::complete(tx, std::get<once::started>(result), once::response{.status = 201});
        tx.commit();
    }
    pqxx::work tx{connection};
    auto const again = std::get<once::replayed>(once::redeem(tx, redemption_of(token)));
    REQUIRE(again.response);
    CHECK(again.response->status == 201);
    auto other_question = redemption_of(token);
    other_question.fingerprint = once::fingerprint{"another question"};
    CHECK(std::holds_alternative<once::key_reused>(once::redeem(tx, other_question)));
    CHECK(server.redeem(redemption_of(token)).replayed());
    CHECK(server.effects() == 1);
}

TEST_CASE("tokens are issued many at once, and in a transaction that may roll back", "[token]") {
    with_tokens server;
    auto const many = once::issue_tokens(server.db, terms, 10'000);
    CHECK(many.size() == 10'000);
    CHECK(server.tokens() == "10000");
    CHECK(server.redeem(redemption_of(many[9'999])).done());
    CHECK_THROWS_AS(std::ignore = once::issue_tokens(server.db, terms, 0), once::invalid_argument);
    CHECK_THROWS_AS(std::ignore = once::issue_tokens(server.db, terms, 10'001), once::invalid_argument);
    pqxx::connection connection{server.dsn()};
    std::string rolled_back;
    {
        pqxx::work tx{connection};
        rolled_back = once::issue_token(tx, terms);
    }
    CHECK(server.redeem(redemption_of(rolled_back)).refused());
    std::string committed;
    std::ignore = once::execute(server.db, request_of("signup"),
                                [&](once::transaction& tx) { committed = once::issue_token(tx, terms); });
    CHECK(server.redeem(redemption_of(committed)).done());
}

TEST_CASE("the clear token is nowhere in the database, and its hash is the server's", "[token]") {
    with_tokens server;
    auto const token = server.issue();
    CHECK(server.ask("select token_hash = sha256('" + token + "') from once.token") == "t");
    CHECK(server.redeem(redemption_of(token)).done());
    CHECK(server.ask("select scope || ' ' || (key = encode(sha256('" + token +
                     "'), 'hex')) from once.idempotency_record") == "token pay alice true");
    // Nothing that the library sends contains it, either.
    wire_proxy proxy{server.upstream()};
    once::database db{server.through(proxy)};
    auto const sent = once::issue_token(db, terms);
    CHECK(once::execute(db, redemption_of(sent), [](once::transaction&) {}).done());
    for (std::string const table : {"token", "idempotency_record"}) {
        CHECK(server.ask(std::string{"select count(*) from once."}.append(table) +
                         " as t where t::text like '%" + sent + "%'") == "0");
    }
    CHECK(server.ask("select max(length(token_hash)) from once.token_readable") == "NULL");
    static_cast<void>(server.issue());
    CHECK(server.ask("select length(token_hash) from once.token_readable") == "16");
}

TEST_CASE("a token that the schema makes is as good as one of the library", "[token]") {
    with_tokens server;
    auto const token = server.ask("select once.issue_token('alice', 'pay', '10 minutes')");
    CHECK(token.size() == 43);
    CHECK(token.find_first_of("+/=\n") == std::string::npos);
    CHECK(server.redeem(redemption_of(token)).done());
}

TEST_CASE("no service redeems the token of another", "[token][services]") {
    effects_database const server;
    login_role const one{server, "one"};
    login_role const two{server, "two"};
    one.grant_use();
    two.grant_use();
    once::database first{one.dsn()};
    once::database second{two.dsn()};
    auto const token = once::issue_token(first, terms);
    auto const nothing = [](once::transaction&) {};
    CHECK(once::execute(second, redemption_of(token), nothing).refused());
    CHECK(once::execute(first, redemption_of(token), nothing).done());
    CHECK(once::execute(second, redemption_of(token), nothing).refused());
}

TEST_CASE("purging tokens removes what has expired, the oldest first, and skips what is being redeemed",
          "[token][purge]") {
    with_tokens server;
    static_cast<void>(once::issue_tokens(server.db, terms, 5));
    CHECK(server.ask("select once.purge_tokens()") == "0");
    auto const held = server.issue();
    server.run("update once.token set issued_at = issued_at - interval '1 day', expires_at = expires_at - "
               "interval '1 day'");
    auto const good = server.issue();
    pqxx::connection connection{server.dsn()};
    pqxx::work tx{connection};
    tx.exec("select from once.token where token_hash = sha256('" + held + "') for update");
    CHECK(server.ask("select once.purge_tokens(2)") == "2");
    CHECK(server.ask("select once.purge_tokens(1000)") == "3");
    CHECK(server.tokens() == "2");
    tx.abort();
    CHECK(server.ask("select once.purge_tokens()") == "1");
    CHECK(server.redeem(redemption_of(good)).done());
    for (std::string const limit : {"0", "-1", "100001", "null"}) {
        CHECK(sqlstate_of([&] { run(server.dsn(), "select once.purge_tokens(" + limit + ")"); }) == "22023");
    }
}

TEST_CASE("a repeat after the record has gone is refused, not done again", "[token]") {
    with_tokens server;
    auto const token = server.issue();
    CHECK(server.redeem(redemption_of(token)).done());
    server.run("update once.idempotency_record set claimed_at = claimed_at - interval '2 days', "
               "expires_at = expires_at - interval '2 days'");
    CHECK(server.redeem(redemption_of(token)).refused());
    CHECK(server.ask("select once.purge()") == "1");
    CHECK(server.redeem(redemption_of(token)).refused());
    CHECK(server.effects() == 1);
}

TEST_CASE("redeeming costs no round trip", "[token][round_trips]") {
    with_tokens server;
    wire_proxy proxy{server.upstream()};
    once::database db{server.through(proxy), {.max_connections = 1}};
    db.check();
    // A refusal and a repeat send a ROLLBACK behind themselves that nobody waits for; it is answered at the next use.
    auto const cost = [&](auto&& call) {
        db.check();
        proxy.reset_counters();
        call();
        return proxy.round_trips();
    };
    std::string token;
    for (int const round : {1, 2}) {
        INFO(round);
        CHECK(cost([&] { token = once::issue_token(db, terms); }) == 1);
        CHECK(cost([&] {
                  CHECK(once::execute(db, redemption_of(token), [](once::transaction& tx) {
                            add_effect(tx);
                        }).done());
              }) == 3);
        token = once::issue_token(db, terms);
        CHECK(cost([&] { CHECK(once::execute(db, redemption_of(token), {effect_statement()}).done()); }) ==
              1);
        CHECK(cost([&] {
                  CHECK(once::execute(db, redemption_of(token), {effect_statement()}).replayed());
              }) == 2);
        CHECK(cost([&] {
                  CHECK(once::execute(db, redemption_of("x"), [](once::transaction& tx) {
                            add_effect(tx);
                        }).refused());
              }) <= 2);
        CHECK(cost([&] { CHECK(once::execute(db, redemption_of("x"), {effect_statement()}).refused()); }) <=
              2);
    }
}

TEST_CASE("a lost answer to COMMIT of a redemption is found out", "[token]") {
    with_tokens server;
    auto const token = server.issue();
    wire_proxy proxy{server.upstream()};
    once::database db{server.through(proxy)};
    db.check();
    auto const cut = proxy.add(at_tag("COMMIT", act::cut()));
    auto const reply = once::execute(db, redemption_of(token), [](once::transaction& tx) { add_effect(tx); });
    CHECK(cut.fired() == 1);
    CHECK(reply.replayed());
    CHECK(reply.was_in_doubt());
    CHECK(server.effects() == 1);
}

TEST_CASE("at every isolation level concurrent redemptions have one effect", "[token]") {
    with_tokens server;
    for (auto const level :
         {once::isolation::read_committed, once::isolation::repeatable_read, once::isolation::serializable}) {
        auto const token = server.issue();
        auto const before = server.effects();
        std::vector<std::future<once::reply>> replies;
        for (int i = 0; i < 8; ++i) {
            replies.push_back(std::async(std::launch::async, [&] {
                return server.redeem(redemption_of(token),
                                     {.isolation_level = level, .wait = 60s, .deadline = 100s});
            }));
        }
        int started = 0;
        for (auto& reply : replies) {
            auto const got = reply.get();
            started += got.done();
            CHECK((got.done() || got.replayed()));
        }
        CHECK(started == 1);
        CHECK(server.effects() == before + 1);
    }
}

TEST_CASE("the schema refuses by itself what is no token", "[token][bad_input]") {
    effects_database const server;
    auto const issue = [](std::string const& arguments) {
        return "select once.issue_tokens(" + arguments + ")";
    };
    std::string const hash = "array[sha256('t')]";
    std::vector<std::pair<std::string, std::string>> const table{
        {issue("'alice', 'pay', '0', " + hash), "22023"},
        {issue("'alice', 'pay', '-1 s', " + hash), "22023"},
        {issue("'alice', 'pay', null, " + hash), "22023"},
        {issue("'alice', 'pay', '367 days', " + hash), "22023"},
        {issue("'alice', 'pay', '1 s', '{}'"), "22023"},
        {issue("'alice', 'pay', '1 s', null"), "22023"},
        {issue("'alice', 'pay', '1 s', array[null]::bytea[]"), "22023"},
        {issue("'alice', 'pay', '1 s', array['x'::bytea]"), "22023"},
        {issue("'alice', 'pay', '1 s', array[sha256('d'), sha256('d')]"), "23505"},
        {issue("'alice', 'pay', '1 s', (select array_agg(sha256(n::text::bytea)) from generate_series(1, "
               "10001) n)"),
         "22023"},
        {issue("'alice', 'p y', '1 s', " + hash), "23514"},
        {issue("'alice', '', '1 s', " + hash), "23514"},
        {issue("'', 'pay', '1 s', " + hash), "23514"},
        {issue("null, 'pay', '1 s', " + hash), "22023"},
        {issue("repeat('x', 181), 'pay', '1 s', " + hash), "23514"},
        {issue("'alice', repeat('x', 65), '1 s', " + hash), "23514"},
        {issue("'alice', 'pay', '1 s', " + hash + ", 'infinity'"), "22023"},
        {"select once.issue_token('alice', 'pay', '-1 s')", "22023"},
        {"select once.redeem_token('x', 'alice', 'pay', null, '1 day', '-1 s')", "22023"},
        {"select once.redeem_token('x', 'alice', 'pay', null, '1 day', null)", "22023"},
        {"select once.redeem_token_or_abort('x', 'alice', 'pay')", "ON020"},
        {"select once.redeem_token_or_abort(null, null, null)", "ON020"},
    };
    for (auto const& one : table) {
        INFO(one.first);
        CHECK(sqlstate_of([&] { run(server.dsn(), one.first); }) == one.second);
    }
    CHECK(server.ask("select count(*) from once.token") == "0");
}
