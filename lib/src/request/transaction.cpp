// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/borrowed.hpp>
#include <once/transaction.hpp>

#include "request/work.hpp"
#include "text/schema_name.hpp"

namespace once {

transaction::transaction(detail::work& work)
    : pqxx::dbtransaction{work.on().connection(), std::string_view{"once"}}, m_work{work} {
    register_transaction();
}

transaction::~transaction() noexcept {
    close(); // open still: rolls back
}

int transaction::attempt() const noexcept {
    return m_work.attempt();
}

std::string const& transaction::schema() const noexcept {
    return m_work.context().pool.options().schema;
}

std::chrono::steady_clock::time_point transaction::deadline() const noexcept {
    return m_work.context().deadline;
}

void transaction::at_commit(statement statement) {
    m_work.at_commit(std::move(statement));
}

message_id transaction::publish(message const& message) {
    return m_work.publish(message);
}

borrowed::borrowed(transaction& tx) : m_tx{&tx}, m_schema{tx.schema()} {}

borrowed::borrowed(pqxx::dbtransaction& tx, std::string_view schema)
    : m_tx{&tx}, m_schema{detail::checked_schema(schema, "schema")} {}

#if PQXX_VERSION_MAJOR >= 8
void transaction::do_commit(pqxx::sl) {
    m_work.commit();
}

void transaction::do_abort(pqxx::sl) {
    m_work.abort();
}
#else
void transaction::do_commit() {
    m_work.commit();
}

void transaction::do_abort() {
    m_work.abort();
}
#endif

} // namespace once
