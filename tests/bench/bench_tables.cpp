// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "bench_tables.hpp"

#include <pqxx/connection>
#include <pqxx/nontransaction>
#include <pqxx/result>
#include <pqxx/row>

namespace once::bench {

namespace {

std::string filled(std::string begin, std::size_t size) {
    std::string const end = "\"}";
    begin.append(size - begin.size() - end.size(), 'x');
    return begin + end;
}

void run(std::string const& dsn, std::string const& sql) {
    pqxx::connection connection{dsn};
    pqxx::nontransaction session{connection};
    session.exec(sql);
}

} // namespace

std::string const& payload() {
    static std::string const text = filled(R"({"order":4711,"customer":"alice","note":")", 100);
    return text;
}

std::string const& response_text() {
    static std::string const text = filled(R"({"id":4711,"customer":"alice","cents":4200,"detail":")", 200);
    return text;
}

std::string const& request_text() {
    static std::string const text = filled(R"({"customer":"alice","cents":4200,"note":")", 100);
    return text;
}

void create_tables(std::string const& dsn) {
    run(dsn, R"sql(
        set client_min_messages = warning;
        create schema bench;
        create table bench.orders (
            id bigint generated always as identity primary key,
            customer text not null, cents bigint not null, created timestamptz not null default now());
        create table bench.outbox (
            id bigint generated always as identity primary key,
            topic text not null, key text not null, payload json not null,
            created timestamptz not null default now());
        create table bench.idempotency_key (
            scope text not null, key text not null, request_hash bytea not null,
            created timestamptz not null default now(), status integer, response json,
            primary key (scope, key)))sql");
}

void empty_tables(std::string const& dsn) {
    run(dsn, "truncate bench.orders, bench.outbox, bench.idempotency_key, once.idempotency_record, "
             "once.inbox, once.operation, once.request_window");
    run(dsn, "checkpoint");
}

row_counts count_rows(std::string const& dsn) {
    pqxx::connection connection{dsn};
    pqxx::nontransaction session{connection};
    auto const rows =
        session.exec("select (select count(*) from bench.orders), (select count(*) from bench.outbox), "
                     "(select count(*) from bench.idempotency_key), "
                     "(select count(*) from once.idempotency_record where completed_at is not null)");
    auto const& row = rows[0];
    return {row[0].as<std::int64_t>(), row[1].as<std::int64_t>(), row[2].as<std::int64_t>(),
            row[3].as<std::int64_t>()};
}

std::string ask(std::string const& dsn, std::string const& sql) {
    pqxx::connection connection{dsn};
    pqxx::nontransaction session{connection};
    return session.exec(sql)[0][0].as<std::string>();
}

} // namespace once::bench
