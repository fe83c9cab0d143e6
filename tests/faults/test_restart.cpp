// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "faults/server_pair.hpp"
#include "support/session.hpp"

#include <catch2/catch_test_macros.hpp>

#include <string>

using namespace once::testing;

// A checkpoint says which start of the server it was written under. Under that start nobody asks again whether the data
// are those of this cluster.

namespace {

std::string keys(batch const& some) {
    std::string all;
    for (int i = 0; i < some.size(); ++i) {
        all += some.rows[i][2].as<std::string>();
    }
    return all;
}

std::string const newest_is_of_this_start =
    "select server_started = pg_postmaster_start_time() from checkpoint where subscription = 's' "
    "order by number desc limit 1";

} // namespace

TEST_CASE("after a restart of the server a reader goes on where it stood, and every message comes once",
          "[faults][outbox]") {
    private_servers servers;
    servers.start_primary("p");
    std::string before;
    batch held;
    {
        session db{servers.dsn("p")};
        db.run("select subscribe('s', p_from => 'beginning')");
        for (auto const* const key : {"a", "b", "c", "d"}) {
            db.run("select publish('t', '" + std::string{key} + "', '1')");
        }
        // A window that is open, and a batch of it that is not acknowledged yet.
        auto const first = next_batch(db, "s", 2);
        before = keys(first);
        acknowledge(db, "s", first, first.rows[1][0].as<std::string>());
        held = next_batch(db, "s", 1);
        before += keys(held);
        CHECK(db.ask(newest_is_of_this_start) == "t");
        servers.crash("p");
    }
    servers.start_again("p");
    session db{servers.dsn("p")};
    CHECK(db.ask(newest_is_of_this_start) == "f");
    CHECK(next_batch(db, "s", 1).size() == 1); // a reader that has lost its batch gets it again
    acknowledge(db, "s", held, held.rows[0][0].as<std::string>());
    CHECK(db.ask(newest_is_of_this_start) == "t");
    db.run("select publish('t', 'e', '1')");
    for (int i = 0; i < 3; ++i) {
        auto const some = next_batch(db, "s", 10);
        before += keys(some);
        acknowledge(db, "s", some);
    }
    CHECK(before == "abcde");
}

TEST_CASE(
    "data that another server is started with are noticed at the first batch, and at an acknowledgement",
    "[faults][outbox]") {
    private_servers servers;
    servers.start_primary("p");
    batch held;
    {
        session db{servers.dsn("p")};
        db.run("select subscribe('s', p_from => 'beginning'); select publish('t', 'a', '1')");
        acknowledge(db, "s", next_batch(db, "s", 10));
        db.run("select publish('t', 'b', '1')");
        held = next_batch(db, "s", 10);
        // As a copy of the files of its tables looks to the server that they were copied to.
        db.run("update subscription set system_identifier = '1'");
        servers.crash("p");
    }
    servers.start_again("p");
    session db{servers.dsn("p")};
    CHECK(db.refused("select next_batch('s')") == "ON062");
    CHECK(db.refused("select acknowledge('s', 0, '" + held.token + "')") == "ON062");
    db.run("select * from rebase()");
    CHECK(keys(next_batch(db, "s", 10)) == "b");
}
