// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// Rows that are inserted once, and updates that notice that somebody else was faster.
//
//     ./03_repository "dbname=shop"
#include <once/once.hpp>

#include "own_schema.hpp"

#include <pqxx/pqxx>

#include <iostream>
#include <variant>

// [region: mapping]
struct order {
    std::int64_t id{};
    std::string number{};
    std::string item{};
    std::int64_t pieces{1};
    std::int64_t version{1};
};

template <>
struct once::mapping<order> {
    static constexpr auto columns =
        once::columns(once::generated_id("id", &order::id), once::column("number", &order::number),
                      once::column("item", &order::item), once::column("pieces", &order::pieces),
                      once::version("version", &order::version));
    // insert dedups by it: the table has a unique constraint on exactly this column
    static constexpr auto unique = once::unique("number");
};
// [endregion]

namespace {

constexpr auto table = R"sql(
    create table if not exists numbered_order (
        id      bigint generated always as identity primary key,
        number  text   not null unique,
        item    text   not null,
        pieces  bigint not null check (pieces > 0),
        version bigint not null default 1
    ))sql";

std::string describe(order const& row) {
    return row.number + ": " + std::to_string(row.pieces) + " x " + row.item + ", version " +
           std::to_string(row.version);
}

// [region: update]
std::string write(once::repository<order> const& orders, pqxx::transaction_base& tx, order const& wanted) {
    auto const result = orders.update(tx, wanted);
    if (auto const* const done = std::get_if<once::updated<order>>(&result)) {
        return "updated  " + describe(done->row);
    }
    if (auto const* const newer = std::get_if<once::stale<order>>(&result)) {
        return "stale    " + describe(newer->current); // show it, or decide again from this row
    }
    return "missing";
}
// [endregion]

} // namespace

int main(int argc, char** argv) try {
    once::database db{in_own_schema(argc > 1 ? argv[1] : "", "03")};
    once::repository<order> const orders{"numbered_order"};
    bool fine = true;
    auto const expect = [&fine](bool const truth) { fine = fine && truth; };

    once::transact(db, [&](once::transaction& tx) {
        tx.exec(table);
        tx.exec("delete from numbered_order");
    }).expect_committed();

    order first;
    once::transact(db, [&](once::transaction& tx) {
        // [region: insert]
        auto const [placed, inserted] = orders.insert(tx, order{.number = "A-17", .item = "tea"});
        auto const again = orders.insert(tx, order{.number = "A-17", .item = "coffee"});
        // inserted is true, again.inserted is false, and again.row is the tea
        // [endregion]
        std::cout << (inserted ? "inserted " : "found    ") << describe(placed) << '\n'
                  << (again.inserted ? "inserted " : "found    ") << describe(again.row) << '\n';
        expect(inserted && !again.inserted && again.row.item == "tea");
        first = placed;
    }).expect_committed();

    // Two people opened the order in the same state, and both save.
    auto alice = first;
    auto bob = first;
    alice.pieces = 2;
    bob.pieces = 3;
    for (auto const* const one : {&alice, &bob}) {
        once::transact(db, [&](once::transaction& tx) {
            auto const answer = write(orders, tx, *one);
            std::cout << answer << '\n';
            expect(answer == (one == &alice ? "updated  A-17: 2 x tea, version 2"
                                            : "stale    A-17: 2 x tea, version 2"));
        }).expect_committed();
    }

    once::transact(db, [&](once::transaction& tx) {
        // [region: modify]
        auto const result = orders.modify(tx, first.id, [](order& row) { row.pieces += 10; });
        // [endregion]
        auto const* const done = std::get_if<once::modified<order>>(&result);
        std::cout << (done != nullptr ? "modified " + describe(done->row) : "not modified") << '\n';
        expect(done != nullptr && done->row.pieces == 12 && done->row.version == 3);
    }).expect_committed();

    once::transact(db, [&](once::transaction& tx) {
        auto const gone = orders.erase(tx, first.id, 3);
        expect(std::holds_alternative<once::erased>(gone));
        auto const answer = write(orders, tx, alice);
        std::cout << answer << '\n';
        expect(answer == "missing");
    }).expect_committed();
    return fine ? 0 : 1;
} catch (std::exception const& e) {
    std::cerr << e.what() << '\n';
    return 1;
}
