// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/repository.hpp>

#include "support/shop.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/subtransaction>
#include <pqxx/transaction>

#include <string>

using once::testing::counter;
using once::testing::order;
using once::testing::shop_database;
using once::testing::vote;

TEST_CASE("a new row comes back with what the database filled in", "[repository]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<order> const orders{"shop.orders"};
    pqxx::work tx{connection};
    auto const [placed, inserted] =
        orders.insert(tx, order{.id = 999, .number = "A-17", .customer = "alice"});
    CHECK(inserted);
    CHECK(placed.id == 1);
    CHECK(placed.number == "A-17");
    CHECK(placed.customer == "alice");
    CHECK_FALSE(placed.note);
    CHECK(placed.placed_at > once::timestamp{});
    CHECK(placed.version == 1);
}

TEST_CASE("a row whose key is there comes back as it is there, and is not changed", "[repository]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<order> const orders{"shop.orders"};
    pqxx::work tx{connection};
    auto const first = orders.insert(tx, order{.number = "A-17", .customer = "alice", .note = "first"});
    auto const again = orders.insert(tx, order{.number = "A-17", .customer = "bob"});
    CHECK_FALSE(again.inserted);
    CHECK(again.row.id == first.row.id);
    CHECK(again.row.customer == "alice");
    CHECK(again.row.note == "first");
    CHECK(tx.query_value<int>("select count(*) from shop.orders") == 1);
}

TEST_CASE("the violation of a constraint that is not the key stays an error", "[repository]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<order> const orders{"shop.orders"};
    pqxx::work tx{connection};
    CHECK(orders.insert(tx, order{.number = "A-1", .customer = "alice", .note = "taken"}).inserted);
    CHECK_THROWS_AS(orders.insert(tx, order{.number = "A-2", .customer = "bob", .note = "taken"}),
                    pqxx::unique_violation);
}

TEST_CASE("an id that the application gives is the key", "[repository]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<counter> const counters{"shop.counters"};
    pqxx::work tx{connection};
    CHECK(counters.insert(tx, {.name = "visits", .value = 1}).inserted);
    auto const again = counters.insert(tx, {.name = "visits", .value = 2});
    CHECK_FALSE(again.inserted);
    CHECK(again.row.value == 1);
}

TEST_CASE("a composite natural key dedups and finds", "[repository]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<vote> const votes{"shop.votes"};
    pqxx::work tx{connection};
    CHECK(votes.insert(tx, {.poll = 1, .voter = "alice", .choice = "yes"}).inserted);
    CHECK(votes.insert(tx, {.poll = 2, .voter = "alice", .choice = "no"}).inserted);
    CHECK(votes.insert(tx, {.poll = 1, .voter = "bob", .choice = "no"}).inserted);
    auto const again = votes.insert(tx, {.poll = 2, .voter = "alice", .choice = "yes"});
    CHECK_FALSE(again.inserted);
    CHECK(again.row.choice == "no");

    auto const found = votes.find_by_key(tx, 1, "bob");
    REQUIRE(found);
    CHECK(found->choice == "no");
    CHECK_FALSE(votes.find_by_key(tx, 3, "bob"));
}

TEST_CASE("a row is found by id and by any column that is unique", "[repository]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<order> const orders{"shop.orders"};
    pqxx::work tx{connection};
    auto const id = orders.insert(tx, order{.number = "A-1", .customer = "alice", .note = "n"}).row.id;
    CHECK(orders.insert(tx, order{.number = "A-2", .customer = "alice"}).inserted);

    CHECK(orders.find(tx, id).value().number == "A-1");
    CHECK_FALSE(orders.find(tx, id + 100));
    CHECK(orders.find_by(tx, &order::number, "A-1").value().id == id);
    CHECK(orders.find_by(tx, &order::note, "n").value().id == id);
    CHECK_FALSE(orders.find_by(tx, &order::number, "A-3"));
    CHECK_FALSE(orders.find_by_key(tx, "A-3"));
    CHECK(orders.find_by_key(tx, "A-2").value().number == "A-2");
    CHECK_THROWS_AS(orders.find_by(tx, &order::customer, "alice"), once::misuse);
    CHECK(orders.find(tx, id).has_value());
}

