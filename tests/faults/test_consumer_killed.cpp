// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "faults/fault_sweep.hpp"
#include "faults/ledger.hpp"
#include "faults/side_by_side.hpp"
#include "support/child_process.hpp"
#include "support/effects.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <string>
#include <sys/types.h>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

constexpr int message_count = 7; // two batches

/// A subscription of its own, with messages of its own, some of one key.
void prepare(workload_database const& db, std::string const& name) {
    run(db.dsn(), "select once.subscribe('" + name + "', array['" + name +
                      "'], p_backoff_base => '1 millisecond', p_backoff_cap => '1 millisecond')");
    run(db.dsn(), "select once.publish('" + name +
                      "', case when n % 2 = 0 then 'k' end, p_bytes => n::text::bytea) "
                      "from generate_series(1, " +
                      std::to_string(message_count) + ") as n");
}

std::vector<std::string> command(std::string const& dsn, workload_database const& db,
                                 std::string const& name) {
    return {ONCE_FAULT_CONSUMER, dsn, db.dsn(), name, std::to_string(message_count)};
}

/// What is wrong with the effects of a subscription; nothing is good.
std::string complaints_about(workload_database const& db, std::string const& name) {
    auto const effects =
        ask(db.dsn(),
            "select count(*) || ' ' || count(distinct key) from effect where key like '" + name + " %'");
    auto const order =
        ask(db.dsn(), "select string_agg(n, '' order by id) from (select id, split_part(key, ' ', 2) as n "
                      "from effect where key like '" +
                          name + " %') as e where n::int % 2 = 0");
    std::string made;
    if (effects != std::to_string(message_count) + " " + std::to_string(message_count)) {
        made += name + ": effects and different ones: " + effects + '\n';
    }
    if (order != "246") {
        made += name + ": the key came in the order " + order + '\n';
    }
    return made;
}

/// So that nobody has to wait for the end of a dead holder's lease.
void expire_lease(workload_database const& db, std::string const& name) {
    run(db.dsn(),
        "update once.lease set acquired_at = acquired_at - interval '1 hour', renewed_at = acquired_at - "
        "interval '1 hour', expires_at = clock_timestamp() - interval '1 second' where name = "
        "'subscription/" +
            name + "/0' and released_at is null");
}

struct kill_point {
    wire_direction direction;
    int index;
};

std::vector<kill_point> places(workload_database const& db, std::string const& prefix) {
    auto const name = prefix + "probe";
    prepare(db, name);
    wire_proxy proxy{db.upstream()};
    REQUIRE(child_process{command(db.through(proxy), db, name)}.wait().succeeded());
    REQUIRE(proxy.wait_closed(1));
    CHECK(complaints_about(db, name) == "");
    std::vector<kill_point> made;
    bool begun = false;
    int number = 0;
    for (auto const& e : proxy.trace(1)) {
        begun = begun || e.sql.find("acquire_lease") != std::string::npos;
        if (begun && e.type != 'X' && (++number % 4 == 0 || take_long())) {
            made.push_back({e.direction, e.index});
        }
    }
    return made;
}

std::string run_one(workload_database const& db, std::string const& prefix, kill_point const& where,
                    std::atomic<int>& killed) {
    std::string const name =
        prefix + (where.direction == wire_direction::to_server ? "s" : "c") + std::to_string(where.index);
    prepare(db, name);
    {
        wire_proxy proxy{db.upstream()};
        auto const what = where.direction == wire_direction::to_server ? act::cut_after() : act::forward();
        auto const death = proxy.add(at(1, where.direction, where.index, what).doing([](event const& e) {
            ::kill(e.client_pid, SIGKILL);
        }));
        auto const ending = child_process{command(db.through(proxy), db, name)}.wait();
        killed += ending.killed();
        if (!ending.killed() && !ending.succeeded()) {
            return name + ": the consumer said " + ending.output + '\n';
        }
    }
    expire_lease(db, name);
    auto const again = child_process{command(db.dsn(), db, name)}.wait();
    return (again.succeeded() ? std::string{} : name + ": the second run said " + again.output + '\n') +
           complaints_about(db, name);
}

} // namespace

TEST_CASE("a consumer killed at any message has each effect once after a second run", "[faults][consumer]") {
    // In order, or while messages of a key catch up behind one that has failed.
    std::string const prefix = GENERATE("", "late-");
    CAPTURE(prefix);
    workload_database const db;
    auto const todo = places(db, prefix);
    std::atomic<int> killed = 0;
    auto const complaints = side_by_side(todo.size(), [&] {
        return [&](std::size_t number) { return run_one(db, prefix, todo[number], killed); };
    });
    std::printf("consumers killed: %d of %zu\n", killed.load(), todo.size());
    CHECK(todo.size() >= 15);
    // Messages at the end may not come in every run.
    CHECK(killed * 2 > static_cast<int>(todo.size()));
    CHECK(complaints == "");
}

TEST_CASE("a consumer that is stopped and wakes up after a takeover changes nothing", "[faults][consumer]") {
    workload_database const db;
    for (auto const* const where : {"insert into effect", "acknowledge", "commit"}) {
        std::string const name = std::string{"zombie-"} + where[0];
        INFO(where);
        prepare(db, name);
        wire_proxy proxy{db.upstream()};
        std::atomic<pid_t> stopped = 0;
        // Held back with the process: what it has sent would take effect without it.
        auto const stop = proxy.add(at_sql(where, act::hold()).doing([&](event const& e) {
            ::kill(e.client_pid, SIGSTOP);
            stopped = e.client_pid;
        }));
        child_process zombie{command(db.through(proxy), db, name)};
        REQUIRE(stop.wait_fired(30s));
        // Its lease of 3 seconds runs out; the next one takes over and does all of it.
        auto const next = child_process{command(db.dsn(), db, name)}.wait();
        CHECK(next.succeeded());
        CHECK(complaints_about(db, name) == "");
        ::kill(stopped, SIGCONT);
        proxy.release();
        auto const ending = zombie.wait();
        CHECK(ending.succeeded());
        CHECK(complaints_about(db, name) == "");
        CHECK(ask(db.dsn(), "select count(*) from once.parked_message where subscription = '" + name + "'") ==
              "0");
    }
}
