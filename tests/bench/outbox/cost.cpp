// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "cost.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/resource.h>
#include <unistd.h>

namespace once::bench {

namespace {

double seconds_of(timeval const& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double client_cpu() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    return seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
}

// Of /proc/PID/stat, what stands behind the name: state, parent, ...; empty when the process is gone.
std::vector<std::string> process_fields(std::string const& pid) {
    std::ifstream file{"/proc/" + pid + "/stat"};
    std::string text;
    std::getline(file, text);
    std::vector<std::string> fields;
    if (auto const end = text.rfind(')'); end != std::string::npos) {
        std::istringstream words{text.substr(end + 1)};
        for (std::string word; words >> word;) {
            fields.push_back(word);
        }
    }
    return fields;
}

constexpr std::size_t parent = 1;
constexpr std::size_t user_time = 11;
constexpr std::size_t last_time = 14; // user, system, and both of children that have ended

double ticks(std::vector<std::string> const& fields, std::size_t last) {
    double sum = 0;
    for (auto i = user_time; i <= last && i < fields.size(); ++i) {
        sum += std::stod(fields[i]);
    }
    return sum / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

// In seconds, to the nanosecond; what /proc/PID/stat says is counted in hundredths.
double run_time(std::string const& pid) {
    std::ifstream file{"/proc/" + pid + "/schedstat"};
    double nanoseconds = 0;
    file >> nanoseconds;
    return nanoseconds / 1e9;
}

// Backends that ended are in the postmaster's account of its children.
double server_cpu(int postmaster) {
    if (postmaster == 0) {
        return -1;
    }
    auto const name = std::to_string(postmaster);
    double sum = ticks(process_fields(name), last_time);
    for (auto const& entry : std::filesystem::directory_iterator{"/proc"}) {
        auto const pid = entry.path().filename().string();
        if (pid.find_first_not_of("0123456789") != std::string::npos) {
            continue;
        }
        auto const fields = process_fields(pid);
        if (fields.size() > last_time && fields[parent] == name) {
            sum += run_time(pid);
        }
    }
    return sum;
}

int postmaster_of(std::string const& dsn) {
    static std::map<std::string, int> known;
    auto const [place, unknown] = known.try_emplace(dsn, 0);
    if (unknown) {
        auto const checkpointer =
            process_fields(ask(dsn, "select pid from pg_stat_activity where backend_type = 'checkpointer'"));
        place->second = checkpointer.size() > last_time ? std::stoi(checkpointer[parent]) : 0;
    }
    return place->second;
}

double median_of(std::vector<cost> const& rounds, double (*value)(cost const&)) {
    std::vector<double> values(rounds.size());
    std::ranges::transform(rounds, values.begin(), value);
    return median(std::move(values));
}

double client_microseconds(cost const& one) {
    return 1e6 * one.client_cpu / static_cast<double>(one.messages);
}

double server_microseconds(cost const& one) {
    return one.server_cpu < 0 ? -1 : 1e6 * one.server_cpu / static_cast<double>(one.messages);
}

double rate_of(cost const& one) {
    return one.rate();
}

} // namespace

cost_clock::cost_clock(std::string const& dsn)
    : m_postmaster{postmaster_of(dsn)},
      m_begin{std::chrono::steady_clock::now()},
      m_client_cpu{bench::client_cpu()},
      m_server_cpu{bench::server_cpu(m_postmaster)} {}

cost cost_clock::stop(std::int64_t messages) const {
    auto const end = std::chrono::steady_clock::now();
    return {.messages = messages,
            .seconds = std::chrono::duration<double>(end - m_begin).count(),
            .client_cpu = bench::client_cpu() - m_client_cpu,
            .server_cpu = m_postmaster == 0 ? -1 : bench::server_cpu(m_postmaster) - m_server_cpu};
}

costs compete(std::vector<contestant> const& all, int rounds) {
    costs measured;
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < all.size(); ++i) {
            auto const& one = all[round % 2 == 0 ? i : all.size() - 1 - i];
            measured[one.name].push_back(one.run());
        }
    }
    return measured;
}

double ratio(costs const& measured, std::string const& of, std::string const& to) {
    std::vector<double> each;
    for (std::size_t round = 0; round < measured.at(of).size(); ++round) {
        each.push_back(measured.at(of)[round].rate() / measured.at(to)[round].rate());
    }
    return median(std::move(each));
}

double median_rate(costs const& measured, std::string const& name) {
    return median_of(measured.at(name), rate_of);
}

void add(report& report, std::string const& section, std::string const& title,
         std::vector<contestant> const& all, costs const& measured) {
    auto text = formatted("%s\n%-34s %10s %10s %10s   %s\n", title.c_str(), "", "messages/s", "client us",
                          "server us", "lowest .. highest of the rounds");
    nlohmann::ordered_json table;
    for (auto const& one : all) {
        auto const& rounds = measured.at(one.name);
        auto const [low, high] = std::ranges::minmax(rounds, {}, rate_of);
        auto const client = median_of(rounds, client_microseconds);
        auto const server = median_of(rounds, server_microseconds);
        text += formatted("%-34s %10.0f %10.2f %10.2f   %.0f .. %.0f\n", one.name.c_str(),
                          median_of(rounds, rate_of), client, server, low.rate(), high.rate());
        auto& row = table[one.name];
        row = {{"median", median_of(rounds, rate_of)}, {"client_us", client}, {"server_us", server}};
        for (auto const& round : rounds) {
            row["rounds"].push_back(round.rate());
        }
    }
    report.add(section, std::move(table), text);
}

} // namespace once::bench
