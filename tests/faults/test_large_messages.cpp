// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "support/child_process.hpp"
#include "support/effects.hpp"
#include "support/session.hpp"

#include <catch2/catch_test_macros.hpp>

#include <cstdio>
#include <string>
#include <utility>

using namespace once::testing;

namespace {

// Those of bytes and those of JSON; both are small where they are stored.
void publish_large(session& db, int count) {
    db.run("select count(publish('t.x', null, p_bytes => decode(repeat('00', 1048576), 'hex'))) from "
           "generate_series(1, " +
           std::to_string(count / 2) + ")");
    db.run("select count(publish('t.x', null, p_json => to_json(repeat('x', 1048570)))) from "
           "generate_series(1, " +
           std::to_string(count - count / 2) + ")");
}

// What a worker may take beyond what it has when it is idle.
constexpr int mebibytes = 256;

void take_all(effects_database const& server, std::string const& kind, int count) {
    child_process worker{
        {ONCE_MEMORY_CLIENT, server.dsn(), kind, std::to_string(count), std::to_string(mebibytes)}};
    auto const end = worker.wait();
    std::printf("%s: %s", kind.c_str(), end.output.c_str());
    INFO(end.output);
    CHECK(end.succeeded());
}

} // namespace

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ONCE_TEST_SHADOWED 1
#endif

TEST_CASE("1000 messages of 1 MiB pass through a relay and a consumer in 256 MiB", "[faults][memory]") {
#ifdef ONCE_TEST_SHADOWED
    SKIP("a sanitizer takes its shadow out of the address space that is limited here");
#endif
    effects_database const server;
    session db{server.dsn()};
    for (auto const* const name : {"relay", "consumer"}) {
        db.run("select subscribe('" + std::string{name} + "', p_from => 'beginning')");
    }
    publish_large(db, 1000);
    take_all(server, "relay", 1000);
    take_all(server, "consumer", 1000);
}

TEST_CASE("large messages pass through the publishers, and come back when they were parked, in 256 MiB",
          "[faults][memory]") {
#ifdef ONCE_TEST_SHADOWED
    SKIP("a sanitizer takes its shadow out of the address space that is limited here");
#endif
    effects_database const server;
    session db{server.dsn()};
    db.run("create table public.target (id uuid, size bigint)");
    for (auto const* const name : {"jsonl", "postgres", "parked"}) {
        db.run("select subscribe('" + std::string{name} +
               "', p_from => 'beginning', p_backoff_base => '1ms', p_backoff_cap => '1ms')");
    }
    publish_large(db, 100);
    take_all(server, "jsonl", 100);
    take_all(server, "postgres", 100);
    for (auto some = next_batch(db, "parked", 1000); some.size() > 0; some = next_batch(db, "parked", 1000)) {
        db.run("select acknowledge('parked', 0, '" + some.token + "', " +
               some.rows[some.size() - 1][0].as<std::string>() +
               ", null, array_agg(id), array_agg('retry'::park_verdict)) from outbox where id between " +
               some.rows[0][0].as<std::string>() + " and " + some.rows[some.size() - 1][0].as<std::string>());
    }
    CHECK(db.ask("select count(*) from parked_message") == "100");
    take_all(server, "parked", 100);
}
