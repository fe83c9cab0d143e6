// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "support/database.hpp"
#include "support/wire_proxy.hpp"

#include <pqxx/connection>

#include <string>

namespace once::testing {

/// A database of its own with the tables of the workload.
class workload_database : public test_database {
public:
    workload_database();

    /// The server itself, for a wire_proxy in front of it.
    [[nodiscard]] wire_upstream const& upstream() const noexcept { return m_upstream; }
    [[nodiscard]] std::string const& user() const noexcept { return m_user; }
    [[nodiscard]] std::string through(wire_proxy const& proxy) const { return proxy.dsn(name(), m_user); }

private:
    wire_upstream m_upstream;
    std::string m_user;
};

/// What stands in the database for one key.
struct ledger_entry {
    int effects = 0;
    int balance = 0;
    /// Body of the completed record; empty when there is none.
    std::string stored{};
};

/// Looks at a workload database past the library, on a connection of its own. One thread at a time.
class ledger {
public:
    explicit ledger(std::string const& dsn) : m_connection{dsn} {}

    /// Makes the row that the workload updates.
    void open_account(std::string const& key);
    [[nodiscard]] ledger_entry entry(std::string const& key);
    /// The first value that `sql` answers, as text; empty when there is none.
    std::string value(std::string const& sql);

private:
    pqxx::connection m_connection;
};

} // namespace once::testing
