// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/repository.hpp>

#include "support/shop.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/transaction>

#include <set>
#include <string>
#include <vector>

using once::testing::order;
using once::testing::shop_database;
using once::testing::vote;

namespace {

/// No key besides the id, which the database makes.
struct note {
    std::int64_t id{};
    std::string text{};
};

/// The table writes these keys in another way than they were sent.
struct price {
    std::int64_t id{};
    std::string amount{};
    std::string remark{};
};

} // namespace

template <>
struct once::mapping<note> {
    static constexpr auto columns =
        once::columns(once::generated_id("id", &note::id), once::column("text", &note::text));
};

template <>
struct once::mapping<price> {
    static constexpr auto columns =
        once::columns(once::generated_id("id", &price::id), once::column("amount", &price::amount),
                      once::column("remark", &price::remark));
    static constexpr auto unique = once::unique("amount");
};

TEST_CASE("new rows of a batch come back in the order of the input", "[repository][insert_many]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<order> const orders{"shop.orders"};
    pqxx::work tx{connection};
    std::vector<order> const batch{
        {.number = "C", .customer = "c"}, {.number = "A", .customer = "a"}, {.number = "B", .customer = "b"}};
    auto const answers = orders.insert_many(tx, batch);
    REQUIRE(answers.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(answers[i].inserted);
        CHECK(answers[i].row.number == batch[i].number);
        CHECK(answers[i].row.customer == batch[i].customer);
    }
    // They were sent in the order of their keys.
    CHECK(answers[1].row.id < answers[2].row.id);
    CHECK(answers[2].row.id < answers[0].row.id);
}

TEST_CASE("in a batch with duplicates inside and outside, the first of each key wins",
          "[repository][insert_many]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<order> const orders{"shop.orders"};
    pqxx::work tx{connection};
    auto const old = orders.insert(tx, order{.number = "B", .customer = "old"}).row;
    std::vector<order> const batch{
        {.number = "C", .customer = "c1"}, {.number = "B", .customer = "b1"},
        {.number = "A", .customer = "a1"}, {.number = "C", .customer = "c2"},
        {.number = "A", .customer = "a2"}, {.number = "B", .customer = "b2"},
        {.number = "A", .customer = "a3"},
    };
    auto const answers = orders.insert_many(tx, batch);
    REQUIRE(answers.size() == batch.size());
    std::vector<std::pair<std::string, bool>> got;
    for (auto const& answer : answers) {
        got.emplace_back(answer.row.customer, answer.inserted);
    }
    CHECK(got == std::vector<std::pair<std::string, bool>>{{"c1", true},
                                                           {"old", false},
                                                           {"a1", true},
                                                           {"c1", false},
                                                           {"a1", false},
                                                           {"old", false},
                                                           {"a1", false}});
    CHECK(answers[1].row.id == old.id);
    CHECK(tx.query_value<int>("select count(*) from shop.orders") == 3);
}

TEST_CASE("a batch of 70 000 bind values is split", "[repository][insert_many]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<vote> const votes{"shop.votes"};
    pqxx::work tx{connection};
    constexpr int count = 23'400; // 3 values each
    std::vector<vote> batch;
    for (int i = 0; i < count; ++i) {
        batch.push_back(
            {.poll = count - i, .voter = "v" + std::to_string(i % 7), .choice = std::to_string(i)});
    }
    // Every fifth is there already, so that both ways of matching are used in every statement.
    std::vector<vote> there;
    for (int i = 0; i < count; i += 5) {
        there.push_back(batch[static_cast<std::size_t>(i)]);
        there.back().choice = "old";
    }
    for (auto const& answer : votes.insert_many(tx, there)) {
        REQUIRE(answer.inserted);
    }
    auto const answers = votes.insert_many(tx, batch);
    REQUIRE(answers.size() == batch.size());
    std::set<std::int64_t> ids;
    for (std::size_t i = 0; i < batch.size(); ++i) {
        REQUIRE(answers[i].inserted == (i % 5 != 0));
        REQUIRE(answers[i].row.poll == batch[i].poll);
        REQUIRE(answers[i].row.voter == batch[i].voter);
        REQUIRE(answers[i].row.choice == (i % 5 == 0 ? "old" : batch[i].choice));
        ids.insert(answers[i].row.id);
    }
    CHECK(ids.size() == batch.size());
    CHECK(tx.query_value<int>("select count(*) from shop.votes") == count);
}

