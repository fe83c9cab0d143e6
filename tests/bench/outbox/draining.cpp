// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "../bench_tables.hpp"
#include "peers.hpp"
#include "sections.hpp"

#include <cstdio>
#include <stdexcept>

namespace once::bench {

namespace {

/// One reader: connected, and in possession of its slice before the clock starts.
struct slice_reader {
    slice_reader(std::string const& dsn, std::string const& subscription, int slice, int batch)
        : db{dsn, {.max_connections = 1}},
          reading{db,
                  subscription,
                  publisher,
                  {.reader = {.slice = slice, .batch_messages = batch},
                   .publish_messages = static_cast<std::size_t>(batch)}} {
        db.check();
    }
    database db;
    null_publisher publisher;
    relay reading;

    void run() {
        while (!reading.run_once().idle()) {
        }
    }
};

std::string batches(int batch) {
    return "once, batch " + std::to_string(batch);
}

constexpr int peer_batch = 1000;

std::vector<contestant> contestants(std::string const& dsn, sizes const& sizes) {
    std::vector<contestant> all;
    for (int const batch : {100, 1000, 5000}) {
        all.push_back({batches(batch), [=] { return drain(dsn, batch, 1, sizes.backlog); }});
    }
    all.push_back({"once, batch 1000, two slices", [=] { return drain(dsn, 1000, 2, sizes.backlog); }});
    all.push_back({"COPY to stdout", [=] { return copy_out(dsn); }});
    if (has_pgq(dsn)) {
        fill_pgq(dsn, peer_batch);
        all.push_back({"PgQ, ticks of 1000", [=] { return drain_pgq(dsn); }});
    } else {
        std::printf("LEFT OUT: PgQ, which this server does not have (tools/dev/dependencies --pgq)\n");
    }
    all.push_back({"DELETE SKIP LOCKED, batch 1000", [=] { return drain_by_delete(dsn, peer_batch); }});
    return all;
}

} // namespace

cost drain(std::string const& dsn, int batch, int slices, std::int64_t expected) {
    own_subscription const subscription{dsn, {.from = subscribe_from::beginning, .slices = slices}};
    std::vector<std::unique_ptr<slice_reader>> readers;
    for (int slice = 0; slice < slices; ++slice) {
        readers.push_back(std::make_unique<slice_reader>(dsn, subscription.name(), slice, batch));
    }
    cost_clock const clock{dsn};
    {
        std::vector<std::jthread> others;
        for (int slice = 1; slice < slices; ++slice) {
            others.emplace_back([&, slice] { readers[static_cast<std::size_t>(slice)]->run(); });
        }
        readers.front()->run();
    }
    std::int64_t count = 0;
    for (auto const& one : readers) {
        count += one->publisher.count();
    }
    auto const taken = clock.stop(count);
    if (count != expected) {
        throw std::runtime_error{formatted("drained %lld messages of %lld", static_cast<long long>(count),
                                           static_cast<long long>(expected))};
    }
    return taken;
}

void measure_drain(report& report, sizes const& sizes) {
    testbed const bed;
    fill_outbox(bed.dsn(), sizes.backlog);
    auto const all = contestants(bed.dsn(), sizes);
    auto const measured = compete(all, sizes.rounds);
    for (auto const& one : all) {
        for (auto const& round : measured.at(one.name)) {
            if (round.messages != sizes.backlog) {
                throw std::runtime_error{one.name + " did not deliver all messages"};
            }
        }
    }
    add(report, "drain", "drain of a backlog", all, measured);
    report.add({.what = "drain: thousand messages/s, one reader, batch 1000",
                .value = median_rate(measured, batches(1000)) / 1000,
                .bound = 500});
    if (measured.contains("PgQ, ticks of 1000")) {
        report.add({.what = "drain: rate / PgQ with the same client library",
                    .value = ratio(measured, batches(1000), "PgQ, ticks of 1000"),
                    .bound = 1.5});
    }
    report.add({.what = "drain: rate / COPY of the same rows",
                .value = ratio(measured, batches(1000), "COPY to stdout"),
                .bound = 0.4});
    report.add({.what = "drain: rate of two slices / one",
                .value = ratio(measured, "once, batch 1000, two slices", batches(1000)),
                .bound = 1.6});
}

void measure_backlogs(report& report, sizes const& sizes) {
    std::vector<contestant> all;
    costs measured;
    for (std::int64_t size = 10'000; size <= sizes.largest; size *= 10) {
        testbed const bed;
        fill_outbox(bed.dsn(), size);
        // Small ones several times, so that a sample is long enough to be read.
        auto const repeats = std::max<std::int64_t>(1, std::min<std::int64_t>(20, sizes.backlog / size));
        contestant const one{std::to_string(size), [&] {
                                 cost sum{};
                                 for (std::int64_t i = 0; i < repeats; ++i) {
                                     auto const part = drain(bed.dsn(), 1000, 1, size);
                                     sum.messages += part.messages;
                                     sum.seconds += part.seconds;
                                     sum.client_cpu += part.client_cpu;
                                     sum.server_cpu += part.server_cpu;
                                 }
                                 return sum;
                             }};
        measured.merge(compete({one}, sizes.rounds));
        all.push_back({one.name, {}});
    }
    add(report, "backlog", "drain, batch 1000, against the size of the backlog", all, measured);
    report.add({.what = "backlog: rate of the largest / 10 thousand",
                .value = median_rate(measured, all.back().name) / median_rate(measured, all.front().name),
                .bound = 0.9});
}

} // namespace once::bench
