// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "output.hpp"

#include "printable.hpp"
#include "screen.hpp"
#include "times.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
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
constexpr pqxx::oid timestamptz_oid = 1184;
constexpr pqxx::oid interval_oid = 1186;
constexpr pqxx::oid numeric_oid = 1700;
constexpr pqxx::oid uuid_oid = 2950;

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
    return type == timestamptz_oid ? iso_time(text) : std::string{text};
}

std::string cell_text(std::ostream& out, pqxx::result const& rows, pqxx::result::size_type row,
                      pqxx::row::size_type column) {
    auto const cell = rows[row][column];
    if (cell.is_null()) {
        return "";
    }
    bool const terminal = screen_of(out).terminal;
    switch (rows.column_type(column)) {
    case bool_oid:
        return cell.view() == "t" ? "yes" : "no";
    case timestamptz_oid:
        if (auto const at = read_time(cell.view()); terminal && at) {
            return relative_time(
                *at, std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now()));
        }
        return iso_seconds(cell.view());
    case interval_oid:
        return terminal ? short_interval(cell.view()) : std::string{cell.view()};
    default:
        return printable(cell.view());
    }
}

// Words of the library that say how something is.
ink ink_of(std::string_view column, std::string_view text) {
    if (column != "state") {
        return ink::plain;
    }
    return text == "dead" || text == "expired"                           ? ink::bad
           : text == "retrying" || text == "waiting" || text == "paused" ? ink::doubtful
                                                                         : ink::plain;
}

// What can be cut: not what people copy from here, nor what is short anyway.
bool can_be_cut(pqxx::oid type) {
    return !is_number(type) && type != uuid_oid && type != bool_oid && type != timestamptz_oid &&
           type != interval_oid;
}

using cells = std::vector<std::vector<std::string>>;

/// What the columns need, cut to the terminal where there is one; nothing when they cannot be cut so far.
std::optional<std::vector<std::size_t>> widths_of(std::ostream& out, pqxx::result const& rows,
                                                  cells const& texts) {
    constexpr std::size_t least = 10;
    constexpr std::size_t gap = 2;
    std::vector<std::size_t> widths;
    std::size_t total = 0;
    for (pqxx::row::size_type column = 0; column < rows.columns(); ++column) {
        std::size_t width = columns_of(rows.column_name(column));
        for (auto const& row : texts) {
            width = std::max(width, columns_of(row[static_cast<std::size_t>(column)]));
        }
        widths.push_back(width);
        total += width + (column == 0 ? 0 : gap);
    }
    auto const columns = static_cast<std::size_t>(screen_of(out).columns);
    while (columns != 0 && total > columns) {
        std::size_t* widest = nullptr;
        for (pqxx::row::size_type column = 0; column < rows.columns(); ++column) {
            auto& width = widths[static_cast<std::size_t>(column)];
            auto const bound = std::max(least, columns_of(rows.column_name(column)));
            if (can_be_cut(rows.column_type(column)) && width > bound &&
                (widest == nullptr || width > *widest)) {
                widest = &width;
            }
        }
        if (widest == nullptr) {
            return std::nullopt;
        }
        --*widest;
        --total;
    }
    return widths;
}

} // namespace

std::string_view bare_line(std::string_view line) {
    constexpr std::string_view name = "once: ";
    line.remove_prefix(line.starts_with(name) ? name.size() : 0);
    return line.substr(0, line.find_last_not_of('\n') + 1);
}

std::string json_text(nlohmann::ordered_json const& value, int indent) {
    return printable_json(value.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
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
    out << json_text(value, 2) << '\n';
}

void print_table(std::ostream& out, pqxx::result const& rows, std::string const& empty) {
    if (rows.empty()) {
        out << empty << '\n';
        return;
    }
    cells texts;
    for (pqxx::result::size_type row = 0; row < rows.size(); ++row) {
        auto& made = texts.emplace_back();
        for (pqxx::row::size_type column = 0; column < rows.columns(); ++column) {
            made.push_back(cell_text(out, rows, row, column));
        }
    }
    auto const widths = widths_of(out, rows, texts);
    if (!widths) {
        print_records(out, rows); // more columns than the terminal has room for
        return;
    }
    auto const pad = [&](std::string const& whole, pqxx::row::size_type column, ink colour) {
        auto const width = (*widths)[static_cast<std::size_t>(column)];
        auto const text = cut_to_columns(whole, width);
        auto const space = std::string(width - columns_of(text), ' ');
        bool const last = column + 1 == rows.columns();
        auto const shown = painted(out, colour, text);
        out << (is_number(rows.column_type(column)) ? space + shown
                : last                              ? shown
                                                    : shown + space)
            << (last ? "\n" : "  ");
    };
    for (pqxx::row::size_type column = 0; column < rows.columns(); ++column) {
        pad(rows.column_name(column), column, ink::strong);
    }
    for (auto const& row : texts) {
        for (pqxx::row::size_type column = 0; column < rows.columns(); ++column) {
            auto const& text = row[static_cast<std::size_t>(column)];
            pad(text, column, ink_of(rows.column_name(column), text));
        }
    }
}

void print_records(std::ostream& out, pqxx::result const& rows) {
    std::size_t width = 0;
    for (pqxx::row::size_type column = 0; column < rows.columns(); ++column) {
        width = std::max(width, columns_of(rows.column_name(column)));
    }
    for (pqxx::result::size_type row = 0; row < rows.size(); ++row) {
        out << (row == 0 ? "" : "\n");
        for (pqxx::row::size_type column = 0; column < rows.columns(); ++column) {
            std::string const name{rows.column_name(column)};
            auto text = cell_text(out, rows, row, column);
            auto const colour = ink_of(name, text);
            if (screen_of(out).terminal && rows.column_type(column) == timestamptz_oid && !text.empty()) {
                text += " (" + iso_time(rows[row][column].view()) + ")";
            }
            out << painted(out, ink::strong, name) << std::string(width - columns_of(name) + 2, ' ')
                << painted(out, colour, text) << '\n';
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
