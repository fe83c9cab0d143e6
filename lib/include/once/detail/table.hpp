// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/column_type.hpp>
#include <once/export.hpp>
#include <once/mapping.hpp>

#include <pqxx/result>
#include <pqxx/transaction_base>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace once::detail {

/// A column as the part of the repository sees it that knows no C++ types of the caller.
struct column_spec {
    std::string_view name;
    column_role role;
    column_form form;
};

/// One value on its way to the server; nothing is NULL. Columns of form `bytes` go binary.
using wire_value = std::optional<std::string>;

/// The values of a row, one for each column of the mapping; those that are not sent are NULL.
using wire_row = std::vector<wire_value>;

/// A row that came back, as a place in a result.
struct found_row {
    pqxx::result rows;
    int place = 0;
};

/// The same, with what `insert` adds.
struct inserted_row {
    found_row row;
    bool inserted = false;
};

/// What a versioned write found.
struct written_row {
    enum class kind { written, stale, missing };
    kind outcome = kind::missing;
    /// The row as written or, when stale, as it is now.
    std::optional<found_row> row;
};

/// A repository without the types of its rows: all SQL is run here.
/**
 * @par Thread safety
 * Immutable: one object serves all threads, each with its own transaction.
 */
class ONCE_EXPORT table {
public:
    /// Reads the key of a row back and writes it as it would be sent, so that it compares with what was sent.
    using key_reader = std::function<wire_row(found_row const&)>;

    /// @param key places of the columns that decide whether a row is new
    /// @throws once::invalid_argument for a bad name of the table
    table(std::string_view name, std::vector<column_spec> columns, std::vector<std::size_t> key);
    ~table();

    table(table const&) = delete;
    table& operator=(table const&) = delete;

    /// As the caller gave it.
    [[nodiscard]] std::string const& name() const noexcept;

    /// `shop.orders.note`, for errors.
    [[nodiscard]] std::string field(std::size_t column) const;

    [[nodiscard]] inserted_row insert(pqxx::transaction_base& tx, wire_row const& row) const;

    /// Inserts without a look at the key.
    [[nodiscard]] found_row append(pqxx::transaction_base& tx, wire_row const& row) const;
    [[nodiscard]] std::vector<found_row> append_many(pqxx::transaction_base& tx,
                                                     std::span<wire_row const> rows) const;

    [[nodiscard]] std::vector<inserted_row>
    insert_many(pqxx::transaction_base& tx, std::span<wire_row const> rows, key_reader const& key_of) const;

    /// @param places columns that together are unique
    /// @param values their values
    [[nodiscard]] std::optional<found_row> find(pqxx::transaction_base& tx,
                                                std::span<std::size_t const> places,
                                                std::span<wire_value const> values) const;

    /// Updates by the id and version in `row`.
    /// @param changed which of the other columns to write; the version is raised in any case
    [[nodiscard]] written_row update(pqxx::transaction_base& tx, wire_row const& row,
                                     std::span<std::size_t const> changed) const;

    /// Deletes by the id and version in `row`.
    [[nodiscard]] written_row erase(pqxx::transaction_base& tx, wire_row const& row) const;

private:
    struct plan;
    std::unique_ptr<plan const> m_plan;
};

/// A field as text, or nothing for NULL. The view lives as long as the result.
[[nodiscard]] ONCE_EXPORT std::optional<std::string_view> read_field(found_row const& row,
                                                                     std::size_t column);

/// @throws once::invalid_argument
ONCE_EXPORT void check_version(std::int64_t version, table const& table, std::size_t column);

/// @throws once::invalid_argument
ONCE_EXPORT void check_attempts(int attempts);

/// @throws once::invalid_argument
[[noreturn]] ONCE_EXPORT void refuse_value(table const& table, std::size_t column, value_error const& reason);

/// @throws once::invalid_argument
[[noreturn]] ONCE_EXPORT void refuse_member(table const& table);

/// @throws once::corrupt_record
[[noreturn]] ONCE_EXPORT void refuse_null(table const& table, std::size_t column);

/// @throws once::corrupt_record
[[noreturn]] ONCE_EXPORT void refuse_field(table const& table, std::size_t column, value_error const& reason);

} // namespace once::detail
