// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/repository.hpp>

#include "support/shop.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/transaction>

#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <variant>

using once::testing::counter;
using once::testing::order;
using once::testing::shop_database;

TEST_CASE("an update of what was read is written, and counts", "[repository][versions]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<order> const orders{"shop.orders"};
    pqxx::work tx{connection};
    auto row = orders.insert(tx, order{.number = "A-1", .customer = "alice"}).row;
    row.customer = "bob";
    row.note = "gift";
    auto const result = orders.update(tx, row);
    auto const* const written = std::get_if<once::updated<order>>(&result);
    REQUIRE(written);
    CHECK(written->row.version == 2);
    CHECK(written->row.customer == "bob");
    CHECK(written->row.note == "gift");
    CHECK(written->row.placed_at == row.placed_at);
    CHECK(orders.find(tx, row.id).value().version == 2);
}

TEST_CASE("an update of what somebody changed since is stale, and writes nothing", "[repository][versions]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<order> const orders{"shop.orders"};
    pqxx::work tx{connection};
    auto mine = orders.insert(tx, order{.number = "A-1", .customer = "alice"}).row;
    auto theirs = mine;
    theirs.customer = "theirs";
    CHECK(std::holds_alternative<once::updated<order>>(orders.update(tx, theirs)));
    mine.customer = "mine";
    auto const result = orders.update(tx, mine);
    auto const* const refused = std::get_if<once::stale<order>>(&result);
    REQUIRE(refused);
    CHECK(refused->current.customer == "theirs");
    CHECK(refused->current.version == 2);
    CHECK(orders.find(tx, mine.id).value().customer == "theirs");
}

TEST_CASE("an update of a row that is not there is missing", "[repository][versions]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<order> const orders{"shop.orders"};
    pqxx::work tx{connection};
    CHECK(std::holds_alternative<once::missing>(
        orders.update(tx, order{.id = 7, .number = "A", .customer = "b"})));
}

TEST_CASE("a negative version is refused before anything is sent", "[repository][versions]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<counter> const counters{"shop.counters"};
    pqxx::work tx{connection};
    CHECK_THROWS_AS(counters.update(tx, {.name = "a", .version = -1}), once::invalid_argument);
    CHECK_THROWS_AS(counters.erase(tx, "a", -1), once::invalid_argument);
    CHECK_THROWS_AS(counters.erase(tx, "a", std::numeric_limits<std::int64_t>::min()),
                    once::invalid_argument);
    CHECK(tx.query_value<int>("select 1") == 1);
}

TEST_CASE("the largest version does not wrap", "[repository][versions]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<counter> const counters{"shop.counters"};
    constexpr auto largest = std::numeric_limits<std::int64_t>::max();
    pqxx::work tx{connection};
    auto row = counters.insert(tx, {.name = "a"}).row;
    tx.exec("update shop.counters set version = 9223372036854775807");
    row.version = largest;
    try {
        auto const result = counters.update(tx, row);
        FAIL("answered " << result.index());
    } catch (pqxx::sql_error const& refused) {
        CHECK(std::string{refused.sqlstate()} == "22003");
    }
}

TEST_CASE("erase answers erased, stale or missing", "[repository][versions]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<counter> const counters{"shop.counters"};
    pqxx::work tx{connection};
    auto const first = counters.insert(tx, {.name = "a", .value = 1}).row;
    CHECK(std::holds_alternative<once::updated<counter>>(counters.update(tx, first)));
    auto const refused = counters.erase(tx, first);
    REQUIRE(std::holds_alternative<once::stale<counter>>(refused));
    auto const& current = std::get<once::stale<counter>>(refused).current;
    CHECK(current.version == first.version + 1);
    CHECK(counters.find(tx, "a"));
    CHECK(std::holds_alternative<once::erased>(counters.erase(tx, current)));
    CHECK_FALSE(counters.find(tx, "a"));
    CHECK(std::holds_alternative<once::missing>(counters.erase(tx, "a", 2)));
}

TEST_CASE("modify writes what the change made of the newest row", "[repository][versions]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<counter> const counters{"shop.counters"};
    pqxx::work tx{connection};
    auto const first = counters.insert(tx, {.name = "a", .value = 40}).row;
    CHECK(counters.insert(tx, {.name = "b", .value = 1}).inserted);
    auto const result = counters.modify(tx, "a", [](counter& row) {
        row.value += 2;
        // Identity is not the change's business: this must hit neither another row nor another version.
        row.name = "b";
        row.version = 77;
    });
    REQUIRE(std::holds_alternative<once::modified<counter>>(result));
    CHECK(std::get<once::modified<counter>>(result).row.value == 42);
    CHECK(std::get<once::modified<counter>>(result).row.version == first.version + 1);
    CHECK(counters.find(tx, "b").value().value == 1);
}

