// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "smoke.hpp"

#include <cstdio>
#include <exception>

namespace once::bench {

namespace {

bool grew_by(row_counts const& before, row_counts const& after, row_counts const& each, std::int64_t jobs) {
    return after == row_counts{.orders = before.orders + each.orders * jobs,
                               .outbox = before.outbox + each.outbox * jobs,
                               .by_hand = before.by_hand + each.by_hand * jobs,
                               .records = before.records + each.records * jobs};
}

// Round trips of one job once everything is prepared.
double round_trips(variant const& variant, testbed const& bed, std::uint64_t seed) {
    constexpr int jobs = 20;
    testing::wire_proxy proxy{bed.upstream(), {.keep_trace = false}};
    auto const worker = variant.connect(bed.through(proxy));
    run_jobs(*worker, jobs, seed);
    proxy.reset_counters();
    run_jobs(*worker, jobs, seed + 1);
    return static_cast<double>(proxy.round_trips()) / jobs;
}

std::string fault_of(variant const& variant, testbed const& bed, std::uint64_t seed) {
    using namespace std::chrono_literals;
    for (bool const link : {false, true}) {
        auto const before = count_rows(bed.dsn());
        auto const done =
            sample_at({.link = link, .connections = 2}, variant, bed, 100ms, seed + (link ? 500 : 0));
        if (done.jobs == 0) {
            return "no job was done";
        }
        if (!grew_by(before, count_rows(bed.dsn()), variant.leaves, done.jobs_in_all)) {
            return "the tables do not hold one row for each job";
        }
    }
    auto const trips = round_trips(variant, bed, seed + 900);
    // A repeat's ROLLBACK may still be on its way when the count is taken.
    if (trips > variant.round_trips || trips < (variant.name == "replay" ? 1 : variant.round_trips)) {
        return "it takes " + std::to_string(trips) + " round trips instead of " +
               std::to_string(variant.round_trips);
    }
    return {};
}

} // namespace

int smoke(testbed const& bed, std::uint64_t seed) {
    store_records_to_find(bed.dsn());
    int faults = 0;
    for (auto const& variant : variants()) {
        seed += 1000;
        std::string fault;
        try {
            fault = fault_of(variant, bed, seed);
        } catch (std::exception const& e) {
            fault = e.what();
        }
        std::printf("%-14s %s\n", std::string{variant.name}.c_str(),
                    fault.empty() ? "does its job" : fault.c_str());
        faults += fault.empty() ? 0 : 1;
    }
    return faults;
}

} // namespace once::bench
