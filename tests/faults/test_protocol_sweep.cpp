// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "faults/fault_sweep.hpp"

#include <catch2/catch_test_macros.hpp>

#include <cstdio>

using namespace once::testing;
using once::isolation;

namespace {

void sweep(sweep_plan const& plan) {
    workload_database const db;
    auto const result = run_sweep(db, plan);
    std::printf("sweep: %s\n", result.counts().c_str());
    INFO(result.counts());
    CHECK(result.fired > 100); // a sweep that hits nothing proves nothing
    CHECK(result.complaints() == "");
}

} // namespace

TEST_CASE("a lost connection at any message of a request leaves one effect and one answer",
          "[faults][sweep]") {
    sweep({.faults = loud_faults()});
}

TEST_CASE("a black hole at any message of a request leaves one effect and one answer", "[faults][sweep]") {
    sweep({.faults = {black_hole()}});
}

TEST_CASE("a server process that outlives its client does not take effect a second time", "[faults][sweep]") {
    sweep({.faults = {zombie()}});
}

TEST_CASE("a fault at any message leaves one effect at the higher isolation levels, too", "[faults][sweep]") {
    auto faults = loud_faults();
    if (take_long()) {
        faults.push_back(zombie());
    } else {
        faults.resize(2); // cut, cut_after
    }
    faults.push_back(black_hole());
    sweep({.levels = {isolation::repeatable_read, isolation::serializable}, .faults = faults});
}

TEST_CASE("a fault at any message of connecting costs a retry and nothing else", "[faults][sweep]") {
    auto faults = loud_faults();
    if (!take_long()) {
        faults.resize(1);
    }
    faults.push_back(black_hole());
    sweep({.forms = {form::callback}, .faults = faults, .part = sweep_part::connecting});
}
