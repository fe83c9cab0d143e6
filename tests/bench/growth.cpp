// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "growth.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/connection>
#include <pqxx/nontransaction>
#include <pqxx/params>
#include <pqxx/result>

#include <algorithm>
#include <cstdio>

namespace once::bench {

namespace {

constexpr std::int64_t few_records = 10'000;

// Written past the functions of the library, which would take an hour. Keys are random, as those of clients are.
void fill(std::string const& dsn, std::int64_t records) {
    constexpr std::int64_t batch = 250'000;
    pqxx::connection connection{dsn};
    pqxx::nontransaction session{connection};
    session.exec("set synchronous_commit = off");
    for (std::int64_t done = 0; done < records; done += batch) {
        session.exec(
            "insert into once.idempotency_record (service, scope, key, claimed_by, claimed_at, "
            "completed_at, expires_at, fingerprint, response_status, response_content_type, response_json) "
            "select 'postgres', $3, md5(i::text || 'key'), 'once', now(), now(), "
            "now() + interval '24 hours' + i * interval '1 millisecond', sha256($4::bytea), 201, "
            "'application/json', $5::json from generate_series($1::bigint, $2::bigint) as i",
            pqxx::params{done + 1, std::min(done + batch, records), scope, pqxx::binary_cast(request_text()),
                         response_text()});
        if (records > few_records) {
            std::printf("\rfilling: %lld of %lld records", static_cast<long long>(done) + batch,
                        static_cast<long long>(records));
            std::fflush(stdout);
        }
    }
    session.exec("vacuum (analyze) once.idempotency_record");
    session.exec("checkpoint");
}

} // namespace

void measure_growth(report& report, arguments const& given, std::uint64_t seed) {
    testbed const small;
    testbed const large;
    fill(small.dsn(), few_records);
    fill(large.dsn(), given.growth_records);
    auto const size =
        ask(large.dsn(), "select pg_size_pretty(pg_total_relation_size('once.idempotency_record'))");

    variant const claim{"claim",
                        2,
                        {.records = 1},
                        [](std::string const& dsn) { return with_callback(dsn, business::none, false); },
                        "claim and complete, no business write"};
    nlohmann::ordered_json table{{"records", given.growth_records}, {"size", size}};
    std::string printed = formatted("claims among %lld records (%s) and among %lld\n",
                                    static_cast<long long>(given.growth_records), size.c_str(),
                                    static_cast<long long>(few_records));
    std::vector<verdict> verdicts;
    for (int const connections : {1, 4, 16}) {
        rates measured;
        for (int round = 0; round < given.rounds; ++round) {
            for (int turn = 0; turn < 2; ++turn) {
                bool const many = (round + turn) % 2 == 0;
                auto const& bed = many ? large : small;
                seed += 1000;
                measured[many ? "many" : "few"].push_back(
                    sample(claim, bed.dsn(), connections, given.sample, seed).rate());
            }
        }
        printed += formatted("  %2d connections: %8.0f /s among many, %8.0f /s among few\n", connections,
                             median(measured["many"]), median(measured["few"]));
        table["connections"][std::to_string(connections)] = {{"many", measured["many"]},
                                                             {"few", measured["few"]}};
        verdicts.push_back(
            {.what = "socket-" + std::to_string(connections) + ": rate of claims, many / few records",
             .value = ratio(measured, "many", "few"),
             .bound = 0.8});
    }
    report.add("growth", std::move(table), printed);
    for (auto const& one : verdicts) {
        report.add(one);
    }
}

} // namespace once::bench
