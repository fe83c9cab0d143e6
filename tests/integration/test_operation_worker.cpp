// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/operation_worker.hpp>

#include "integration/operations.hpp"

#include <catch2/catch_test_macros.hpp>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using namespace once::testing;
using once::operation;
using once::operation_summary;
using once::operation_worker;
using once::response;
using once::running_operation;
using once::transaction;

TEST_CASE("a worker completes what others have left, and only what it knows", "[operation]") {
    operations_database const server;
    once::database db{server.dsn()};
    fake_provider provider;
    auto const fails = booking(once::effect::idempotent_remote, provider,
                               [](running_operation&) { throw std::runtime_error{"no reply"}; });
    for (int i = 0; i < 5; ++i) {
        CHECK_THROWS(fails.run(db, request_of(std::to_string(i))));
    }
    operation const other{
        "other", {once::in_database("end", [](transaction&, running_operation&) -> response { return {}; })}};
    CHECK(operation_worker{db, {other}}.run_once() == operation_summary{});
    auto const book = booking(once::effect::idempotent_remote, provider);
    CHECK(operation_worker{db, {other, book}, {.batch = 2}}.run_once() ==
          operation_summary{.taken = 2, .done = 2});
    std::vector<std::string> lines;
    once::operation_worker_options const logging{
        .batch = 1, .log = [&](std::string_view line) { lines.emplace_back(line); }};
    CHECK(operation_worker{db, {fails}, logging}.run_once() == operation_summary{.taken = 1, .retried = 1});
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find("no reply") != std::string::npos);
    CHECK(operation_worker{db, {book}}.run_once() == operation_summary{.taken = 3, .done = 3});
    CHECK(server.effects("reserve") == 5);
    CHECK(server.effects("confirm") == 5);
    CHECK(provider.charges() == 5);
    CHECK(server.ask("select count(*) from once.operation where state = 'finished'") == "5");
}

TEST_CASE("an operation worker whose log throws goes on", "[operation]") {
    operations_database const server;
    once::database db{server.dsn()};
    fake_provider provider;
    auto const fails = booking(once::effect::idempotent_remote, provider,
                               [](running_operation&) { throw std::runtime_error{"no reply"}; });
    CHECK_THROWS(fails.run(db, request_of("k")));
    int lines = 0;
    once::operation_worker_options const logging{.log = [&](std::string_view) {
        ++lines;
        throw std::runtime_error{"the log is full"};
    }};
    CHECK(operation_worker{db, {fails}, logging}.run_once().retried > 0);
    CHECK(lines > 0);
}
