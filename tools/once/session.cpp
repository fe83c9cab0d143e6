// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "session.hpp"

#include <once/identifier.hpp>

#include "queries.hpp"

namespace once::command {

void check_schema_name(std::string const& name) {
    if (!is_schema_name(name)) {
        throw std::invalid_argument{"--schema: this schema cannot hold once: " + std::string{schema_name_rule}};
    }
}

session::session(target where) : m_where{std::move(where)}, m_connection{m_where.conninfo} {}

void session::in_transaction(std::function<void(pqxx::work&)> const& body) {
    pqxx::work tx{m_connection};
    tx.exec(queries::bounds);
    tx.exec(queries::use_schema, pqxx::params{m_where.schema});
    body(tx);
    tx.commit();
}

pqxx::result session::ask(std::string_view sql, pqxx::params const& values) {
    pqxx::result answer;
    in_transaction([&](pqxx::work& tx) { answer = tx.exec(sql, values); });
    return answer;
}

int session::installed_version() {
    pqxx::work tx{m_connection};
    tx.exec(queries::bounds);
    auto const there = tx.exec(queries::schema_version_exists, pqxx::params{m_where.schema});
    if (!there[0][0].as<bool>()) {
        return 0;
    }
    tx.exec(queries::use_schema, pqxx::params{m_where.schema});
    return tx.exec(queries::newest_version)[0][0].as<int>();
}

} // namespace once::command
