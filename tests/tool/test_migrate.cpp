// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/migrations.hpp>

#include "command.hpp"
#include "exit_status.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <future>
#include <string>
#include <vector>

using once::testing::command_database;
using once::testing::command_result;
using once::testing::empty_database;
namespace exit_status = once::command::exit_status;

namespace {

/// The same command at once, as several pods of one deployment run it.
std::vector<command_result> at_once(command_database<empty_database> const& db,
                                    std::vector<std::string> const& words, int pods) {
    std::vector<std::future<command_result>> running;
    for (int pod = 0; pod < pods; ++pod) {
        running.push_back(std::async(std::launch::async, [&] { return db.run(words); }));
    }
    std::vector<command_result> done;
    for (auto& one : running) {
        done.push_back(one.get());
    }
    return done;
}

/// How many of them say that they ran this file.
std::ptrdiff_t ran(std::vector<command_result> const& pods, std::string const& file) {
    return std::ranges::count_if(pods, [&](command_result const& pod) { return pod.says(file); });
}

} // namespace

TEST_CASE("several pods migrate at once: each file is applied by one of them, and none fails", "[command]") {
    command_database<empty_database> const db;
    auto const newest = std::to_string(once::migrations().back().version);
    for (int round = 0; round < 3; ++round) {
        auto const up = at_once(db, {"migrate", "up", "--create-schema"}, 4);
        for (auto const& pod : up) {
            INFO(pod.out << pod.err);
            CHECK(pod.status == exit_status::ok);
            CHECK(pod.says("the schema is at version " + newest));
        }
        for (auto const& step : once::migrations()) {
            CHECK(ran(up, std::string{step.name} + ".up.sql") == 1);
        }
        CHECK(db.run({"migrate", "status"}).status == exit_status::ok);

        auto const down = at_once(db, {"migrate", "down", "--to", "0", "--yes"}, 4);
        for (auto const& pod : down) {
            INFO(pod.out << pod.err);
            CHECK(pod.status == exit_status::ok);
            CHECK(pod.says("the schema is at version 0"));
        }
        for (auto const& step : once::migrations()) {
            CHECK(ran(down, std::string{step.name} + ".down.sql") == 1);
        }
        if (round == 1) { // the next one makes the schema, too
            db.sql("drop schema once");
        }
    }
}
