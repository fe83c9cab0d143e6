// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "arguments.hpp"

#include "variant.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>
#include <string_view>

namespace once::bench {

char const* const usage =
    R"(usage: once_bench [--rounds N] [--seconds S] [--only NAME] [--long [--records N]]
                  [--json FILE] [--enforce] [--smoke]

--rounds N     rounds; each runs every variant once, in reversed order every other round (default 5; below 5 the
               numbers are for looking only)
--seconds S    length of one sample (default 2)
--only NAME    socket, link, storage or growth; or one variant at all places, for a profiler
--long         also: claims among 10 million records, compared with 10 thousand (fills about 6 GB, some minutes)
--records N    another size than 10 million for --long
--json FILE    writes all samples, ratios and settings
--enforce      exit status 1 when a target is not met
--smoke        measures nothing: checks in some seconds that each variant does its job
ONCE_TEST_DSN  superuser's connection string; tests/bench/run and tools/dev/cluster set it
ONCE_SEED      where the random keys begin
)";

namespace {

double number(std::string_view option, std::string_view text, double low, double high) {
    double value = 0;
    auto const [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc{} || end != text.data() + text.size() || value < low || value > high) {
        throw std::invalid_argument{std::string{option} + ": not a number in the allowed range"};
    }
    return value;
}

} // namespace

arguments parse(int count, char const* const* words) {
    arguments made;
    for (int i = 1; i < count; ++i) {
        std::string_view const word{words[i]};
        auto const value = [&]() -> std::string_view {
            if (++i == count) {
                throw std::invalid_argument{std::string{word} + " needs a value"};
            }
            return words[i];
        };
        if (word == "--rounds") {
            made.rounds = static_cast<int>(number(word, value(), 1, 1000));
        } else if (word == "--seconds") {
            made.sample = std::chrono::duration<double>{number(word, value(), 0.05, 600)};
        } else if (word == "--only") {
            made.only = value();
            static constexpr std::array<std::string_view, 4> workloads{"socket", "link", "storage", "growth"};
            if (std::ranges::find(workloads, made.only) == workloads.end()) {
                static_cast<void>(variant_named(made.only)); // throws
            }
        } else if (word == "--json") {
            made.json = value();
        } else if (word == "--records") {
            made.growth_records = static_cast<std::int64_t>(number(word, value(), 10'000, 1e9));
        } else if (word == "--long") {
            made.with_growth = true;
        } else if (word == "--enforce") {
            made.enforce = true;
        } else if (word == "--smoke") {
            made.smoke = true;
        } else if (word == "--help" || word == "-h") {
            made.help = true;
        } else {
            throw std::invalid_argument{"unknown option " + std::string{word}};
        }
    }
    made.with_growth = made.with_growth || made.only == "growth";
    return made;
}

} // namespace once::bench
