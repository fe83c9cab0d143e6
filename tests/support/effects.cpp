// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "effects.hpp"

#include <pqxx/connection>
#include <pqxx/nontransaction>
#include <pqxx/params>
#include <pqxx/result>
#include <pqxx/row>

#include <memory>
#include <stdexcept>
#include <utility>

namespace once::testing {

std::string ask(std::string const& dsn, std::string const& sql) {
    pqxx::connection connection{dsn};
    pqxx::nontransaction session{connection};
    auto const rows = session.exec(sql);
    return rows.empty() ? "" : rows[0][0].as<std::string>("NULL");
}

void run(std::string const& dsn, std::string const& sql) {
    pqxx::connection connection{dsn};
    pqxx::nontransaction session{connection};
    session.exec(sql);
}

effects_database::effects_database() {
    run("create table effect (id bigint generated always as identity primary key, what text not null)");
}

int effects_database::effects() const {
    return std::stoi(ask("select count(*) from effect"));
}

int effects_database::records() const {
    return std::stoi(ask("select count(*) from once.idempotency_record"));
}

wire_upstream effects_database::upstream() const {
    pqxx::connection const connection{dsn()};
    char const* const host = connection.hostname();
    if (host == nullptr || *host != '/') {
        throw std::runtime_error{"ONCE_TEST_DSN does not name the folder of a Unix socket"};
    }
    // libpqxx 8 has another name for the port.
    return {host, std::stoi(ask("select current_setting('port')"))};
}

std::string effects_database::through(wire_proxy const& proxy) const {
    pqxx::connection const connection{dsn()};
    return proxy.dsn(name(), connection.username());
}

void add_effect(pqxx::transaction_base& tx, std::string const& what) {
    tx.exec("insert into effect (what) values ($1)", pqxx::params{what});
}

statement effect_statement(std::string const& what) {
    return {"insert into effect (what) values ($1) returning id, what", parameters{what}};
}

request request_of(std::string key) {
    return {.scope = "test", .key = std::move(key), .fingerprint = once::no_fingerprint};
}

request asked(std::string key, std::string const& body) {
    auto made = request_of(std::move(key));
    made.fingerprint = fingerprint{body};
    return made;
}

void expire_leases(effects_database const& server) {
    server.run(
        "update once.lease set acquired_at = acquired_at - interval '1 day', renewed_at = renewed_at - "
        "interval '1 day', expires_at = expires_at - interval '1 day'");
    if (server.ask("select bool_and(state = 'expired') from once.lease_readable") != "t") {
        throw std::logic_error{"a lease of a test did not expire"};
    }
}

} // namespace once::testing
