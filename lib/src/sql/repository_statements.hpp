// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/column_type.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace once::sql {

/// A column as the texts below need it.
struct repository_column {
    /// Checked; it is quoted here.
    std::string name;
    column_form form;
};

/// Places of columns in the list of the mapping.
using column_places = std::span<std::size_t const>;

/// The SQL of one repository. Each text begins with a comment that names it in pg_stat_activity.
/**
 * Wherever rows come back, all columns of the mapping come, in its order, each in the form that its `column_form`
 * promises.
 */
class repository_statements {
public:
    /// @param table as `table_name::quoted` gives it
    /// @param first_version the column that an insert fills with a number that never came before, if there is one
    repository_statements(std::string table, std::vector<repository_column> const& columns,
                          std::optional<std::size_t> first_version);

    /// Inserts `rows` rows and returns those that are new.
    /**
     * $1 … the values of `written`, row by row.
     * `conflict`: the columns of the unique constraint that decides; empty means that every conflict is an error.
     * Waits for a transaction that inserts the same key; locks nothing of a row that is already there.
     */
    [[nodiscard]] std::string insert(std::size_t rows, column_places written, column_places conflict) const;

    /// The row with this key. $1 … the values of `key`. Locks nothing. At most two rows, so that a key that is not
    /// unique is noticed.
    [[nodiscard]] std::string find(column_places key) const;

    /// The rows with any of `rows` keys. $1 … the values of `key`, row by row. Locks nothing.
    [[nodiscard]] std::string find_any(std::size_t rows, column_places key) const;

    /// Writes a row of a known version, and returns it.
    /**
     * $1 id, $2 version that was read, $3 … the values of `written`.
     * Locks the row (FOR NO KEY UPDATE, or FOR UPDATE when a key changes); waits for the transaction that has it
     * locked, and then looks at the version again.
     */
    [[nodiscard]] std::string update(std::size_t id, std::size_t version, column_places written) const;

    /// Deletes a row of a known version, and returns it. $1 id, $2 version that was read. Locks the row (FOR UPDATE).
    [[nodiscard]] std::string erase(std::size_t id, std::size_t version) const;

private:
    [[nodiscard]] std::string quoted(column_places places) const;

    std::string m_table;
    std::optional<std::size_t> m_first_version;
    std::vector<std::string> m_quoted;
    std::string m_read;
};

} // namespace once::sql
