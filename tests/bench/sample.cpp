// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "sample.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <latch>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

namespace once::bench {

namespace {

using clock = std::chrono::steady_clock;

// Prepared statements get a generic plan after five runs; the rest is for caches.
constexpr int warm_up_jobs = 20;

struct crew_member {
    std::int64_t jobs = 0;
    std::int64_t jobs_in_all = 0;
    std::exception_ptr failure;
};

void work(crew_member& me, variant const& variant, std::string const& dsn, std::uint64_t seed,
          std::latch& ready, std::latch& start, std::atomic<bool> const& stop) {
    std::unique_ptr<worker> worker;
    key_source keys{seed};
    try {
        worker = variant.connect(dsn);
        for (; me.jobs_in_all < warm_up_jobs; ++me.jobs_in_all) {
            worker->run(keys);
        }
    } catch (...) {
        me.failure = std::current_exception();
    }
    ready.count_down();
    start.wait();
    try {
        while (!me.failure && !stop.load(std::memory_order_relaxed)) {
            worker->run(keys);
            ++me.jobs;
        }
    } catch (...) {
        me.failure = std::current_exception();
    }
    me.jobs_in_all += me.jobs;
}

} // namespace

testbed::testbed() {
    std::unique_ptr<PGconn, decltype(&PQfinish)> const connection{PQconnectdb(m_database.dsn().c_str()),
                                                                  &PQfinish};
    if (PQstatus(connection.get()) != CONNECTION_OK) {
        throw std::runtime_error{PQerrorMessage(connection.get())};
    }
    m_upstream = {PQhost(connection.get()), std::stoi(PQport(connection.get()))};
    m_user = PQuser(connection.get());
    create_tables(dsn());
}

tally sample(variant const& variant, std::string const& dsn, int connections,
             std::chrono::duration<double> time, std::uint64_t seed) {
    std::vector<crew_member> crew(static_cast<std::size_t>(connections));
    std::latch ready{connections};
    std::latch start{1};
    std::atomic<bool> stop{false};
    tally result;
    {
        std::vector<std::jthread> threads;
        for (auto& member : crew) {
            auto const own_seed = seed + static_cast<std::uint64_t>(threads.size()) * 0x9e3779b97f4a7c15U;
            threads.emplace_back([&, own_seed] { work(member, variant, dsn, own_seed, ready, start, stop); });
        }
        ready.wait();
        auto const begin = clock::now();
        start.count_down();
        std::this_thread::sleep_for(time); // the sample itself
        stop = true;
        for (auto& thread : threads) {
            thread.join();
        }
        result.seconds = std::chrono::duration<double>(clock::now() - begin).count();
    }
    for (auto const& member : crew) {
        if (member.failure) {
            std::rethrow_exception(member.failure);
        }
        result.jobs += member.jobs;
        result.jobs_in_all += member.jobs_in_all;
    }
    return result;
}

tally sample_at(place const& where, variant const& variant, testbed const& bed,
                std::chrono::duration<double> time, std::uint64_t seed) {
    if (!where.link) {
        return sample(variant, bed.dsn(), where.connections, time, seed);
    }
    testing::wire_proxy const proxy{bed.upstream(), {.round_trip = link_round_trip, .keep_trace = false}};
    return sample(variant, bed.through(proxy), where.connections, time, seed);
}

void run_jobs(worker& worker, int jobs, std::uint64_t seed) {
    key_source keys{seed};
    for (int i = 0; i < jobs; ++i) {
        worker.run(keys);
    }
}

double median(std::vector<double> values) {
    if (values.empty()) {
        throw std::invalid_argument{"median of nothing"};
    }
    std::ranges::sort(values);
    auto const middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

} // namespace once::bench
