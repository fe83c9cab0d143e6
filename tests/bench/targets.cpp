// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "report.hpp"

namespace once::bench {

double ratio(rates const& measured, std::string_view of, std::string_view to) {
    auto const& above = measured.at(of);
    auto const& below = measured.at(to);
    std::vector<double> each;
    for (std::size_t round = 0; round < above.size(); ++round) {
        each.push_back(above[round] / below[round]);
    }
    return median(std::move(each));
}

std::vector<verdict> judge(place const& where, rates const& measured) {
    std::vector<verdict> made;
    auto const faster = [&](std::string_view of, std::string_view to, double bound, std::string const& note) {
        if (!measured.contains(of) || !measured.contains(to)) {
            return; // one variant was asked for
        }
        made.push_back({.what = where.name() + ": rate of " + std::string{of} + " / " + std::string{to} +
                                " (" + note + ")",
                        .value = ratio(measured, of, to),
                        .bound = bound});
    };
    // Like with like: against bare nobody writes an outbox, against hand-written everybody does.
    if (where.link) {
        if (measured.contains("bare") && measured.contains("execute-0")) {
            made.push_back({.what = where.name() + ": time of execute-0 / bare (no outbox)",
                            .value = ratio(measured, "bare", "execute-0"),
                            .bound = 1.05,
                            .at_most = true});
        }
        faster("execute", "hand-written", 2.0, "both with outbox");
        faster("one-trip-0", "bare", 2.5, "no outbox");
        return made;
    }
    faster("execute", "hand-written", 1.25, "both with outbox");
    faster("execute-0", "bare", 0.65, "no outbox");
    faster("one-trip-0", "bare", 0.95, "no outbox");
    faster("replay", "pk-select", 0.6, "one row read");
    return made;
}

} // namespace once::bench
