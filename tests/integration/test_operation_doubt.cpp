// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "integration/operations.hpp"
#include "support/wire_proxy.hpp"

#include <catch2/catch_test_macros.hpp>

#include <string>
#include <vector>

using namespace once::testing;
using enum once::operation_outcome;
using once::running_operation;

namespace {

/// Runs a booking whose connection is cut at one COMMIT of it; @return how many COMMITs were seen before that.
void cut_at_commit(once::effect how, int number, bool before) {
    INFO(to_string(how) << ", COMMIT " << number
                        << (before ? " does not arrive" : " is carried out, the reply lost"));
    operations_database const server;
    wire_proxy proxy{server.upstream()};
    auto rule = before ? at_sql("commit", act::cut()) : at_tag("COMMIT", act::cut());
    rule.skip(number);
    auto const cut = proxy.add(rule);
    once::database db{server.through(proxy)};
    fake_provider provider;
    auto const book = booking(how, provider);
    auto const made = book.run(db, request_of("k"));
    CHECK(cut.fired() == 1);
    REQUIRE(made.outcome == done);
    CHECK(provider.calls() == 1);
    CHECK(server.effects("reserve") == 1);
    CHECK(server.effects("confirm") == 1);
    auto const repeat = book.run(db, request_of("k"));
    CHECK(repeat.outcome == replayed);
    CHECK(repeat.response == made.response);
}

} // namespace

TEST_CASE("a lost answer to any COMMIT of an operation is found out, and no call is repeated",
          "[operation]") {
    // begin, reserve, charge, confirm
    for (auto const how : {once::effect::idempotent_remote, once::effect::at_most_once}) {
        for (int number = 0; number < 4; ++number) {
            cut_at_commit(how, number, true);
            cut_at_commit(how, number, false);
        }
    }
}

TEST_CASE("a COMMIT that arrives after its owner has asked where it stands is refused", "[operation]") {
    operations_database const server;
    wire_proxy proxy{server.upstream()};
    // The connection breaks for the client while the COMMIT of `reserve` is on its way.
    auto held = at_sql("advance_operation", act::close_client_keep_server());
    auto const zombie = proxy.add(held);
    once::database db{server.through(proxy)};
    fake_provider provider;
    CHECK(booking(once::effect::at_most_once, provider).run(db, request_of("k")).outcome == done);
    CHECK(zombie.fired() == 1);
    proxy.release_held();
    CHECK(server.effects("reserve") == 1);
    CHECK(server.effects("confirm") == 1);
    CHECK(provider.calls() == 1);
}
