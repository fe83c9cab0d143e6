// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/postgres_publisher.hpp>

#include "support/database.hpp"
#include "support/publisher_conformance.hpp"
#include "support/wait_until.hpp"
#include "support/wire_proxy.hpp"

#include <catch2/catch_test_macros.hpp>
#include <libpq-fe.h>
#include <pqxx/pqxx>

#include <memory>
#include <utility>
#include <vector>

using namespace once;
using namespace once::testing;
using namespace std::chrono_literals;

namespace {

void run_at(std::string const& dsn, std::string const& sql) {
    pqxx::connection connection{dsn};
    pqxx::nontransaction{connection}.exec(sql);
}

std::string answer_of(std::string const& dsn, std::string const& sql) {
    pqxx::connection connection{dsn};
    pqxx::nontransaction tx{connection};
    auto const result = tx.exec(sql);
    return result.empty() || result[0][0].is_null() ? "" : result[0][0].as<std::string>();
}

/// A second database with a table of arrivals, and a table of mishaps that a trigger on it obeys.
class target_database : public test_database {
public:
    target_database() {
        run_at(dsn(), R"sql(
            create table public.arrival (n bigint generated always as identity, id uuid,
            topic text, key text, payload bytea);
            create table public.mishap (id uuid, what text);
            create function public.obey() returns trigger language plpgsql as $$
            declare what text := (select m.what from public.mishap as m where m.id = new.id);
            begin
                if what = 'ask_again' then
                    raise exception 'not now: %', convert_from(new.payload, 'UTF8');
                elsif what = 'refuse' then
                    raise exception 'never: %', convert_from(new.payload, 'UTF8') using errcode = '22000';
                elsif what = 'seem_away' then
                    raise exception 'no space left on device' using errcode = '53100';
                elsif what = 'stay_silent' then
                    perform pg_sleep(60);
                end if;
                return new;
            end $$;
            create trigger obey before insert on public.arrival for each row execute function public.obey();
        )sql");
    }
    static constexpr char const* insert = "insert into public.arrival (id, topic, key, payload) select id, "
                                          "topic, key, payload_bytes from message";
};

class postgres_receiver final : public receiver_under_test {
public:
    std::unique_ptr<publisher> make_publisher() override {
        return std::make_unique<postgres_publisher>(
            m_db, postgres_publisher_options{.consumer = "shop", .sql = target_database::insert});
    }
    std::vector<arrival> arrivals() override {
        if (m_away) {
            return m_arrived;
        }
        pqxx::connection connection{m_server.dsn()};
        pqxx::nontransaction tx{connection};
        for (auto const& row :
             tx.exec("select id, topic, coalesce(key, ''), encode(payload, 'hex'), n from public.arrival "
                     "where n > " +
                     m_last + " order by n")) {
            m_arrived.push_back({message_id::parse(row[0].as<std::string>()), row[1].as<std::string>(),
                                 row[2].as<std::string>(), from_hex(row[3].as<std::string>())});
            m_last = row[4].as<std::string>();
        }
        return m_arrived;
    }
    [[nodiscard]] bool absorbs_repeats() const override { return true; }
    [[nodiscard]] bool can(mishap what) const override { return what != mishap::lose_reply; }
    void plan(message_id const& id, mishap what) override {
        auto const* const word = what == mishap::ask_again   ? "ask_again"
                                 : what == mishap::refuse    ? "refuse"
                                 : what == mishap::seem_away ? "seem_away"
                                                             : "stay_silent";
        run_at(m_server.dsn(), "insert into public.mishap values ('" + id.to_string() + "', '" + word + "')");
    }
    void forget_plans() override { run_at(m_server.dsn(), "truncate public.mishap"); }
    void go_away() override {
        static_cast<void>(arrivals());
        m_away = true;
        run_at(m_server.admin_dsn(), "alter database " + m_server.name() + " allow_connections false");
        run_at(m_server.admin_dsn(),
               "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = '" +
                   m_server.name() + "'");
    }
    void come_back() override {
        run_at(m_server.admin_dsn(), "alter database " + m_server.name() + " allow_connections true");
        m_away = false;
    }

private:
    static std::string from_hex(std::string const& hex) {
        std::string made;
        for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
            made += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
        }
        return made;
    }

    target_database m_server;
    database m_db{m_server.dsn()};
    bool m_away = false;
    std::vector<arrival> m_arrived;
    std::string m_last{"0"};
};

std::chrono::steady_clock::time_point soon() {
    return std::chrono::steady_clock::now() + 30s;
}

} // namespace

TEST_CASE("the publisher into a second database keeps the rules of publishers", "[publisher][postgres]") {
    postgres_receiver receiver;
    CHECK(to_text(check_conformance(receiver)) == "");
}

