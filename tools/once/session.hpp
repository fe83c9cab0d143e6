// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <pqxx/connection>
#include <pqxx/params>
#include <pqxx/result>
#include <pqxx/transaction>

#include <functional>
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
    explicit session(target where);

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
};

} // namespace once::command
