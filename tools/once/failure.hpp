// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "session.hpp"

#include <pqxx/except>

#include <stdexcept>
#include <string>
#include <string_view>

namespace once::command {

/// What a command ends with: a sentence that says what is wrong and what to do, and what the server said.
class failure : public std::runtime_error {
public:
    failure(int status, std::string const& text, std::string raw)
        : std::runtime_error{text}, m_status{status}, m_raw{std::move(raw)} {}
    [[nodiscard]] int status() const noexcept { return m_status; }
    /// For --verbose.
    [[nodiscard]] std::string const& raw() const noexcept { return m_raw; }

private:
    int m_status;
    std::string m_raw;
};

/// What is known about a place where a statement failed.
struct place_facts {
    std::string database{};
    std::string schema{};
    /// Role that the rights are those of.
    std::string role{};
    bool schema_there = false;
    /// The table of versions is in it.
    bool tables_there = false;
    /// Without the right to use the schema its tables are not seen.
    bool may_use_schema = true;
    /// 0: not known, or none.
    int installed = 0;
    int known = 0;
    /// Schemas of this database that hold the library's tables.
    std::string other_schemas{};
    bool standby = false;
};

/// Whether a right is missing (42501). libpqxx 7.10 throws a class of its own for that, without the SQLSTATE.
[[nodiscard]] bool is_refused_right(pqxx::sql_error const& e);

/// A sentence for an error of the server, by its SQLSTATE; what it does not know it leaves as the server says it. Pure.
/// @param text   what the server says
/// @param needed the group role whose rights the command needs: inspector, consumer, administrator, owner
[[nodiscard]] failure explain_refusal(std::string_view sqlstate, std::string const& text,
                                      place_facts const& facts, std::string const& needed);

/// A sentence for a connection that was not made. Pure.
/// @param text  what libpq says
/// @param place where to, see place_of
[[nodiscard]] failure explain_no_connection(std::string const& text, std::string const& place);

/// Asks `db` for what `explain_refusal` wants to know. Never throws.
[[nodiscard]] failure explained(pqxx::sql_error const& e, session& db, std::string const& needed);

} // namespace once::command
