// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "arguments.hpp"
#include "growth.hpp"
#include "program.hpp"
#include "smoke.hpp"
#include "storage.hpp"
#include "support/seed.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <vector>

namespace {

using namespace once::bench;

bool is_workload(std::string const& only) {
    return only.empty() || only == "socket" || only == "link";
}

// Every round runs all variants next to each other, so that what else the machine does meets all of them; the order
// is reversed every other round, so that none always comes first or finds the fuller tables.
rates measure(place const& where, arguments const& given, testbed const& bed, std::uint64_t seed) {
    rates measured;
    std::vector<variant> all;
    std::ranges::copy_if(variants(), std::back_inserter(all), [&](variant const& one) {
        return is_workload(given.only) || one.name == given.only;
    });
    for (int round = 0; round < given.rounds; ++round) {
        empty_tables(bed.dsn());
        store_records_to_find(bed.dsn());
        for (std::size_t i = 0; i < all.size(); ++i) {
            auto const& variant = all[round % 2 == 0 ? i : all.size() - 1 - i];
            seed += 1000;
            measured[variant.name].push_back(sample_at(where, variant, bed, given.sample, seed).rate());
        }
    }
    return measured;
}

int run(arguments const& given) {
    auto const seed = once::testing::seed();
    testbed const bed;
    if (given.smoke) {
        std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
        return smoke(bed, seed) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    report report{given, bed, seed};
    auto const wanted = [&](char const* name) { return given.only.empty() || given.only == name; };
    bool const one_variant = !is_workload(given.only) && given.only != "storage" && given.only != "growth";
    if (wanted("storage")) {
        measure_storage(report, bed, given.rounds, seed);
    }
    for (auto const& where : {place{false, 1}, place{false, 4}, place{false, 8}, place{false, 16},
                              place{true, 1}, place{true, 8}}) {
        if (wanted(where.link ? "link" : "socket") || one_variant) {
            report.add(where, measure(where, given, bed, seed));
        }
    }
    if (given.with_growth && wanted("growth")) {
        measure_growth(report, given, seed);
    }
    return finish(report, given);
}

} // namespace

int main(int count, char** words) {
    return run_program("once_bench", [&] {
        auto const asked = parse(count, words);
        if (asked.help) {
            std::fputs(usage, stdout);
            return EXIT_SUCCESS;
        }
        return has_server("tests/bench/run") ? run(asked) : skipped;
    });
}