TEST_CASE("a message that comes again after a lost COMMIT has one effect in the second database",
          "[publisher][postgres]") {
    target_database const server;
    std::unique_ptr<PGconn, decltype(&PQfinish)> const probe{PQconnectdb(server.dsn().c_str()), &PQfinish};
    wire_proxy proxy{{.host = PQhost(probe.get()), .port = std::atoi(PQport(probe.get()))}};
    database db{proxy.dsn(server.name(), PQuser(probe.get()))};
    db.check();
    postgres_publisher publisher{db, {.consumer = "shop", .sql = target_database::insert}};
    std::vector const messages{make_delivery("a", body::text("1")), make_delivery("a", body::text("2"))};
    auto const lost = proxy.add(at_tag("COMMIT", act::cut()));
    auto const first = publisher.publish(messages, soon());
    CHECK(lost.fired() == 1);
    CHECK(first.unavailable);
    CHECK(answer_of(server.dsn(), "select count(*) from public.arrival") ==
          "2"); // it was committed all the same
    auto const second = publisher.publish(messages, soon());
    CHECK(second.answers[0].result == publish_result::accepted);
    CHECK(second.answers[1].result == publish_result::accepted);
    CHECK(answer_of(server.dsn(), "select count(*) from public.arrival") == "2");
}

TEST_CASE("each failure in a batch is found, and everything else is committed in order",
          "[publisher][postgres]") {
    target_database const server;
    run_at(server.dsn(),
           "create table public.total (key text primary key, amount bigint not null check (amount < 1000))");
    database db{server.dsn()};
    postgres_publisher publisher{
        db,
        {.consumer = "sums",
         .sql = "with amount as (select key, (payload->>'amount')::bigint as amount from message) "
                "insert into public.total select key, amount from amount "
                "on conflict (key) do update set amount = total.amount + excluded.amount"}};
    std::vector<delivery> messages;
    for (auto const& [key, payload] :
         std::vector<std::pair<std::string, std::string>>{{"a", R"({"amount": 1})"},
                                                          {"b", R"({"amount": "SECRET"})"},
                                                          {"a", R"({"amount": 2})"},
                                                          {"c", R"({"amount": 5000})"},
                                                          {"b", R"({"amount": 3})"},
                                                          {"", R"({"amount": 4})"},
                                                          {"a", R"({"amount": 10})"}}) {
        messages.push_back(make_delivery(key, body::json_text(payload)));
    }
    auto const report = publisher.publish(messages, soon());
    using enum publish_result;
    std::vector<publish_result> got;
    for (auto const& answer : report.answers) {
        got.push_back(answer.result);
        CHECK(answer.error.find("SECRET") == std::string::npos);
    }
    // The one without a key has null there, which the table refuses.
    CHECK(got == std::vector{accepted, rejected, accepted, retry, not_sent, retry, accepted});
    CHECK(report.answers[1].error.find("22P02") != std::string::npos);
    CHECK(report.answers[3].error.find("total_amount_check") != std::string::npos);
    CHECK(answer_of(server.dsn(), "select string_agg(key || amount, ',' order by key) from public.total") ==
          "a13");
}

TEST_CASE("a constraint that fails at COMMIT is the fault of its message alone", "[publisher][postgres]") {
    target_database const server;
    run_at(server.dsn(),
           "create table public.parent (name text primary key); insert into public.parent values ('a');"
           "create table public.child (name text references public.parent deferrable initially deferred)");
    database db{server.dsn()};
    postgres_publisher publisher{
        db, {.consumer = "c", .sql = "insert into public.child select key from message"}};
    auto const report = publisher.publish(
        std::vector{make_delivery("a", body{}), make_delivery("orphan", body{}), make_delivery("a", body{})},
        soon());
    CHECK(report.answers[0].result == publish_result::accepted);
    CHECK(report.answers[1].result == publish_result::retry);
    CHECK(report.answers[2].result == publish_result::accepted);
    CHECK(answer_of(server.dsn(), "select count(*) from public.child") == "2");
}

TEST_CASE("a statement that cannot work is told with the server's text, before and while messages come",
          "[publisher][postgres]") {
    target_database const server;
    database db{server.dsn()};
    for (auto const& [sql, text] : std::vector<std::pair<std::string, std::string>>{
             {"insert into public.no_such_table select id from message",
              "relation \"public.no_such_table\" does not exist"},
             {"no SQL at all", "syntax error at or near \"no\""},
             {"select 1; select 2", "cannot insert multiple commands"},
             {"select commit_here from message", "column \"commit_here\" does not exist"}}) {
        CAPTURE(sql);
        postgres_publisher publisher{db, {.consumer = "c", .sql = sql}};
        auto const report = publisher.publish(std::vector{make_delivery("a", body{})}, soon());
        CHECK(report.unavailable.value_or("").find("SQLSTATE 42") != std::string::npos);
        CHECK(report.unavailable.value_or("").find(text) != std::string::npos);
        CHECK(report.answers[0].result ==
              publish_result::retry); // the relay finds out whether it is this message alone
        try {
            publisher.check();
            FAIL_CHECK("it was not noticed");
        } catch (configuration_error const& e) {
            CHECK(std::string_view{e.what()}.find(text) != std::string_view::npos);
        }
    }
    CHECK(answer_of(server.dsn(), "select count(*) from once.inbox") == "0");
}

