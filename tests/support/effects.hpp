// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/request.hpp>
#include <once/statement.hpp>

#include "support/database.hpp"
#include "support/wire_proxy.hpp"

#include <pqxx/transaction_base>

#include <string>

namespace once::testing {

/// The first field of the first row, "NULL" for null, "" without a row; on a connection of its own.
[[nodiscard]] std::string ask(std::string const& dsn, std::string const& sql);

/// Runs statements outside of a transaction, on a connection of its own.
void run(std::string const& dsn, std::string const& sql);

/// A database with the table `effect(id, what)`: each business write of a test leaves a row there.
class effects_database : public test_database {
public:
    effects_database();

    /// The first field of the first row, asked past everything that a test puts in between.
    [[nodiscard]] std::string ask(std::string const& sql) const { return testing::ask(dsn(), sql); }
    void run(std::string const& sql) const { testing::run(dsn(), sql); }

    /// Committed rows of `effect`.
    [[nodiscard]] int effects() const;
    /// Committed idempotency records.
    [[nodiscard]] int records() const;

    /// Where a wire_proxy for this database goes.
    [[nodiscard]] wire_upstream upstream() const;
    /// Connection string through `proxy`.
    [[nodiscard]] std::string through(wire_proxy const& proxy) const;
};

/// The business write of the tests.
void add_effect(pqxx::transaction_base& tx, std::string const& what = "written");

/// The same as data; returns the row.
[[nodiscard]] statement effect_statement(std::string const& what = "written");

/// A request of scope "test".
[[nodiscard]] request request_of(std::string key);

/// The same with the fingerprint of a body.
[[nodiscard]] request asked(std::string key, std::string const& body = "tea");

/// Lets the time of every lease run out.
void expire_leases(effects_database const& server);

} // namespace once::testing
