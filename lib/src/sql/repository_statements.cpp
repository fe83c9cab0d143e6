// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "sql/repository_statements.hpp"

#include "text/quote.hpp"

#include <string_view>
#include <utility>

namespace once::sql {

namespace {

// What a session may set (DateStyle, TimeZone, bytea_output, extra_float_digits) must not change what is read.
std::string read_expression(std::string const& column, column_form form) {
    switch (form) {
    case column_form::bytes:
        return "encode(" + column + ", 'hex')";
    case column_form::instant:
        return "case when isfinite(" + column + ") then (extract(epoch from " + column +
               ") * 1000000)::bigint when " + column + " > 'epoch' then 9223372036854775807 when " + column +
               " < 'epoch' then -9223372036854775808 end";
    case column_form::date:
        return "case when isfinite(" + column + ") then " + column + " - date '1970-01-01' when " + column +
               " > 'epoch' then 2147483647 when " + column + " < 'epoch' then -2147483648 end";
    case column_form::floating: {
        // A number of another type keeps its digits, so that the member can refuse what it would round. (A sum has the
        // type below a domain.)
        auto const type = "pg_typeof(" + column + " + 0) = 'double precision'::regtype";
        return "case when " + type + " then encode(float8send(" + column + "::float8), 'hex') else '=' || " +
               column + "::text end";
    }
    case column_form::text:
        break;
    }
    return column;
}

std::string placeholder(std::size_t number) {
    return '$' + std::to_string(number);
}

/// `$first, $first+1, …`
std::string placeholders(std::size_t first, std::size_t count) {
    std::string list;
    for (std::size_t i = 0; i < count; ++i) {
        list += (i == 0 ? "" : ", ") + placeholder(first + i);
    }
    return list;
}

// Microseconds since 1970: a row that is inserted again, after it was erased, has more than all updates before can have
// added. It fits into the numbers of JavaScript.
constexpr std::string_view never_came_before = "(extract(epoch from clock_timestamp()) * 1000000)::bigint";

/// `($1, $2), ($3, $4), …`; with one column `$1, $2, …` when `bare`. `last` stands at the end of each.
std::string tuples(std::size_t rows, std::size_t columns, bool bare, std::string_view last = {}) {
    std::string list;
    for (std::size_t row = 0; row < rows; ++row) {
        auto const values = placeholders(row * columns + 1, columns).append(last);
        list += (row == 0 ? "" : ", ") + (bare && columns == 1 ? values : '(' + values + ')');
    }
    return list;
}

} // namespace

repository_statements::repository_statements(std::string table, std::vector<repository_column> const& columns,
                                             std::optional<std::size_t> first_version)
    : m_table{std::move(table)}, m_first_version{first_version} {
    for (auto const& column : columns) {
        m_quoted.push_back(quote_identifier(column.name));
        m_read += (m_read.empty() ? "" : ", ") + read_expression(m_quoted.back(), column.form);
    }
}

std::string repository_statements::quoted(column_places places) const {
    std::string list;
    for (auto const place : places) {
        list += (list.empty() ? "" : ", ") + m_quoted[place];
    }
    return list;
}

std::string repository_statements::insert(std::size_t rows, column_places written,
                                          column_places conflict) const {
    auto columns = quoted(written);
    std::string last;
    if (m_first_version) {
        columns += ", " + m_quoted[*m_first_version];
        last.append(", ").append(never_came_before);
    }
    auto sql = "/* once: repository insert */ insert into " + m_table + " (" + columns + ") values " +
               tuples(rows, written.size(), false, last);
    if (!conflict.empty()) {
        sql += " on conflict (" + quoted(conflict) + ") do nothing";
    }
    return sql += " returning " + m_read;
}

std::string repository_statements::find(column_places key) const {
    auto sql = "/* once: repository find */ select " + m_read + " from " + m_table + " where ";
    for (std::size_t i = 0; i < key.size(); ++i) {
        sql += (i == 0 ? "" : " and ") + m_quoted[key[i]] + " = " + placeholder(i + 1);
    }
    return sql += " limit 2";
}

std::string repository_statements::find_any(std::size_t rows, column_places key) const {
    return "/* once: repository find_any */ select " + m_read + " from " + m_table + " where (" +
           quoted(key) + ") in (" + tuples(rows, key.size(), true) + ')';
}

std::string repository_statements::update(std::size_t id, std::size_t version, column_places written) const {
    auto const& counter = m_quoted[version];
    auto sql =
        "/* once: repository update */ update " + m_table + " set " + counter + " = " + counter + " + 1";
    for (std::size_t i = 0; i < written.size(); ++i) {
        sql += ", " + m_quoted[written[i]] + " = " + placeholder(i + 3);
    }
    return sql += " where " + m_quoted[id] + " = $1 and " + counter + " = $2 returning " + m_read;
}

std::string repository_statements::erase(std::size_t id, std::size_t version) const {
    return "/* once: repository erase */ delete from " + m_table + " where " + m_quoted[id] + " = $1 and " +
           m_quoted[version] + " = $2 returning " + m_read;
}

} // namespace once::sql
