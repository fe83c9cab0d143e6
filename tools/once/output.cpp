// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "output.hpp"

#include <algorithm>
#include <iomanip>
#include <ostream>
#include <string_view>
#include <vector>

namespace once::command {

namespace {

// Types of pg_type.dat; they never change.
constexpr pqxx::oid bool_oid = 16;
constexpr pqxx::oid int8_oid = 20;
constexpr pqxx::oid int2_oid = 21;
constexpr pqxx::oid int4_oid = 23;
constexpr pqxx::oid float4_oid = 700;
constexpr pqxx::oid float8_oid = 701;
constexpr pqxx::oid numeric_oid = 1700;

bool is_number(pqxx::oid type) {
    return type == int8_oid || type == int2_oid || type == int4_oid || type == float4_oid ||
           type == float8_oid || type == numeric_oid;
}

nlohmann::ordered_json to_value(std::string_view text, pqxx::oid type) {
    if (type == bool_oid) {
        return text == "t";
    }
    if (is_number(type)) {
        auto number = nlohmann::ordered_json::parse(text, nullptr, false);
        return number.is_number() ? number : nlohmann::ordered_json(std::string{text}); // NaN, Infinity
    }
    return std::string{text};
}

// Code points, which is what a terminal counts for the texts that are shown here.
std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

std::string cell_text(pqxx::result const& rows, pqxx::result::size_type row, pqxx::row::size_type column) {
    auto const cell = rows[row][column];
    if (cell.is_null()) {
        return "";
    }
    if (rows.column_type(column) == bool_oid) {
        return cell.view() == "t" ? "yes" : "no";
    }
    std::string text{cell.view()};
    std::ranges::replace(text, '\n', ' ');
    return text;
}

} // namespace

std::string_view bare_line(std::string_view line) {
    constexpr std::string_view name = "once: ";
    line.remove_prefix(line.starts_with(name) ? name.size() : 0);
    return line.substr(0, line.find_last_not_of('\n') + 1);
}

nlohmann::ordered_json to_json(pqxx::result const& rows) {
    auto list = nlohmann::ordered_json::array();
    for (pqxx::result::size_type row = 0; row < rows.size(); ++row) {
        auto object = nlohmann::ordered_json::object();
        for (pqxx::row::size_type column = 0; column < rows.columns(); ++column) {
            auto const cell = rows[row][column];
            object[rows.column_name(column)] = cell.is_null()
                                                   ? nlohmann::ordered_json(nullptr)
                                                   : to_value(cell.view(), rows.column_type(column));
        }
        list.push_back(std::move(object));
    }
    return list;
}

void print_json(std::ostream& out, nlohmann::ordered_json const& value) {
    out << value.dump(2) << '\n';
}

void print_table(std::ostream& out, pqxx::result const& rows, std::string const& empty) {
    if (rows.empty()) {
        out << empty << '\n';
        return;
    }
    std::vector<std::size_t> widths;
    for (pqxx::row::size_type column = 0; column < rows.columns(); ++column) {
        std::size_t width = width_of(rows.column_name(column));
        for (pqxx::result::size_type row = 0; row < rows.size(); ++row) {
            width = std::max(width, width_of(cell_text(rows, row, column)));
        }
        widths.push_back(width);
    }
    auto const pad = [&](std::string const& text, pqxx::row::size_type column, bool right) {
        auto const space = std::string(widths[static_cast<std::size_t>(column)] - width_of(text), ' ');
        bool const last = column + 1 == rows.columns();
        out << (right ? space + text : last ? text : text + space) << (last ? "\n" : "  ");
    };
    for (pqxx::row::size_type column = 0; column < rows.columns(); ++column) {
        pad(rows.column_name(column), column, is_number(rows.column_type(column)));
    }
    for (pqxx::result::size_type row = 0; row < rows.size(); ++row) {
        for (pqxx::row::size_type column = 0; column < rows.columns(); ++column) {
            pad(cell_text(rows, row, column), column, is_number(rows.column_type(column)));
        }
    }
}

void print_records(std::ostream& out, pqxx::result const& rows) {
    std::size_t width = 0;
    for (pqxx::row::size_type column = 0; column < rows.columns(); ++column) {
        width = std::max(width, width_of(rows.column_name(column)));
    }
    for (pqxx::result::size_type row = 0; row < rows.size(); ++row) {
        for (pqxx::row::size_type column = 0; column < rows.columns(); ++column) {
            std::string const name{rows.column_name(column)};
            out << name << std::string(width - width_of(name) + 2, ' ') << cell_text(rows, row, column)
                << '\n';
        }
    }
}

void print(std::ostream& out, format how, pqxx::result const& rows, std::string const& empty) {
    if (how == format::json) {
        print_json(out, to_json(rows));
    } else {
        print_table(out, rows, empty);
    }
}

} // namespace once::command
