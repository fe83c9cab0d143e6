// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "arguments.hpp"
#include "sample.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace once::bench {

/// A number that was promised, and what came out.
struct verdict {
    std::string what;
    double value = 0;
    double bound = 0;
    bool at_most = false;

    [[nodiscard]] bool met() const noexcept { return at_most ? value <= bound : value >= bound; }
    /// One line: the claim, the number, met or NOT met.
    [[nodiscard]] std::string line() const;
};

/// Rates (jobs per second) of one place: variant -> one per round.
using rates = std::map<std::string_view, std::vector<double>>;

/// Collects what is measured, prints it, writes it as JSON.
class report {
public:
    /// Prints machine, server and settings.
    report(arguments const& given, testbed const& bed, std::uint64_t seed);

    /// Prints the table of one place and what it says about the targets.
    void add(place const& where, rates const& measured);
    /// A table that is printed as it is, and kept in JSON under its name.
    void add(std::string const& name, nlohmann::ordered_json table, std::string const& printed);
    void add(verdict const& one);

    /// The targets again, all together; @return whether all were met
    [[nodiscard]] bool summary() const;
    void write_json(std::string const& path) const;

private:
    /// How near `execute` comes to the same rows without it: for readers, nothing is promised.
    void add_floor(place const& where, rates const& measured);

    nlohmann::ordered_json m_json;
    std::vector<verdict> m_verdicts;
};

/// What is promised of rates at a place. Ratios are the median of the ratios within each round.
[[nodiscard]] std::vector<verdict> judge(place const& where, rates const& measured);
[[nodiscard]] double ratio(rates const& measured, std::string_view of, std::string_view to);

/// printf into a string.
[[nodiscard]] std::string formatted(char const* format, ...) __attribute__((format(printf, 1, 2)));

} // namespace once::bench
