// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "bench/measure.hpp"
#include "command.hpp"
#include "exit_status.hpp"
#include "relay_program.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <atomic>
#include <unistd.h>

using Catch::Matchers::ContainsSubstring;
using once::command::measure;
using once::command::measured;
using namespace once::testing;
using namespace std::chrono_literals;
namespace exit_status = once::command::exit_status;

namespace {

// Schemas and tables: what bench must leave as it was.
std::string everything(command_database<empty_database> const& db) {
    return db.ask(
        "select concat_ws('/', (select string_agg(nspname, ',' order by nspname) from pg_namespace where "
        "nspname not like 'pg_temp%' and nspname not like 'pg_toast_temp%'), (select count(*) from pg_class "
        "where oid >= 16384))");
}

// Roles belong to the cluster, where another bench may have some at the same time; a process knows its own by its id.
std::string roles_of(command_database<empty_database> const& db, pid_t bench) {
    return db.ask("select count(*) from pg_roles where rolname like 'once\\_bench\\_" +
                  std::to_string(bench) + "\\_%'");
}

} // namespace

TEST_CASE("a percentile is the value that this share of the calls does not exceed", "[bench]") {
    measured numbers;
    CHECK_FALSE(numbers.percentile(0.5).has_value());
    for (int i = 1; i <= 100; ++i) {
        numbers.milliseconds.push_back(i);
    }
    CHECK(numbers.percentile(0.5) == 50);
    CHECK(numbers.percentile(0.99) == 99);
    CHECK(numbers.percentile(1) == 100);
    CHECK(measured{.milliseconds = {7}}.percentile(0.01) == 7);
}

TEST_CASE("measuring counts what was done between the two looks at the server, and passes errors on",
          "[bench]") {
    std::atomic<int> calls = 0;
    int seen_at_begin = 0;
    int seen_at_end = 0;
    std::vector<once::command::bench_step> const steps(3, [&] { return ++calls > 30 ? 0U : 2U; });
    auto const result =
        measure(steps, 1min, {}, [&] { seen_at_begin = calls; }, [&] { seen_at_end = calls; });
    CHECK(seen_at_begin == 3); // each has warmed up once
    CHECK(seen_at_end == 33);  // and each has found that nothing is left
    CHECK(result.jobs == std::size_t{2} * 27);
    CHECK(result.milliseconds.size() == 27);
    CHECK(result.per_second() > 0);

    std::vector<once::command::bench_step> const broken{
        []() -> std::size_t { throw std::runtime_error{"no"}; }, [] { return std::size_t{1}; }};
    CHECK_THROWS_AS(measure(broken, 1min, {}, [] {}, [] {}), std::runtime_error);
}

TEST_CASE("bench measures each job in a schema of its own, and leaves nothing behind", "[bench]") {
    command_database<empty_database> const db;
    auto const before = everything(db);
    auto const refused = db.run({"bench"});
    CHECK(refused.status == exit_status::usage);
    CHECK_THAT(refused.err, ContainsSubstring("--yes") && ContainsSubstring("4 connections"));
    auto const result = db.run({"bench", "--yes", "--seconds", "1", "--connections", "2", "--json"});
    CAPTURE(result.err);
    REQUIRE(result.status == exit_status::ok);
    auto const rows = result.json();
    REQUIRE(rows.size() == 4);
    for (auto const& row : rows) {
        CAPTURE(row.dump());
        CHECK(row["jobs"] > 0);
        CHECK(row["per_second"] > 0);
        CHECK(row["median_ms"] > 0);
        CHECK(row["p99_ms"] >= row["median_ms"]);
    }
    CHECK(rows[0]["job"] == "claim and complete");
    CHECK(rows[0]["wal_bytes"] > 100);
    CHECK(rows[1]["job"] == "replay");
    CHECK(everything(db) == before);
    CHECK(roles_of(db, ::getpid()) == "0");
}

TEST_CASE("a bench that is stopped removes its schema, and says by its status that it was not through",
          "[bench]") {
    command_database<empty_database> const db;
    auto const before = everything(db);
    once_program bench{{"bench", "--yes", "--seconds", "600"}, {"ONCE_DATABASE=" + db.dsn()}};
    // Some pages of records: it has measured something.
    REQUIRE(wait_until(
        [&] {
            return db.ask("select coalesce(max(pg_relation_size(c.oid)), 0) > 40000 from pg_class as c "
                          "join pg_namespace as n on n.oid = c.relnamespace "
                          "where n.nspname like 'once\\_bench\\_%' and c.relname = 'idempotency_record'") ==
                   "t";
        },
        60s));
    CHECK(roles_of(db, bench.pid()) == "4");
    bench.signal(SIGINT);
    CHECK(bench.wait() == exit_status::found);
    CHECK_THAT(bench.output(), ContainsSubstring("claim and complete"));
    CHECK(everything(db) == before);
    CHECK(roles_of(db, bench.pid()) == "0");
}
