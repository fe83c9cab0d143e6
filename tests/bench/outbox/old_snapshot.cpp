// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "../bench_tables.hpp"
#include "sections.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/connection>
#include <pqxx/result>
#include <pqxx/row>
#include <pqxx/transaction>

#include <optional>
#include <stdexcept>

namespace once::bench {

namespace {

using steady = std::chrono::steady_clock;

constexpr int batch = 100;
constexpr double slot_messages = 1U << 20U;

struct cycle {
    /// Seconds since the phase began.
    double age = 0;
    double drained = 0;
    double published = 0;
    double claimed = 0;
};

/// A service under load: publishes, reads, claims, trims.
class load {
public:
    load(std::string dsn, sizes const& sizes)
        : m_dsn{std::move(dsn)},
          m_messages{std::max<std::int64_t>(1000, sizes.backlog / 10)},
          m_sample{sizes.sample / 4},
          m_subscription{m_dsn, {}},
          m_db{m_dsn, {.max_connections = 1}},
          m_relay{m_db, m_subscription.name(), m_publisher, {.reader = {.batch_messages = batch}}},
          m_claims{in_one_trip(m_dsn, false)} {}

    cycle run() {
        cycle made;
        made.published = publish_them();
        made.drained = drain_them();
        made.claimed = claim();
        run_sql(m_dsn, "select once.trim_outbox(interval '0')");
        return made;
    }

private:
    double publish_them() {
        pqxx::connection connection{m_dsn};
        cost_clock const clock{m_dsn};
        publish_in_batches(connection, m_messages, batch);
        return clock.stop(m_messages).rate();
    }

    double drain_them() {
        auto const before = m_publisher.count();
        cost_clock const clock{m_dsn};
        while (!m_relay.run_once().idle()) {
        }
        auto const taken = clock.stop(m_publisher.count() - before);
        if (taken.messages != m_messages) {
            throw std::runtime_error{"the reader did not receive what was published"};
        }
        return taken.rate();
    }

    double claim() {
        cost_clock const clock{m_dsn};
        auto const end = steady::now() + std::chrono::duration_cast<steady::duration>(m_sample);
        std::int64_t count = 0;
        for (; steady::now() < end; ++count) {
            m_claims->run(m_keys);
        }
        return clock.stop(count).rate();
    }

    std::string m_dsn;
    std::int64_t m_messages;
    std::chrono::duration<double> m_sample;
    own_subscription m_subscription;
    database m_db;
    null_publisher m_publisher;
    relay m_relay;
    std::unique_ptr<worker> m_claims;
    key_source m_keys{1};
};

struct table_sizes {
    double outbox = 0;
    double checkpoint = 0;
    double checkpoints = 0;
};

table_sizes sizes_of(std::string const& dsn) {
    auto const number = [&](char const* sql) { return std::stod(ask(dsn, sql)); };
    return {number("select sum(pg_total_relation_size(inhrelid)) / 1048576.0 from pg_inherits "
                   "where inhparent = 'once.outbox'::regclass"),
            number("select pg_total_relation_size('once.checkpoint') / 1048576.0"),
            number("select sum(number) from (select max(number) as number from once.checkpoint "
                   "group by service, subscription, slice) as newest")};
}

struct phase {
    std::vector<cycle> cycles;
    table_sizes largest;
};

void run_phase(phase& phase, load& load, std::string const& dsn, std::chrono::duration<double> time) {
    auto const begin = steady::now();
    double age = 0;
    do {
        phase.cycles.push_back(load.run());
        age = std::chrono::duration<double>(steady::now() - begin).count();
        phase.cycles.back().age = age;
        auto const now = sizes_of(dsn);
        phase.largest.outbox = std::max(phase.largest.outbox, now.outbox);
        phase.largest.checkpoint = std::max(phase.largest.checkpoint, now.checkpoint);
        phase.largest.checkpoints = std::max(phase.largest.checkpoints, now.checkpoints);
    } while (age < time.count());
}

double median_of(std::vector<cycle> const& cycles, double cycle::* value, bool last_third) {
    std::vector<double> values;
    for (std::size_t i = last_third ? cycles.size() * 2 / 3 : 0; i < cycles.size(); ++i) {
        values.push_back(cycles[i].*value);
    }
    return median(std::move(values));
}

void print_phases(report& report, phase const& without, phase const& held) {
    nlohmann::ordered_json table;
    std::string text = formatted(
        "an old snapshot: cycles of publish, drain in batches of %d, claims, trim\n%-22s %12s %12s "
        "%10s %8s %12s %12s\n",
        batch, "", "published/s", "drained/s", "claims/s", "cycles", "outbox MiB", "checkpoint MiB");
    for (auto const* one : {&without, &held}) {
        bool const last = one == &held;
        char const* const name = last ? "held, last third" : "none held";
        text += formatted("%-22s %12.0f %12.0f %10.0f %8zu %12.0f %12.1f\n", name,
                          median_of(one->cycles, &cycle::published, last),
                          median_of(one->cycles, &cycle::drained, last),
                          median_of(one->cycles, &cycle::claimed, last), one->cycles.size(),
                          one->largest.outbox, one->largest.checkpoint);
        auto& rows = table[last ? "held" : "none"];
        for (auto const& each : one->cycles) {
            rows["cycles"].push_back({{"age", each.age},
                                      {"drained", each.drained},
                                      {"published", each.published},
                                      {"claimed", each.claimed}});
        }
        rows["outbox_mib"] = one->largest.outbox;
        rows["checkpoint_mib"] = one->largest.checkpoint;
        rows["checkpoints"] = one->largest.checkpoints;
    }
    report.add("old_snapshot", std::move(table), text);
}

} // namespace

void measure_old_snapshot(report& report, sizes const& sizes) {
    testbed const bed;
    phase without;
    phase held;
    {
        load load{bed.dsn(), sizes};
        load.run(); // plans and caches
        run_phase(without, load, bed.dsn(), sizes.snapshot / 2);
        {
            pqxx::connection connection{bed.dsn()};
            pqxx::transaction<pqxx::isolation_level::repeatable_read> holder{connection};
            static_cast<void>(holder.exec("select count(*) from once.checkpoint"));
            run_phase(held, load, bed.dsn(), sizes.snapshot);
        }
        run_sql(bed.dsn(), "vacuum (analyze)");
        // As long before as after, so that what else the machine does in the long run meets both.
        run_phase(without, load, bed.dsn(), sizes.snapshot / 2);
    }
    print_phases(report, without, held);
    auto const judge = [&](char const* what, double cycle::* value) {
        report.add({.what = formatted("old snapshot: %s rate, held / not held", what),
                    .value = median_of(held.cycles, value, true) / median_of(without.cycles, value, false),
                    .bound = 0.9});
    };
    judge("drain", &cycle::drained);
    judge("publish", &cycle::published);
    judge("claim", &cycle::claimed);
    constexpr double mebibytes_per_message = 460.0 / (1U << 20U);
    report.add({.what = "old snapshot: outbox, slots of the ring",
                .value = held.largest.outbox / (slot_messages * mebibytes_per_message),
                .bound = 3,
                .at_most = true});
    report.add({.what = "old snapshot: checkpoint, bytes per batch",
                .value = held.largest.checkpoint * (1U << 20U) / held.largest.checkpoints,
                .bound = 400,
                .at_most = true});
}

} // namespace once::bench