TEST_CASE("an empty batch sends nothing", "[repository][insert_many]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<order> const orders{"shop.orders"};
    pqxx::work tx{connection};
    CHECK(orders.insert_many(tx, std::vector<order>{}).empty());
}

TEST_CASE("append makes a row each time, in the order of the input", "[repository][insert_many]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<note> const notes{"shop.notes"};
    pqxx::work tx{connection};
    tx.exec(
        "create table shop.notes (id bigint generated always as identity primary key, text text not null)");
    auto const made = notes.append_many(tx, std::vector<note>{{.text = "b"}, {.text = "a"}, {.text = "b"}});
    REQUIRE(made.size() == 3);
    CHECK(made[0].text == "b");
    CHECK(made[1].text == "a");
    CHECK(made[2].text == "b");
    CHECK(made[0].id == 1);
    CHECK(made[2].id == 3);
    CHECK(notes.append(tx, {.text = "b"}).id == 4);
}

TEST_CASE("keys that the table writes in another way are matched by the server",
          "[repository][insert_many]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<price> const prices{"shop.prices"};
    pqxx::work tx{connection};
    tx.exec("create table shop.prices (id bigint generated always as identity primary key,"
            " amount numeric(10,2) not null unique, remark text not null)");
    CHECK(prices.insert(tx, {.amount = "7", .remark = "old"}).row.amount == "7.00");
    auto const answers = prices.insert_many(tx, std::vector<price>{{.amount = "3", .remark = "new"},
                                                                   {.amount = "007", .remark = "x"},
                                                                   {.amount = "3.0", .remark = "y"},
                                                                   {.amount = "1e1", .remark = "ten"},
                                                                   {.amount = "4.00", .remark = "four"}});
    REQUIRE(answers.size() == 5);
    std::vector<std::pair<std::string, bool>> got;
    for (auto const& answer : answers) {
        got.emplace_back(answer.row.remark, answer.inserted);
    }
    CHECK(got == std::vector<std::pair<std::string, bool>>{
                     {"new", true}, {"old", false}, {"new", false}, {"ten", true}, {"four", true}});
}

TEST_CASE("the violation of another constraint fails the batch", "[repository][insert_many]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<order> const orders{"shop.orders"};
    pqxx::work tx{connection};
    std::vector<order> const batch{{.number = "A", .customer = "a", .note = "same"},
                                   {.number = "B", .customer = "b", .note = "same"}};
    CHECK_THROWS_AS(orders.insert_many(tx, batch), pqxx::unique_violation);
}

TEST_CASE("one bad value refuses the batch before anything is sent", "[repository][insert_many]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<order> const orders{"shop.orders"};
    pqxx::work tx{connection};
    std::vector<order> const batch{{.number = "A", .customer = "a"}, {.number = "B", .customer = "\xC3"}};
    CHECK_THROWS_AS(orders.insert_many(tx, batch), once::invalid_argument);
    CHECK(tx.query_value<int>("select count(*) from shop.orders") == 0);
}

TEST_CASE("a trigger that suppresses an appended row is an error", "[repository][insert_many]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<note> const notes{"shop.notes"};
    pqxx::work tx{connection};
    tx.exec(
        "create table shop.notes (id bigint generated always as identity primary key, text text not null);"
        "create function censor() returns trigger language plpgsql as "
        "'begin if new.text = ''b'' then return null; end if; return new; end';"
        "create trigger censor before insert on shop.notes for each row execute function censor()");
    CHECK(notes.append(tx, {.text = "a"}).text == "a");
    CHECK_THROWS_AS(notes.append(tx, {.text = "b"}), once::error);
    CHECK_THROWS_AS(notes.append_many(tx, std::vector<note>{{.text = "a"}, {.text = "b"}}), once::error);
}
