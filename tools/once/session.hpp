// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <pqxx/connection>
#include <pqxx/params>
#include <pqxx/result>
#include <pqxx/transaction>

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace once::command {

/// What the operator said about where to work.
struct target {
    /// libpq connection string; empty: libpq's own environment and defaults.
    std::string conninfo;
    /// The schema that holds the library's objects.
    std::string schema = "once";
};

/// @throws std::invalid_argument when it is no name that the library takes for a schema
void check_schema_name(std::string const& name);

/// What was asked for is not there.
class not_found : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// One connection of the command. Every transaction works in the schema of the target.
class session {
public:
    /// @throws failure when no server is reached, saying where
    explicit session(target where);

    /// The first words of each transaction: what it does depends on nothing that role, database or environment have
    /// set.
    void begin(pqxx::work& tx);

    /// Runs one statement in a transaction of its own.
    pqxx::result ask(std::string_view sql, pqxx::params const& values = {});

    /// Runs `body` in one transaction, and commits.
    void in_transaction(std::function<void(pqxx::work&)> const& body);

    [[nodiscard]] pqxx::connection& connection() noexcept { return m_connection; }
    [[nodiscard]] target const& where() const noexcept { return m_where; }

    /// Number of the newest migration in the schema; 0 when there is none, or no schema.
    [[nodiscard]] int installed_version();

private:
    target m_where;
    pqxx::connection m_connection;
    std::string m_first_words;
};

/// The service whose subscription is meant.
/**
 * @param service what the operator said; without it the name has to be that of one service only
 * @return nothing where the role may not read the table of subscriptions: then it is that of its own service
 * @throws not_found naming some that are there, std::invalid_argument naming the services when it is not clear
 */
[[nodiscard]] std::optional<std::string> service_of(session& db, std::string const& subscription,
                                                    std::optional<std::string> const& service);

} // namespace once::command