TEST_CASE("modify of a row that is not there is missing, and changes nothing", "[repository][versions]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<counter> const counters{"shop.counters"};
    pqxx::work tx{connection};
    int runs = 0;
    CHECK(std::holds_alternative<once::missing>(counters.modify(tx, "a", [&](counter&) { ++runs; })));
    CHECK(runs == 0);
}

TEST_CASE("modify gives up after its attempts", "[repository][versions]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    pqxx::connection rival{database.dsn()};
    once::repository<counter> const counters{"shop.counters"};
    std::int64_t first = 0;
    {
        pqxx::work tx{connection};
        first = counters.insert(tx, {.name = "a"}).row.version;
        tx.commit();
    }
    auto const bump = [&](counter& row) {
        pqxx::work other{rival};
        other.exec("update shop.counters set version = version + 1");
        other.commit();
        row.value += 1;
    };
    pqxx::work tx{connection};
    auto const result = counters.modify(tx, "a", bump, {.attempts = 3});
    REQUIRE(std::holds_alternative<once::exhausted>(result));
    CHECK(std::get<once::exhausted>(result).attempts == 3);
    CHECK(counters.find(tx, "a").value().version == first + 3);
    CHECK(counters.find(tx, "a").value().value == 0);
    CHECK_THROWS_AS(counters.modify(tx, "a", bump, {.attempts = 0}), once::invalid_argument);
}

TEST_CASE("what the change of modify throws comes out", "[repository][versions]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<counter> const counters{"shop.counters"};
    pqxx::work tx{connection};
    auto const first = counters.insert(tx, {.name = "a"}).row;
    CHECK_THROWS_AS(counters.modify(tx, "a", [](counter&) { throw std::out_of_range{"no"}; }),
                    std::out_of_range);
    CHECK(counters.find(tx, "a").value().version == first.version);
}

TEST_CASE(
    "a copy of a row that was erased and inserted again is stale, also when another service inserted it",
    "[repository][versions]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<counter> const counters{"shop.counters"};
    pqxx::work tx{connection};
    bool const enforced = GENERATE(false, true);
    if (enforced) {
        tx.exec("select once.enforce_version('shop.counters')");
    }
    auto alice = counters.insert(tx, {.name = "a", .value = 1}).row;
    for (int i = 0; i < 3; ++i) { // the copy may have any version that the row ever had
        alice = std::get<once::updated<counter>>(counters.update(tx, alice)).row;
    }
    CHECK(std::holds_alternative<once::erased>(counters.erase(tx, alice)));
    if (enforced) { // a service without the library, that begins with 1
        tx.exec("insert into shop.counters values ('a', 2, 1)");
        for (int i = 0; i < 3; ++i) {
            tx.exec("update shop.counters set version = version + 1");
        }
    } else {
        CHECK(counters.insert(tx, {.name = "a", .value = 2, .version = alice.version}).inserted);
    }
    alice.value = 3;
    CHECK(std::holds_alternative<once::stale<counter>>(counters.update(tx, alice)));
    CHECK(std::holds_alternative<once::stale<counter>>(counters.erase(tx, alice)));
    CHECK(counters.find(tx, "a").value().value == 2);
}

TEST_CASE("first versions fit into the numbers of JavaScript", "[repository][versions]") {
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<counter> const counters{"shop.counters"};
    pqxx::work tx{connection};
    CHECK(counters.insert(tx, {.name = "a"}).row.version < std::int64_t{1} << 53);
}

TEST_CASE("a write that a policy or a trigger suppresses is an error that names them, and is not repeated",
          "[repository][versions]") {
    std::string const suppress = GENERATE(values<std::string>({
        "create function shop.no() returns trigger language plpgsql as 'begin return null; end';"
        "create trigger no before update or delete on shop.counters for each row execute function shop.no()",
        "alter table shop.counters enable row level security; grant usage on schema shop to public;"
        "grant select, update, delete on shop.counters to public;"
        "create policy look on shop.counters for select using (true);"
        "set local role pg_read_all_settings",
    }));
    CAPTURE(suppress);
    shop_database const database;
    pqxx::connection connection{database.dsn()};
    once::repository<counter> const counters{"shop.counters"};
    pqxx::work tx{connection};
    auto const row = counters.insert(tx, {.name = "a"}).row;
    tx.exec(suppress);
    int runs = 0;
    auto const says_why = [](auto&& act) {
        using Catch::Matchers::ContainsSubstring;
        try {
            act();
            FAIL("no error");
        } catch (once::error const& refused) {
            CHECK_THAT(refused.what(), ContainsSubstring("shop.counters") &&
                                           ContainsSubstring("row security policy") &&
                                           ContainsSubstring("trigger"));
        }
    };
    says_why([&] { static_cast<void>(counters.update(tx, row)); });
    says_why([&] { static_cast<void>(counters.erase(tx, row)); });
    says_why([&] { static_cast<void>(counters.modify(tx, "a", [&](counter&) { ++runs; })); });
    CHECK(runs == 1);
}
