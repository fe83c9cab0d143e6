// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/execute.hpp>
#include <once/lease.hpp>

#include "faults/ledger.hpp"
#include "faults/server_pair.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

once::fence acquire(once::database& db, std::string const& name) {
    return std::get<once::lease>(once::acquire(db, name, 10min)).fence(); // and gives it back
}

constexpr std::int64_t counter_of(std::int64_t fence) {
    return fence & ((std::int64_t{1} << 40) - 1);
}

} // namespace

TEST_CASE("fences grow over a failover that lost some", "[faults][failover][lease]") {
    private_servers servers;
    servers.start_primary("one");
    servers.start_standby("two", "one");
    once::database old_primary{servers.dsn("one")};
    auto const replicated = acquire(old_primary, "job");
    ledger standby{servers.dsn("two")};
    REQUIRE(wait_until([&] {
        return standby.value("select fence from once.lease where name = 'job' and released_at is not null") ==
               std::to_string(replicated.number);
    }));
    servers.cut_off("two");

    // These are committed, acknowledged, and lost: of a lease that the standby knows, and of one that it does not.
    once::fence lost{};
    once::fence lost_new{};
    for (int i = 0; i < 5; ++i) {
        lost = acquire(old_primary, "job");
        lost_new = acquire(old_primary, "new");
    }
    auto const holder = std::get<once::lease>(once::acquire(old_primary, "job", 10min)).detach();
    REQUIRE(standby.value("select pg_promote(true, 60)") == "t");

    once::database new_primary{servers.dsn("two")};
    auto const next = acquire(new_primary, "job");
    auto const next_new = acquire(new_primary, "new");
    CHECK(next.number > holder.number);
    CHECK(next_new.number > lost_new.number);
    // The counter alone would have gone back: that is what the timeline in front of it is for.
    CHECK(counter_of(next.number) <= counter_of(lost.number));
    CHECK(counter_of(next_new.number) <= counter_of(lost_new.number));
    CHECK(standby.value("select timeline_and_counter from once.lease_readable where name = 'job'")
              .starts_with("2/"));

    // Who acquired what was lost is refused.
    for (auto const& fence : {lost, lost_new, holder, replicated}) {
        CHECK(once::transact(new_primary, [](once::transaction&) {}, {.fence = fence}).lease_lost());
    }
}
