// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "support/database.hpp"
#include "support/readers.hpp"
#include "support/seed.hpp"
#include "support/storm.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>

#include <map>
#include <string>

using namespace once::testing;

namespace {

struct stormy : test_database {
    session db{dsn()};
    storm weather{dsn(), 12, seed()};

    stormy() {
        prepare_storm(db);
        prepare_wrong_readers(db);
    }
};

} // namespace

TEST_CASE("every committed message is read once and in the order of its key, whatever transactions do",
          "[outbox][storm]") {
    stormy here;
    INFO("ONCE_SEED=" << seed());
    here.db.run("select subscribe('one', p_from => 'beginning'), subscribe('sliced', p_slices => 2)");
    auto const one = here.weather.add(right_reader("one", seed()));
    auto const slice_0 = here.weather.add(right_reader("sliced", seed() + 1, 0));
    auto const slice_1 = here.weather.add(right_reader("sliced", seed() + 2, 1));
    here.weather.blow(long_form() ? 100'000 : 2'500);
    here.weather.drain();

    auto const found = here.weather.judge(one);
    INFO(to_string(found));
    CHECK(found.expected >= (long_form() ? 100'000 : 2'500));
    CHECK(found.clean());

    // Together the slices get everything, each key in one of them.
    CHECK(here.weather.delivered(slice_0) + here.weather.delivered(slice_1) == found.expected);
    for (auto const slice : {slice_0, slice_1}) {
        auto const part = here.weather.judge(slice);
        INFO(to_string(part));
        CHECK(part.phantom + part.repeated + part.disorder == 0);
        CHECK(here.weather.delivered(slice) > 0);
    }
}

TEST_CASE("the same storm catches readers by id, by transaction id, by time, and with a bound read too late",
          "[outbox][storm][mutant]") {
    stormy here;
    INFO("ONCE_SEED=" << seed());
    here.db.run("select subscribe('right', p_from => 'beginning')");
    auto const right = here.weather.add(right_reader("right", seed()));
    std::map<std::string, std::size_t> wrong;
    for (auto const* design : {"by_id", "by_xid", "early_bound", "by_time"}) {
        wrong[design] = here.weather.add(wrong_reader(design));
    }
    auto const caught = [&](std::string const& design) {
        auto const found = here.weather.judge(wrong.at(design));
        UNSCOPED_INFO(design << ": " << to_string(found));
        // Each for what is wrong with it.
        return design == "by_xid" ? found.disorder > 0 && found.lost == 0 : found.lost > 0;
    };
    // A wrong design needs an unlucky moment, which comes early on most machines.
    auto all = false;
    for (int round = 0; round < 20 && !all; ++round) {
        here.weather.blow(1'500);
        here.weather.drain();
        all = true;
        for (auto const& [design, number] : wrong) {
            all = caught(design) && all;
        }
    }
    for (auto const& [design, number] : wrong) {
        INFO(design);
        CHECK(caught(design));
    }
    auto const found = here.weather.judge(right);
    INFO(to_string(found));
    CHECK(found.clean());
}

TEST_CASE("a transaction that is open all the time delays its own messages and no others",
          "[outbox][storm]") {
    stormy here;
    INFO("ONCE_SEED=" << seed());
    here.db.run("select subscribe('one', p_from => 'beginning')");
    session held{here.dsn()};
    held.run("begin; select stage(90); select stage(null)");
    session prepared{here.dsn()};
    prepared.run("begin; select stage(91); prepare transaction 'held_" + here.name() + "'");
    session snapshot{here.dsn()};
    snapshot.run("begin isolation level repeatable read; select count(*) from once.outbox");

    auto const one = here.weather.add(right_reader("one", seed()));
    here.weather.blow(long_form() ? 20'000 : 600);
    here.weather.drain();
    auto const meanwhile = here.weather.judge(one);
    INFO("while it is open: " << to_string(meanwhile));
    CHECK(meanwhile.clean());

    held.run("select stage(90); commit");
    prepared.run("commit prepared 'held_" + here.name() + "'");
    here.weather.drain();
    auto const afterwards = here.weather.judge(one);
    INFO("after its commit: " << to_string(afterwards));
    CHECK(afterwards.expected == meanwhile.expected + 4);
    CHECK(afterwards.clean());
}
