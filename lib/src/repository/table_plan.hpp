// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/detail/table.hpp>
#include <once/identifier.hpp>

#include "sql/repository_statements.hpp"

#include <pqxx/params>
#include <pqxx/result>
#include <pqxx/transaction_base>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace once::detail {

/// What a table works out once, when it is made.
struct table::plan {
    plan(std::string_view table, std::vector<column_spec> all, std::vector<std::size_t> key_places);

    table_name name;
    std::vector<column_spec> columns;
    /// Columns that decide whether a row is new; empty when nothing does.
    std::vector<std::size_t> key;
    /// Columns that an insert sends.
    std::vector<std::size_t> inserted;
    std::size_t id = 0;
    std::size_t version = 0;

    sql::repository_statements statements;
    /// The texts that do not depend on a number of rows.
    std::string insert_one;
    std::string append_one;
    std::string find_by_id;
    std::string find_by_key;
    std::string erase_one;

    /// Appends `row`'s values of these columns. `row` must outlive `values`.
    void bind(pqxx::params& values, wire_row const& row, std::span<std::size_t const> places) const;

    /// Appends one value. It must outlive `values`.
    void bind(pqxx::params& values, wire_value const& value, std::size_t place) const;

    /// The row with this key in `row`, if there is one.
    [[nodiscard]] std::optional<found_row> find(pqxx::transaction_base& tx, std::string const& statement,
                                                wire_row const& row,
                                                std::span<std::size_t const> places) const;

    /// At most one row, or an error.
    [[nodiscard]] std::optional<found_row> at_most_one(pqxx::result rows,
                                                       std::span<std::size_t const> places) const;

    /// One row by the rules of `repository::insert`.
    [[nodiscard]] inserted_row insert(pqxx::transaction_base& tx, wire_row const& row) const;

    /// One row, without a look at the key.
    [[nodiscard]] found_row append(pqxx::transaction_base& tx, wire_row const& row) const;

    [[noreturn]] void refuse_suppressed_insert() const;

    /// The versioned statement, and what the row is now when it hit nothing.
    /// @throws once::error when the row is there with this very version
    [[nodiscard]] written_row write(pqxx::transaction_base& tx, std::string const& statement,
                                    wire_row const& row, std::span<std::size_t const> sent) const;
};

} // namespace once::detail
