// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "../program.hpp"
#include "sections.hpp"
#include "support/seed.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string_view>

namespace {

using namespace once::bench;

char const* const outbox_usage =
    R"(usage: once_bench_outbox [--rounds N] [--seconds S] [--only SECTION] [--messages N] [--long]
                         [--json FILE] [--enforce] [--smoke]

--rounds N      rounds of each comparison, in reversed order every other round (default 5)
--seconds S     length of one sample of writers, and half of one of latency (default 1.5)
--only SECTION  bulk, writers, drain, backlog, old-snapshot or latency
--messages N    another backlog than 1 million, from 1000
--long          also: an old snapshot for 10 minutes, and a backlog of 10 million
--json FILE     writes all samples, ratios and settings; tests/bench/plot makes pictures of it
--enforce       exit status 1 when a target is not met
--smoke         measures nothing: checks in some seconds that everything does its job
ONCE_TEST_DSN   superuser's connection string; tests/bench/run and tools/dev/cluster set it
)";

struct section {
    std::string_view name;
    void (*measure)(report&, sizes const&);
};
constexpr std::array<section, 6> sections{{{"bulk", measure_bulk},
                                           {"writers", measure_writers},
                                           {"drain", measure_drain},
                                           {"backlog", measure_backlogs},
                                           {"old-snapshot", measure_old_snapshot},
                                           {"latency", measure_latency}}};

struct options {
    arguments given;
    std::int64_t messages = sizes{}.backlog;
};

// The options are those of once_bench but for the names of sections and the size of the backlog.
options parse_options(int count, char const* const* words) {
    std::vector<char const*> others;
    std::string only;
    auto messages = options{}.messages;
    bool seconds_given = false;
    for (int i = 0; i < count; ++i) {
        std::string_view const word{words[i]};
        if (word == "--only" && i + 1 < count) {
            only = words[++i];
        } else if (word == "--messages" && i + 1 < count) {
            messages = std::strtoll(words[++i], nullptr, 10);
        } else {
            others.push_back(words[i]);
            seconds_given = seconds_given || word == "--seconds";
        }
    }
    auto given = parse(static_cast<int>(others.size()), others.data());
    if (!only.empty() && std::ranges::find(sections, only, &section::name) == sections.end()) {
        throw std::invalid_argument{"--only " + only + ": there is no such section"};
    }
    if (messages < 1000) {
        throw std::invalid_argument{"--messages: not a number from 1000"};
    }
    given.only = only;
    if (!seconds_given) {
        given.sample = sizes{}.sample;
    }
    return {given, messages};
}

sizes sizes_for(options const& asked) {
    auto const& given = asked.given;
    sizes made;
    made.backlog = asked.messages;
    made.rounds = given.rounds;
    made.sample = given.sample;
    if (given.with_growth) {
        made.largest = 10'000'000;
        made.snapshot = std::chrono::minutes{10};
    }
    if (given.smoke) {
        made = {.rounds = 1,
                .backlog = 10'000,
                .largest = 10'000,
                .sample = std::chrono::milliseconds{100},
                .snapshot = std::chrono::milliseconds{100},
                .crews = {16},
                .commit_delays = {0}};
    }
    return made;
}

int run(options const& asked) {
    auto const& given = asked.given;
    testbed const bed;
    report report{given, bed, once::testing::seed()};
    auto const sizes = sizes_for(asked);
    if (given.smoke) {
        std::printf("\nSMOKE TEST: that it runs is shown; no number below means anything\n");
    }
    for (auto const& one : sections) {
        if (given.only.empty() || given.only == one.name) {
            one.measure(report, sizes);
        }
    }
    return finish(report, given);
}

} // namespace

int main(int count, char** words) {
    return run_program("once_bench_outbox", [&] {
        auto const asked = parse_options(count, words);
        if (asked.given.help) {
            std::fputs(outbox_usage, stdout);
            return EXIT_SUCCESS;
        }
        return has_server("tests/bench/run --outbox") ? run(asked) : skipped;
    });
}
