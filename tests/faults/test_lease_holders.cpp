// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/lease.hpp>

#include "faults/fault_sweep.hpp"
#include "faults/ledger.hpp"
#include "support/child_process.hpp"
#include "support/seed.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <variant>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

std::string state_of(ledger& book, std::string const& name) {
    return book.value("select state from once.lease_readable where name = '" + name + "'");
}

constexpr auto piece_table =
    "create table piece (id bigint generated always as identity primary key, round text not null, "
    "fence bigint not null, worker text not null, step integer not null, seen integer not null)";

/// Complaints about the pieces of one round: committed although there was a newer holder, or of two under one fence.
constexpr auto two_holders = R"sql(
    select coalesce(string_agg(format('%s under fence %s, step %s', worker, fence, step), E'\n'), '')
    from piece as p
    where round = '$'
      and (seen <> (select count(*) from piece as o where o.round = p.round and o.fence < p.fence)
           or exists (select from piece as o where o.round = p.round and o.fence = p.fence
                and o.worker <> p.worker)))sql";

std::string with(std::string text, std::string const& round) {
    for (auto at = text.find('$'); at != std::string::npos; at = text.find('$')) {
        text.replace(at, 1, round);
    }
    return text;
}

} // namespace

TEST_CASE("a holder that was paused past the end of its lease cannot write", "[faults][lease]") {
    for (bool const somebody_took_it : {true, false}) {
        INFO("somebody took the lease meanwhile: " << somebody_took_it);
        workload_database const where;
        ledger book{where.dsn()};
        child_process holder{{ONCE_LEASE_CLIENT, where.dsn(), "pause", "300"}};
        REQUIRE(holder.read_line() == "acquired");
        holder.signal(SIGSTOP);
        REQUIRE(wait_until([&] { return state_of(book, "job") == "expired"; }));
        once::database db{where.dsn()};
        if (somebody_took_it) {
            auto taken = std::get<once::lease>(once::acquire(db, "job", 10min));
            CHECK(taken.taken_over());
            taken.detach();
        }
        holder.write_line("go on");
        holder.signal(SIGCONT);
        CHECK(holder.read_line() == "trusted no");
        CHECK(holder.read_line() == "execute lease_lost");
        CHECK(holder.read_line() == "statements lease_lost");
        CHECK(holder.read_line() == "transact lease_lost");
        CHECK(holder.read_line() == "borrowed ON010");
        // A lease that nobody took is renewed: it was not needed meanwhile, and now it is held again.
        CHECK(holder.read_line() == (somebody_took_it ? "renewed no" : "renewed yes"));
        CHECK(holder.read_line() == (somebody_took_it ? "released no" : "released yes"));
        CHECK(holder.wait().succeeded());
        CHECK(book.value("select count(*) from effect") == "0");
        CHECK(state_of(book, "job") == (somebody_took_it ? "held" : "released"));
    }
}

TEST_CASE("two processes never hold one lease, whichever is killed or paused when", "[faults][lease]") {
    workload_database const where;
    ledger book{where.dsn()};
    book.value(std::string{piece_table} + "; select ''");
    std::mt19937_64 random{seed()};
    int const rounds = take_long() ? 1'000 : 25;
    int killed = 0;
    int paused = 0;
    for (int i = 0; i < rounds; ++i) {
        auto const round = std::to_string(i);
        INFO("round " << round);
        auto const lease = "round " + round;
        auto const pieces = [&] {
            return std::stoi(book.value(with("select count(*) from piece where round = '$'", round)));
        };
        std::vector<std::unique_ptr<child_process>> workers;
        for (std::string const name : {"a", "b", "c"}) {
            workers.push_back(std::make_unique<child_process>(
                std::vector<std::string>{ONCE_LEASE_CLIENT, where.dsn(), "round", round,
                                         std::string{round}.append("-").append(name)}));
        }
        // One is killed and one is paused; each when so many pieces are written, so often while it holds the lease.
        auto const first = static_cast<std::size_t>(random() % 3);
        auto const second = (first + 1 + static_cast<std::size_t>(random() % 2)) % 3;
        auto const when = static_cast<int>(random() % 4);
        REQUIRE(wait_until([&] { return pieces() >= when; }));
        auto const holder =
            book.value("select holder from once.lease where name = '" + lease + "' and released_at is null");
        workers[first]->signal(SIGKILL);
        workers[second]->signal(SIGSTOP);
        killed += holder == round + "-" + std::string(1, static_cast<char>('a' + first));
        paused += holder == round + "-" + std::string(1, static_cast<char>('a' + second));
        // The third one gets through alone, over whatever the others left.
        auto const third = 3 - first - second;
        CHECK(workers[third]->wait().succeeded());
        workers[second]->signal(SIGCONT);
        CHECK(workers[second]->wait().succeeded());
        CHECK(book.value(with(two_holders, round)) == "");
        CHECK(pieces() >= 6);
        CHECK(state_of(book, lease) == "released");
    }
    std::printf("rounds: %d; killed while holding: %d, paused while holding: %d\n", rounds, killed, paused);
    CHECK(killed + paused > 0);
}

TEST_CASE("a client whose clock is wrong by hours holds its lease as long as all others", "[faults][lease]") {
    std::string const faketime = "/usr/bin/faketime";
    if (!std::filesystem::exists(faketime)) {
        SKIP("NO FAKETIME: /usr/bin/faketime is not installed; tools/dev/dependencies installs it as root");
    }
    workload_database const where;
    ledger book{where.dsn()};
    for (std::string const offset : {"+2h", "-2h", "+3650d"}) {
        INFO(offset);
        // Both faketime and AddressSanitizer want to be loaded first; this lets the latter come second.
        child_process client{{"/usr/bin/env", "ASAN_OPTIONS=verify_asan_link_order=0", faketime,
                              "--exclude-monotonic", "-f", offset, ONCE_LEASE_CLIENT, where.dsn(), "hold",
                              "60000"}};
        auto const trusted = std::stoi(client.read_line());
        CHECK(client.wait().succeeded());
        CHECK(trusted > 20'000);
        CHECK(trusted <= 54'000);
        CHECK(
            book.value(
                "select expires_at - acquired_at = interval '60 s' and acquired_at between clock_timestamp() "
                "- interval '60 s' and clock_timestamp() from once.lease where name = 'clock'") == "t");
        once::database db{where.dsn()};
        CHECK(std::holds_alternative<once::held>(once::acquire(db, "clock", 1min)));
        book.value("select once.release_lease('clock', fence) from once.lease where name = 'clock'");
    }
}
