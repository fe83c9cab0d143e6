// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "sections.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/connection>
#include <pqxx/nontransaction>
#include <pqxx/params>
#include <pqxx/prepared_statement>
#include <pqxx/result>

#include <algorithm>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <vector>

namespace once::bench {

namespace {

using steady = std::chrono::steady_clock;

/// Notes how old each message is when it arrives, by the clock of this process.
class stop_watch final : public publisher {
public:
    publish_report publish(std::span<delivery const> messages, steady::time_point) override {
        auto const now = steady::now();
        publish_report report;
        report.answers.resize(messages.size());
        std::lock_guard const lock{m_mutex};
        for (auto const& one : messages) {
            steady::time_point const sent{steady::duration{one.payload.as()["sent"].get<steady::rep>()}};
            m_milliseconds.push_back(std::chrono::duration<double, std::milli>(now - sent).count());
        }
        return report;
    }
    [[nodiscard]] std::vector<double> taken() const {
        std::lock_guard const lock{m_mutex};
        return m_milliseconds;
    }

private:
    mutable std::mutex m_mutex;
    std::vector<double> m_milliseconds;
};

constexpr int producers = 4;
// Plans, caches and the first connection of the reader are not what is meant.
constexpr std::size_t warm_up = 100;

// At fixed times, whatever became of the one before: waiting for a slow one would hide it.
void produce(std::string const& dsn, steady::time_point first, steady::duration each, int count) {
    pqxx::connection connection{dsn};
    connection.prepare("publish",
                       "select once.publish($1, $2, $3::json, p_content_type => 'application/json')");
    pqxx::nontransaction session{connection};
    auto const filler = std::string(140, 'x');
    for (int i = 0; i < count; ++i) {
        std::this_thread::sleep_until(first + i * each);
        auto const sent = steady::now().time_since_epoch().count();
        session.exec(pqxx::prepped{"publish"},
                     pqxx::params{"orders.placed", "customer-" + std::to_string(i),
                                  formatted(R"({"sent":%lld,"note":"%s"})", static_cast<long long>(sent),
                                            filler.c_str())});
    }
}

std::vector<double> one_round(std::string const& dsn, sizes const& sizes) {
    own_subscription const subscription{dsn, {}};
    database db{dsn, {.max_connections = 1}};
    stop_watch receiver;
    relay reading{db, subscription.name(), receiver};
    std::jthread const reader{[&](std::stop_token const& stop) { reading.run(stop); }};
    auto const each = std::chrono::duration_cast<steady::duration>(
        std::chrono::duration<double>(static_cast<double>(producers) / sizes.latency_rate));
    auto const count = static_cast<int>(2 * sizes.sample / each);
    auto const total = static_cast<std::size_t>(producers) * static_cast<std::size_t>(count);
    std::vector<std::exception_ptr> failures(producers);
    {
        std::vector<std::jthread> threads;
        auto const begin = steady::now() + std::chrono::milliseconds{100};
        for (int i = 0; i < producers; ++i) {
            threads.emplace_back([&, i] {
                try {
                    produce(dsn, begin + i * each / producers, each, count);
                } catch (...) {
                    failures[static_cast<std::size_t>(i)] = std::current_exception();
                }
            });
        }
    }
    for (auto const& failure : failures) {
        if (failure) {
            std::rethrow_exception(failure);
        }
    }
    auto const end = steady::now() + std::chrono::seconds{30};
    while (receiver.taken().size() < total && steady::now() < end) {
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    auto taken = receiver.taken();
    if (taken.size() != total) {
        throw std::runtime_error{"the reader did not receive what was published"};
    }
    taken.erase(taken.begin(), taken.begin() + static_cast<std::ptrdiff_t>(std::min(warm_up, total / 2)));
    std::ranges::sort(taken);
    return taken;
}

double at(std::vector<double> const& sorted, double share) {
    return sorted[std::min(sorted.size() - 1,
                           static_cast<std::size_t>(share * static_cast<double>(sorted.size())))];
}

} // namespace

void measure_latency(report& report, sizes const& sizes) {
    testbed const bed;
    std::vector<double> middle;
    std::vector<double> high;
    for (int round = 0; round < sizes.rounds; ++round) {
        auto const taken = one_round(bed.dsn(), sizes);
        middle.push_back(at(taken, 0.5));
        high.push_back(at(taken, 0.99));
    }
    report.add("latency", {{"rate", sizes.latency_rate}, {"p50", middle}, {"p99", high}},
               formatted("publish to receive at %d/s, ms: p50 %.2f, p99 %.2f (medians of %d rounds)\n",
                         sizes.latency_rate, median(middle), median(high), sizes.rounds));
    report.add({.what = "latency: p50, ms", .value = median(middle), .bound = 0.8, .at_most = true});
    report.add({.what = "latency: p99, ms", .value = median(high), .bound = 3, .at_most = true});
}

} // namespace once::bench
