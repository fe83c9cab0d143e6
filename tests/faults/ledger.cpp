// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "faults/ledger.hpp"

#include "faults/workload.hpp"

#include <pqxx/nontransaction>
#include <pqxx/params>
#include <pqxx/result>

namespace once::testing {

workload_database::workload_database() {
    pqxx::connection connection{dsn()};
    pqxx::nontransaction{connection}.exec(workload_tables);
    // libpqxx 8 has another name for the port.
    m_upstream = {connection.hostname(), std::stoi(ledger{dsn()}.value("select current_setting('port')"))};
    m_user = connection.username();
}

void ledger::open_account(std::string const& key) {
    pqxx::nontransaction{m_connection}.exec(
        "insert into account (key) values ($1) on conflict (key) do nothing", pqxx::params{key});
}

ledger_entry ledger::entry(std::string const& key) {
    auto const rows = pqxx::nontransaction{m_connection}.exec(
        "select (select count(*) from effect where key = $1), (select balance from account where key = $1), "
        "(select response_json::text from once.idempotency_record where key = $1 and completed_at is not "
        "null)",
        pqxx::params{key});
    auto const& row = rows[0];
    return {.effects = row[0].as<int>(), .balance = row[1].as<int>(0), .stored = row[2].as<std::string>("")};
}

std::string ledger::value(std::string const& sql) {
    auto const rows = pqxx::nontransaction{m_connection}.exec(sql);
    return rows.empty() || rows.columns() == 0 ? std::string{} : rows[0][0].as<std::string>("");
}

} // namespace once::testing