TEST_CASE("a repository works in a subtransaction, which takes its row back", "[repository]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<order> const orders{"shop.orders"};
    pqxx::work tx{connection};
    {
        pqxx::subtransaction inner{tx};
        CHECK(orders.insert(inner, order{.number = "A-1", .customer = "alice"}).inserted);
        inner.abort();
    }
    CHECK_FALSE(orders.find_by_key(tx, "A-1"));
    {
        pqxx::subtransaction inner{tx};
        CHECK(orders.insert(inner, order{.number = "A-1", .customer = "bob"}).inserted);
        inner.commit();
    }
    CHECK(orders.find_by_key(tx, "A-1").value().customer == "bob");
}

TEST_CASE("nothing is committed by the repository", "[repository]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<order> const orders{"shop.orders"};
    {
        pqxx::work tx{connection};
        CHECK(orders.insert(tx, order{.number = "A-1", .customer = "alice"}).inserted);
    }
    pqxx::work tx{connection};
    CHECK_FALSE(orders.find_by_key(tx, "A-1"));
}

TEST_CASE("a row that is neither inserted nor there is tried three times, and then an error",
          "[repository]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<order> const orders{"shop.orders"};
    pqxx::work tx{connection};
    // The trigger stands for a rival whose row is gone again whenever it is looked for.
    tx.exec("create sequence attempt; create function vanish() returns trigger language plpgsql as "
            "'begin if nextval(''attempt'') <= tg_argv[0]::int then return null; end if; return new; end'");
    tx.exec("create trigger vanish before insert on shop.orders for each row execute function vanish(2)");
    CHECK(orders.insert(tx, order{.number = "A-1", .customer = "alice"}).inserted);
    tx.exec("select setval('attempt', 1, false); drop trigger vanish on shop.orders;"
            "create trigger vanish before insert on shop.orders for each row execute function vanish(3)");
    CHECK_THROWS_AS(orders.insert(tx, order{.number = "A-2", .customer = "alice"}), once::error);
    CHECK(tx.query_value<int>("select last_value from attempt") == 3);
}

TEST_CASE("a value that the column cannot hold as it is, is refused before anything is sent",
          "[repository]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<order> const orders{"shop.orders"};
    pqxx::work tx{connection};
    try {
        auto const result = orders.insert(tx, order{.number = std::string{"A\0B", 3}, .customer = "alice"});
        FAIL("inserted " << result.row.number);
    } catch (once::invalid_argument const& refused) {
        CHECK(refused.field() == "shop.orders.number");
    }
    CHECK_THROWS_AS(orders.insert(tx, order{.number = "\xFF", .customer = "alice"}), once::invalid_argument);
    CHECK_THROWS_AS(orders.find_by_key(tx, std::string{"A\0", 2}), once::invalid_argument);
    CHECK_THROWS_AS(orders.insert(tx, order{.number = "A", .customer = "alice", .version = -1}),
                    once::invalid_argument);
    // The transaction is as good as new.
    CHECK(tx.query_value<int>("select count(*) from shop.orders") == 0);
}

TEST_CASE("NULL in a member that cannot hold it is a corrupt record that names table and column",
          "[repository]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<order> const orders{"shop.orders"};
    pqxx::work tx{connection};
    auto const id = orders.insert(tx, order{.number = "A-1", .customer = "alice"}).row.id;
    tx.exec("alter table shop.orders alter customer drop not null; update shop.orders set customer = null");
    try {
        auto const found = orders.find(tx, id);
        FAIL("read " << found.has_value());
    } catch (once::corrupt_record const& corrupt) {
        CHECK(std::string{corrupt.what()}.find("shop.orders.customer") != std::string::npos);
    }
}

TEST_CASE("without a schema in its name, a table is found through the search_path", "[repository]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<order> const orders{"orders"};
    pqxx::work tx{connection};
    tx.exec("set local search_path = shop");
    CHECK(orders.insert(tx, order{.number = "A-1", .customer = "alice"}).inserted);
}

TEST_CASE("a table with a bad name is refused when the repository is made", "[repository]") {
    CHECK_THROWS_AS(once::repository<order>{"shop.orders; drop table x"}, once::invalid_argument);
    CHECK_THROWS_AS(once::repository<order>{"Shop.orders"}, once::invalid_argument);
    CHECK_THROWS_AS(once::repository<order>{""}, once::invalid_argument);
}
