// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "session.hpp"

#include <once/identifier.hpp>

#include "conninfo.hpp"
#include "failure.hpp"
#include "queries.hpp"

#include <pqxx/nontransaction>

namespace once::command {

void check_schema_name(std::string const& name) {
    if (!is_schema_name(name)) {
        throw std::invalid_argument{"--schema: this schema cannot hold once: " +
                                    std::string{schema_name_rule}};
    }
}

namespace {

constexpr int version_17 = 170'000;

pqxx::connection connect(std::string const& conninfo) {
    try {
        return pqxx::connection{with_default(with_setting(conninfo, "client_encoding", "UTF8"),
                                             "application_name", "PGAPPNAME", "once")};
    } catch (pqxx::broken_connection const& e) {
        throw explain_no_connection(e.what(), place_of(conninfo));
    }
}

} // namespace

session::session(target where) : m_where{std::move(where)}, m_connection{connect(m_where.conninfo)} {
    bool const standby = pqxx::nontransaction{m_connection}.exec(queries::is_standby)[0][0].as<bool>();
    m_first_words = std::string{standby ? queries::begin_to_read : queries::begin_to_write} + ";" +
                    queries::bounds +
                    (m_connection.server_version() >= version_17 ? std::string{";"} + queries::newer_bounds
                                                                 : std::string{});
}

void session::begin(pqxx::work& tx) {
    tx.exec(m_first_words);
}

void session::in_transaction(std::function<void(pqxx::work&)> const& body) {
    pqxx::work tx{m_connection};
    begin(tx);
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
    begin(tx);
    auto const there = tx.exec(queries::schema_version_exists, pqxx::params{m_where.schema});
    if (!there[0][0].as<bool>()) {
        return 0;
    }
    tx.exec(queries::use_schema, pqxx::params{m_where.schema});
    return tx.exec(queries::newest_version)[0][0].as<int>();
}

std::optional<std::string> service_of(session& db, std::string const& subscription,
                                      std::optional<std::string> const& service) {
    pqxx::result found;
    try {
        found = db.ask(queries::subscriptions_named, pqxx::params{subscription, service});
    } catch (pqxx::sql_error const& e) {
        if (!is_refused_right(e)) {
            throw;
        }
        // A consumer: it may ask about its own, and is told when there is none.
        static_cast<void>(db.ask(queries::explain_stall, pqxx::params{subscription, service}));
        return service;
    }
    if (found.empty()) {
        auto const some = db.ask(queries::some_subscriptions)[0][0];
        throw not_found{
            "there is no subscription \"" + subscription + "\"" +
            (service ? " of service \"" + *service + "\"" : std::string{}) +
            (some.is_null() ? "; there is none at all" : "; there are: " + std::string{some.view()})};
    }
    if (found.size() > 1) {
        std::string choices;
        for (auto const& row : found) {
            choices += (choices.empty() ? "--service " : " or --service ") +
                       shell_quoted(std::string{row[0].view()});
        }
        throw std::invalid_argument{"several services have a subscription \"" + subscription + "\": give " +
                                    choices};
    }
    return std::string{found[0][0].view()};
}

} // namespace once::command
