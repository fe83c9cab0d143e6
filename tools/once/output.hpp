// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <nlohmann/json.hpp>
#include <pqxx/result>

#include <iosfwd>
#include <string>
#include <string_view>

namespace once::command {

/// For people or for machines.
enum class format { table, json };

/// A line of the library or of libpq without the name of the library in front, and without a line break at its end.
[[nodiscard]] std::string_view bare_line(std::string_view line);

/// JSON on one line, or indented; what a terminal must not get is escaped in its strings, wherever it goes.
[[nodiscard]] std::string json_text(nlohmann::ordered_json const& value, int indent = -1);

/// The rows as JSON: an array of objects, numbers and truth values as such, times in ISO 8601, everything
/// else as text.
[[nodiscard]] nlohmann::ordered_json to_json(pqxx::result const& rows);

/// For machines: indented, with a line break at its end.
void print_json(std::ostream& out, nlohmann::ordered_json const& value);

/// The rows as a table with a line of column names; `empty` stands where there is none. For people: text of others is
/// printable, on a terminal times are relative and it fits its width (see screen.hpp); where too many columns are in
/// the way of that, it becomes what `print_records` prints.
void print_table(std::ostream& out, pqxx::result const& rows, std::string const& empty);

/// One column name and value per line, for rows that are wide; an empty line between two of them.
void print_records(std::ostream& out, pqxx::result const& rows);

/// `print_table` or `to_json`, with a line break at its end.
void print(std::ostream& out, format how, pqxx::result const& rows, std::string const& empty);

} // namespace once::command
