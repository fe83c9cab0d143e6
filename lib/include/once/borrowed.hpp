// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/export.hpp>

#include <pqxx/dbtransaction>

#include <string>
#include <string_view>

namespace once {

class transaction;

/// A transaction that the caller owns, as `claim`, `publish` and their like take it, with the schema of the library in
/// it.
/**
 * Any libpqxx transaction becomes one by itself. Where the library's objects are not in the schema `once`, say so once
 * for each transaction:
 *
 * @code
 * pqxx::work work{connection};
 * once::borrowed const tx{work, "billing"};
 * auto const claimed = once::claim(tx, request);
 * @endcode
 *
 * The transaction of a callback brings the schema of its `database` along.
 *
 * @par Thread safety
 * That of the transaction, which must live longer.
 */
class ONCE_EXPORT borrowed {
public:
    borrowed(pqxx::dbtransaction& tx) : m_tx{&tx}, m_schema{"once"} {} // NOLINT(google-explicit-constructor)
    borrowed(transaction& tx);                                         // NOLINT(google-explicit-constructor)

    /// @param schema the schema that holds the library's objects; `schema_name_rule` says which names it can have
    /// @throws once::invalid_argument
    borrowed(pqxx::dbtransaction& tx, std::string_view schema);

    [[nodiscard]] pqxx::dbtransaction& operator*() const noexcept { return *m_tx; }
    [[nodiscard]] pqxx::dbtransaction* operator->() const noexcept { return m_tx; }

    /// The schema that holds the library's objects.
    [[nodiscard]] std::string const& schema() const noexcept { return m_schema; }

private:
    pqxx::dbtransaction* m_tx;
    std::string m_schema;
};

} // namespace once
