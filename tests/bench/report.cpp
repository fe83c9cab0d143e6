// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "report.hpp"

#include <once/version.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <stdexcept>
#include <sys/utsname.h>
#include <thread>
#include <utility>

namespace once::bench {

namespace {

std::string processor() {
    std::ifstream info{"/proc/cpuinfo"};
    for (std::string line; std::getline(info, line);) {
        if (line.starts_with("model name")) {
            return line.substr(line.find(':') + 2);
        }
    }
    return "unknown processor";
}

std::string load() {
    std::array<double, 1> minute{};
    return ::getloadavg(minute.data(), 1) == 1 ? formatted("%.2f", minute[0]) : "unknown";
}

std::string date() {
    auto const now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    std::array<char, 32> text{};
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

} // namespace

std::string formatted(char const* format, ...) {
    std::array<char, 512> text{};
    std::va_list values;
    va_start(values, format);
    int const size = std::vsnprintf(text.data(), text.size(), format, values);
    va_end(values);
    return {text.data(), std::min(text.size() - 1, static_cast<std::size_t>(std::max(size, 0)))};
}

std::string verdict::line() const {
    return formatted("%-58s %8.2f  target %s %-8.2f %s", what.c_str(), value, at_most ? "<=" : ">=", bound,
                     met() ? "met" : "NOT met");
}

report::report(arguments const& given, testbed const& bed, std::uint64_t seed) {
    utsname system{};
    ::uname(&system);
    auto const setting = [&](char const* name) {
        return ask(bed.dsn(), std::string{"select current_setting('"} + name + "')");
    };
    auto& facts = m_json["facts"];
    facts["once"] = version_text;
    facts["date"] = date();
    facts["machine"] = processor() + ", " + std::to_string(std::thread::hardware_concurrency()) + " cores, " +
                       system.sysname + " " + system.release;
    facts["load_before"] = load();
    facts["postgresql"] = setting("server_version");
    for (auto const* name :
         {"fsync", "synchronous_commit", "full_page_writes", "wal_level", "shared_buffers"}) {
        facts[name] = setting(name);
    }
    facts["seed"] = seed;
    facts["rounds"] = given.rounds;
    facts["sample_seconds"] = given.sample.count();
    facts["link_round_trip_ms"] = link_round_trip.count();
    for (auto const& [name, value] : facts.items()) {
        std::printf("%-20s %s\n", name.c_str(),
                    (value.is_string() ? value.get<std::string>() : value.dump()).c_str());
    }
    if (given.rounds < 5) {
        std::printf("fewer than 5 rounds: numbers to look at, not to claim\n");
    }
    if (facts["fsync"] != "on") {
        std::printf("FSYNC IS OFF: these are not the numbers of a database that keeps its promises\n");
    }
}

void report::add(place const& where, rates const& measured) {
    std::printf("\n%s%s\n%-16s %10s %8s %7s   %s\n", where.name().c_str(), where.link ? " (1 ms)" : "",
                "variant", "jobs/s", "ms/job", "/ bare", "lowest .. highest of the rounds");
    for (auto const& variant : variants()) {
        auto const found = measured.find(variant.name);
        if (found == measured.end()) {
            continue;
        }
        auto const middle = median(found->second);
        auto const [low, high] = std::ranges::minmax(found->second);
        std::printf("%-16s %10.0f %8.3f %7.2f   %.0f .. %.0f\n", std::string{variant.name}.c_str(), middle,
                    1000.0 * where.connections / middle,
                    measured.contains("bare") ? ratio(measured, variant.name, "bare") : 1.0, low, high);
        m_json["rates"][where.name()][std::string{variant.name}] = {{"median", middle},
                                                                    {"rounds", found->second}};
    }
    add_floor(where, measured);
    for (auto const& one : judge(where, measured)) {
        add(one);
    }
    std::fflush(stdout);
}

void report::add_floor(place const& where, rates const& measured) {
    for (auto const& [of, floor] : {std::pair{"execute-0", "plain-0"}, {"one-trip-0", "plain-one-trip-0"}}) {
        if (measured.contains(of) && measured.contains(floor)) {
            auto const share = ratio(measured, of, floor);
            m_json["share_of_floor"][where.name()][of] = share;
            std::printf("  %s reaches %.2f of %s, the same rows by plain SQL\n", of, share, floor);
        }
    }
}

void report::add(std::string const& name, nlohmann::ordered_json table, std::string const& printed) {
    m_json[name] = std::move(table);
    std::printf("\n%s", printed.c_str());
    std::fflush(stdout);
}

void report::add(verdict const& one) {
    m_verdicts.push_back(one);
    m_json["targets"].push_back({{"what", one.what},
                                 {"value", one.value},
                                 {"bound", one.bound},
                                 {"at_most", one.at_most},
                                 {"met", one.met()}});
    std::printf("  %s\n", one.line().c_str());
}

bool report::summary() const {
    auto const missed = std::ranges::count_if(m_verdicts, [](verdict const& one) { return !one.met(); });
    std::printf("\n%zu targets, %td NOT met; load %s\n", m_verdicts.size(), missed, load().c_str());
    for (auto const& one : m_verdicts) {
        if (!one.met()) {
            std::printf("  %s\n", one.line().c_str());
        }
    }
    return missed == 0;
}

void report::write_json(std::string const& path) const {
    std::ofstream file{path};
    file << m_json.dump(2) << '\n';
    if (!file.flush()) {
        throw std::runtime_error{"cannot write " + path};
    }
}

} // namespace once::bench
