// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/token.hpp>

#include "faults/ledger.hpp"
#include "support/child_process.hpp"
#include "support/wire_proxy.hpp"

#include <catch2/catch_test_macros.hpp>

#include <csignal>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

struct place {
    wire_direction direction;
    int index;
};

std::vector<std::string> redeem(std::string const& dsn, std::string const& how, std::string const& token,
                                std::string const& key) {
    return {ONCE_LEASE_CLIENT, dsn, "redeem", how, token, key};
}

std::string issue(workload_database const& where) {
    once::database db{where.dsn()};
    return once::issue_token(db, {.principal = "alice", .purpose = "pay"});
}

/// Every message of the redemption's own.
std::vector<place> places(workload_database const& where, std::string const& how) {
    wire_proxy proxy{where.upstream()};
    REQUIRE(
        child_process{redeem(where.through(proxy), how, issue(where), "probe " + how)}.wait().succeeded());
    REQUIRE(proxy.wait_closed(1));
    std::vector<place> made;
    bool begun = false;
    for (auto const& e : proxy.trace(1)) {
        begun = begun || e.sql.starts_with("begin");
        if (begun && e.type != 'X') {
            made.push_back({e.direction, e.index});
        }
    }
    return made;
}

} // namespace

TEST_CASE("a client killed at any message of a redemption has redeemed once after a second run",
          "[faults][token]") {
    workload_database const where;
    ledger book{where.dsn()};
    int count = 0;
    int committed = 0;
    for (std::string const how : {"callback", "statements"}) {
        for (auto const& one : places(where, how)) {
            auto const key = "kill " + std::to_string(++count);
            INFO(key << ": " << how << ", "
                     << (one.direction == wire_direction::to_server ? "to server " : "to client ")
                     << one.index);
            auto const token = issue(where);
            {
                wire_proxy proxy{where.upstream()};
                auto const what =
                    one.direction == wire_direction::to_server ? act::cut_after() : act::forward();
                auto const death = proxy.add(at(1, one.direction, one.index, what).doing([](event const& e) {
                    ::kill(e.client_pid, SIGKILL);
                }));
                CHECK(child_process{redeem(where.through(proxy), how, token, key)}.wait().killed());
                CHECK(death.wait_fired());
            }
            child_process again{redeem(where.dsn(), how, token, key)};
            auto const outcome = again.read_line();
            auto const answer = again.read_line();
            CHECK(again.wait().succeeded());
            CHECK((outcome == "done" || outcome == "replayed"));
            CHECK(answer.find(key) != std::string::npos);
            CHECK(book.value("select count(*) from effect where key = '" + key + "'") == "1");
            committed += outcome == "replayed";
        }
    }
    std::printf("redeeming clients killed: %d, of which %d had committed\n", count, committed);
    CHECK(count > 20);
    CHECK(committed > 0);
    CHECK(book.value("select count(*) from once.token") == "0");
}
