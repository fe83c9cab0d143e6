// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "storage.hpp"

#include "support/wait_until.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/connection>
#include <pqxx/nontransaction>
#include <pqxx/params>
#include <pqxx/result>
#include <pqxx/row>

#include <chrono>
#include <stdexcept>

namespace once::bench {

namespace {

constexpr int jobs_in_batch = 1000;
constexpr int warm_up_jobs = 20;

// What is written to the log without the job's doing is left out: images of whole pages after a checkpoint. They are
// as large for any transaction, and how many there are depends on checkpoint_timeout. pg_walinspect tells them apart.
class wal_meter {
public:
    explicit wal_meter(std::string const& dsn) : m_connection{dsn} {
        pqxx::nontransaction session{m_connection};
        m_inspects =
            session.exec("select 1 from pg_available_extensions where name = 'pg_walinspect'").size() == 1;
        if (m_inspects) {
            session.exec("set client_min_messages = warning; create extension if not exists pg_walinspect");
        }
    }

    [[nodiscard]] bool without_page_images() const noexcept { return m_inspects; }

    void start() { m_begin = position(); }

    /// Bytes since start().
    [[nodiscard]] double read() {
        auto const end = position();
        pqxx::nontransaction session{m_connection};
        auto const written =
            session.exec("select $1::pg_lsn - $2::pg_lsn", pqxx::params{end, m_begin})[0][0].as<double>();
        if (!m_inspects) {
            return written;
        }
        return written -
               session
                   .exec("select coalesce(sum(fpi_size), 0) from pg_get_wal_stats($1::pg_lsn, $2::pg_lsn)",
                         pqxx::params{m_begin, end})[0][0]
                   .as<double>();
    }

private:
    std::string position() {
        pqxx::nontransaction session{m_connection};
        // What is inserted but not yet written out cannot be inspected.
        return session.exec("select pg_current_wal_flush_lsn()")[0][0].as<std::string>();
    }

    pqxx::connection m_connection;
    bool m_inspects = false;
    std::string m_begin;
};

double wal_per_job(worker& worker, std::string const& dsn, int batches, std::uint64_t seed) {
    wal_meter meter{dsn};
    run_jobs(worker, warm_up_jobs, seed);
    std::vector<double> each;
    for (int batch = 1; batch <= batches; ++batch) {
        meter.start();
        run_jobs(worker, jobs_in_batch, seed + static_cast<std::uint64_t>(batch));
        each.push_back(meter.read() / jobs_in_batch);
    }
    return median(each);
}

struct row_versions {
    double inserted = 0;
    double updated = 0;
    double updated_hot = 0;
    double dead = 0;
};

row_versions statistics(std::string const& dsn) {
    pqxx::connection connection{dsn};
    pqxx::nontransaction session{connection};
    auto const rows =
        session.exec("select n_tup_ins, n_tup_upd, n_tup_hot_upd, n_dead_tup from pg_stat_user_tables "
                     "where schemaname = 'once' and relname = 'idempotency_record'");
    auto const& row = rows[0];
    return {row[0].as<double>(), row[1].as<double>(), row[2].as<double>(), row[3].as<double>()};
}

void measure_row_versions(report& report, testbed const& bed, std::uint64_t seed) {
    constexpr int jobs = 5000;
    empty_tables(bed.dsn());
    auto const before = statistics(bed.dsn());
    run_jobs(*with_callback(bed.dsn(), business::none, false), jobs, seed);
    // The worker's server process reports its counts when it ends.
    row_versions after;
    auto const shown = [&] {
        after = statistics(bed.dsn());
        return after.inserted - before.inserted >= jobs;
    };
    if (!testing::wait_until(shown)) {
        throw std::runtime_error{"the statistics of the server do not show the jobs"};
    }
    double const updated = after.updated - before.updated;
    double const hot = updated > 0 ? (after.updated_hot - before.updated_hot) / updated : 0;
    report.add(
        "row_versions",
        {{"jobs", jobs}, {"updates_per_job", updated / jobs}, {"hot_ratio", hot}, {"dead_now", after.dead}},
        formatted(
            "idempotency_record after %d jobs: %.2f updates per job (each leaves a dead version), %.1f %% "
            "of them HOT, %.0f dead now\n",
            jobs, updated / jobs, 100 * hot, after.dead));
}

} // namespace

void measure_storage(report& report, testbed const& bed, int batches, std::uint64_t seed) {
    empty_tables(bed.dsn());
    nlohmann::ordered_json table;
    std::string printed = formatted(
        "WAL bytes per job, median of %d batches of %d jobs%s\n", batches, jobs_in_batch,
        wal_meter{bed.dsn()}.without_page_images() ? ", without full-page images (pg_walinspect)"
                                                   : "; pg_walinspect is missing: FULL-PAGE IMAGES INCLUDED");
    double claimed = 0;
    auto const measure = [&](std::string const& name, std::unique_ptr<worker> const& worker) {
        seed += 1000;
        claimed = wal_per_job(*worker, bed.dsn(), batches, seed);
        table[name] = claimed;
        printed += formatted("  %-34s %7.0f\n", name.c_str(), claimed);
    };
    for (auto const& variant : variants()) {
        if (variant.leaves != row_counts{}) {
            measure(std::string{variant.name}, variant.connect(bed.dsn()));
        }
    }
    measure("claim + complete, no fingerprint", with_callback(bed.dsn(), business::none, false, false));
    measure("claim + complete", with_callback(bed.dsn(), business::none, false));
    report.add("wal_bytes_per_job", std::move(table), printed);
    report.add({.what = "WAL bytes of claim + complete, 200 byte response",
                .value = claimed,
                .bound = 700,
                .at_most = true});
    measure_row_versions(report, bed, seed);
}

} // namespace once::bench