TEST_CASE("a statement may begin with comments or a byte order mark, and its rights are looked at",
          "[publisher][postgres]") {
    target_database const server;
    database db{server.dsn()};
    for (std::string const before : {"", "-- the orders\n", "/* the /* old */ orders */ ", "\xef\xbb\xbf"}) {
        for (std::string const& sql : {before + target_database::insert + ";\n",
                                       before + "with one as (select * from message) insert into "
                                                "public.arrival (id, topic, key, payload) select "
                                                "id, topic, key, payload_bytes from one"}) {
            CAPTURE(sql);
            postgres_publisher publisher{db, {.consumer = "c", .sql = sql}};
            CHECK_NOTHROW(publisher.check());
            auto const report = publisher.publish(std::vector{make_delivery("a", body{})}, soon());
            CHECK(report.answers[0].result == publish_result::accepted);
        }
    }
    CHECK(answer_of(server.dsn(), "select count(*) from public.arrival") == "8"); // check() runs nothing
}

TEST_CASE("whatever a trigger raises for one message is about that message", "[publisher][postgres]") {
    target_database const server;
    run_at(server.dsn(), "create function public.refuse() returns trigger language plpgsql as $$ begin if "
                         "new.topic = 'bad' then raise "
                         "exception 'x' using errcode = new.key; end if; return new; end $$; create trigger "
                         "refuse before insert on "
                         "public.arrival for each row execute function public.refuse()");
    database db{server.dsn()};
    postgres_publisher publisher{db, {.consumer = "c", .sql = target_database::insert}};
    for (std::string const state :
         {"OR001", "42501", "42P01", "53100", "25006", "57P01", "XX000", "P0001", "3F000"}) {
        CAPTURE(state);
        std::vector messages{make_delivery("a", body{}), make_delivery(state, body{}),
                             make_delivery("b", body{})};
        messages[1].topic = "bad";
        auto const report = publisher.publish(messages, soon());
        CHECK_FALSE(report.unavailable);
        CHECK(report.answers[0].result == publish_result::accepted);
        CHECK(report.answers[1].result == publish_result::retry);
        CHECK(report.answers[1].error == "SQLSTATE " + state);
        CHECK(report.answers[2].result == publish_result::accepted);
    }
}

TEST_CASE("messages that take long there are committed in as many transactions as fit the time",
          "[publisher][postgres]") {
    target_database const server;
    run_at(
        server.dsn(),
        "create function public.slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.1); "
        "return new; end $$; create trigger slow before insert on public.arrival for each row execute "
        "function public.slow()");
    database db{server.dsn()};
    postgres_publisher publisher{db, {.consumer = "c", .sql = target_database::insert}};
    std::vector<delivery> messages;
    for (int i = 0; i < 1000; ++i) {
        messages.push_back(make_delivery("", body{}));
    }
    std::string reasons;
    int accepted = 0;
    CHECK(wait_until([&] {
        auto const report = publisher.publish(messages, std::chrono::steady_clock::now() + 8s);
        CHECK_FALSE(report.unavailable);
        for (auto const& one : report.answers) {
            reasons += one.error;
            accepted += one.result == publish_result::accepted ? 1 : 0;
        }
        return accepted > 0 && reasons.find("took longer than") != std::string::npos;
    }));
    // Names the size and the time, and what was committed stays.
    CHECK(reasons.find(" messages in one transaction took longer than ") != std::string::npos);
    CHECK(reasons.find(" ms; the next ones have ") != std::string::npos);
    CHECK(answer_of(server.dsn(), "select count(*) > 0 from public.arrival") == "t");
}

TEST_CASE("a message older than the inbox remembers is put aside", "[publisher][postgres]") {
    target_database const server;
    database db{server.dsn()};
    postgres_publisher publisher{db, {.consumer = "c", .sql = target_database::insert, .retention = 1h}};
    std::vector messages{make_delivery("a", body{}), make_delivery("a", body{}), make_delivery("b", body{})};
    messages[0].published_at -= 2h;
    auto const report = publisher.publish(messages, soon());
    CHECK(report.answers[0].result == publish_result::rejected);
    CHECK(report.answers[1].result == publish_result::not_sent);
    CHECK(report.answers[2].result == publish_result::accepted);
    CHECK(answer_of(server.dsn(), "select count(*) from public.arrival") == "1");
    CHECK(answer_of(server.dsn(), "select count(*) from once.inbox") == "1");
}

TEST_CASE("options of the publisher into a second database are checked", "[publisher][postgres]") {
    database db{"dbname=never_connected"};
    auto const make = [&](postgres_publisher_options options) {
        postgres_publisher const made{db, std::move(options)};
    };
    CHECK_THROWS_AS(make({.sql = "select 1"}), invalid_argument);
    CHECK_THROWS_AS(make({.consumer = "c"}), invalid_argument);
    CHECK_THROWS_AS(make({.consumer = "c", .sql = " \n"}), invalid_argument);
    CHECK_THROWS_AS(make({.consumer = "c", .sql = "select 1", .retention = 0ms}), invalid_argument);
}
