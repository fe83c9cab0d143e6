// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "faults/fault_sweep.hpp"
#include "faults/ledger.hpp"
#include "faults/side_by_side.hpp"
#include "faults/workload.hpp"
#include "support/child_process.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <string>
#include <sys/types.h>
#include <vector>

using namespace once::testing;

namespace {

struct kill_at {
    form how;
    wire_direction direction;
    int index;
};

std::vector<std::string> command(std::string const& dsn, form how, std::string const& key) {
    return {ONCE_FAULT_CLIENT, dsn, to_string(how), key};
}

/// Every message of the request's own; of connecting, where nothing can be lost, only some.
std::vector<kill_at> places(workload_database const& db, form how) {
    std::string const key = "probe-" + to_string(how);
    ledger{db.dsn()}.open_account(key);
    wire_proxy proxy{db.upstream()};
    REQUIRE(child_process{command(db.through(proxy), how, key)}.wait().succeeded());
    REQUIRE(proxy.wait_closed(1));
    std::vector<kill_at> made;
    bool begun = false;
    for (auto const& e : proxy.trace(1)) {
        begun = begun || e.sql.starts_with("begin");
        bool const farewell = e.type == 'X'; // sent when the program's work is done
        if (!farewell && (begun || e.index % 8 == 0 || take_long())) {
            made.push_back({how, e.direction, e.index});
        }
    }
    return made;
}

/// @return complaints
std::string run_one(workload_database const& db, kill_at const& where, ledger& book,
                    std::atomic<int>& committed) {
    std::string const key = "kill-" + to_string(where.how) +
                            (where.direction == wire_direction::to_server ? "-s" : "-c") +
                            std::to_string(where.index);
    book.open_account(key);
    std::string complaints;
    auto const expect = [&](bool good, std::string const& what) {
        if (!good) {
            complaints += key + ": " + what + '\n';
        }
    };
    {
        wire_proxy proxy{db.upstream()};
        // What the client has sent in one go would arrive whole, so the stream is cut behind the message, too.
        auto const what = where.direction == wire_direction::to_server ? act::cut_after() : act::forward();
        auto const death = proxy.add(at(1, where.direction, where.index, what).doing([](event const& e) {
            ::kill(e.client_pid, SIGKILL);
        }));
        auto const ending = child_process{command(db.through(proxy), where.how, key)}.wait();
        expect(death.wait_fired(), "the client was not killed"); // it may be dead before that is counted
        expect(ending.killed(), "the client ended by itself and said " + ending.output);
    }
    auto const again = child_process{command(db.dsn(), where.how, key)}.wait();
    auto const line = again.output.find('\n');
    auto const outcome = again.output.substr(0, line);
    auto const entry = book.entry(key);
    expect(outcome == "done" || outcome == "replayed", "the second run said " + again.output);
    expect(entry.effects == 1, std::to_string(entry.effects) + " effects");
    expect(entry.balance == 1, "balance " + std::to_string(entry.balance));
    expect(line != std::string::npos && again.output.substr(line + 1) == entry.stored,
           "the second run printed another answer than the stored one");
    committed += outcome == "replayed";
    return complaints;
}

} // namespace

TEST_CASE("a client killed at any message has done its work once after a second run", "[faults][client]") {
    workload_database const db;
    auto todo = places(db, form::callback);
    auto const more = places(db, form::statements);
    todo.insert(todo.end(), more.begin(), more.end());

    std::atomic<int> committed = 0;
    auto const complaints = side_by_side(todo.size(), [&] {
        return [&, book = ledger{db.dsn()}](std::size_t number) mutable {
            return run_one(db, todo[number], book, committed);
        };
    });
    std::printf("clients killed: %zu, of which %d had committed\n", todo.size(), committed.load());
    CHECK(todo.size() > 100);
    CHECK(committed > 0);
    CHECK(complaints == "");
}
