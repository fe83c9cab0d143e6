// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/detail/table.hpp>
#include <once/error.hpp>

#include "repository/table_plan.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace once::detail {

namespace {

std::vector<sql::repository_column> statement_columns(std::vector<column_spec> const& columns) {
    std::vector<sql::repository_column> all;
    all.reserve(columns.size());
    for (auto const& column : columns) {
        all.push_back({std::string{column.name}, column.form});
    }
    return all;
}

/// The version, where keys come again because the application chooses them.
std::optional<std::size_t> first_version(std::vector<column_spec> const& columns) {
    auto const place_of = [&](column_role role) {
        return std::ranges::find(columns, role, &column_spec::role);
    };
    auto const version = place_of(column_role::version);
    if (version == columns.end() || place_of(column_role::id) == columns.end()) {
        return std::nullopt;
    }
    return static_cast<std::size_t>(version - columns.begin());
}

// Between a conflict and the read of its winner another transaction may delete that row, and then the insert is tried
// again.
constexpr int insert_rounds = 3;

// Between a write that reached nothing and the look at the row another transaction may roll back; then the write is
// tried again.
constexpr int write_rounds = 3;

} // namespace

table::plan::plan(std::string_view table, std::vector<column_spec> all, std::vector<std::size_t> key_places)
    : name{table},
      columns{std::move(all)},
      key{std::move(key_places)},
      version{columns.size()},
      statements{name.quoted(), statement_columns(columns), first_version(columns)} {
    for (std::size_t place = 0; place < columns.size(); ++place) {
        auto const role = columns[place].role;
        if (role == column_role::id || role == column_role::generated_id) {
            id = place;
        } else if (role == column_role::version) {
            version = place;
        }
        bool const given =
            role == column_role::id || role == column_role::value || role == column_role::version;
        if (given && place != first_version(columns)) {
            inserted.push_back(place);
        }
    }
    insert_one = statements.insert(1, inserted, key);
    append_one = statements.insert(1, inserted, {});
    find_by_id = statements.find(std::array{id});
    if (!key.empty()) {
        find_by_key = statements.find(key);
    }
    if (version < columns.size()) {
        erase_one = statements.erase(id, version);
    }
}

void table::plan::bind(pqxx::params& values, wire_value const& value, std::size_t place) const {
    if (!value) {
        values.append();
    } else if (columns[place].form == column_form::bytes) {
        values.append(pqxx::bytes_view{reinterpret_cast<std::byte const*>(value->data()), value->size()});
    } else {
        values.append(*value);
    }
}

void table::plan::bind(pqxx::params& values, wire_row const& row, std::span<std::size_t const> places) const {
    for (auto const place : places) {
        bind(values, row[place], place);
    }
}

std::optional<found_row> table::plan::at_most_one(pqxx::result rows,
                                                  std::span<std::size_t const> places) const {
    if (rows.empty()) {
        return std::nullopt;
    }
    if (rows.size() > 1) {
        std::string names;
        for (auto const place : places) {
            names += (names.empty() ? "" : ", ") + std::string{columns[place].name};
        }
        throw misuse{"once: more than one row of " + name.text() + " has the same (" + names +
                     "): a unique constraint on exactly these columns is missing"};
    }
    return found_row{std::move(rows), 0};
}

std::optional<found_row> table::plan::find(pqxx::transaction_base& tx, std::string const& statement,
                                           wire_row const& row, std::span<std::size_t const> places) const {
    pqxx::params values;
    bind(values, row, places);
    return at_most_one(tx.exec(statement, values), places);
}

inserted_row table::plan::insert(pqxx::transaction_base& tx, wire_row const& row) const {
    for (int round = 0; round < insert_rounds; ++round) {
        pqxx::params values;
        bind(values, row, inserted);
        auto rows = tx.exec(insert_one, values);
        if (!rows.empty()) {
            return {{std::move(rows), 0}, true};
        }
        // A second statement, because under READ COMMITTED the snapshot of the first may be older than the winner.
        if (auto winner = find(tx, find_by_key, row, key)) {
            return {std::move(*winner), false};
        }
    }
    throw error{
        "once: an insert into " + name.text() + " met another row of its key " +
        std::to_string(insert_rounds) +
        " times, and could not read it: it is deleted again and again, or a trigger suppresses the insert, "
        "or a row security policy hides it"};
}

written_row table::plan::write(pqxx::transaction_base& tx, std::string const& statement, wire_row const& row,
                               std::span<std::size_t const> sent) const {
    for (int round = 0; round < write_rounds; ++round) {
        pqxx::params values;
        bind(values, row, std::array{id, version});
        bind(values, row, sent);
        if (auto written = at_most_one(tx.exec(statement, values), std::array{id})) {
            return {written_row::kind::written, std::move(written)};
        }
        auto current = find(tx, find_by_id, row, std::array{id});
        if (!current) {
            return {written_row::kind::missing, std::nullopt};
        }
        if (read_field(*current, version) != row[version]) {
            return {written_row::kind::stale, std::move(current)};
        }
    }
    throw error{
        "once: a row of " + name.text() +
        " is there with the version that was read, and the statement that writes it does not reach it: a row "
        "security policy of the table hides it from UPDATE or DELETE (look at pg_policies), or a trigger or "
        "rule of the table suppresses the statement"};
}

found_row table::plan::append(pqxx::transaction_base& tx, wire_row const& row) const {
    pqxx::params values;
    bind(values, row, inserted);
    auto rows = tx.exec(append_one, values);
    if (rows.empty()) {
        refuse_suppressed_insert();
    }
    return {std::move(rows), 0};
}

void table::plan::refuse_suppressed_insert() const {
    throw error{"once: an insert into " + name.text() +
                " made fewer rows than were sent: a trigger or rule of the table suppresses some"};
}

table::table(std::string_view name, std::vector<column_spec> columns, std::vector<std::size_t> key)
    : m_plan{std::make_unique<plan const>(name, std::move(columns), std::move(key))} {}

table::~table() = default;

std::string const& table::name() const noexcept {
    return m_plan->name.text();
}

std::string table::field(std::size_t column) const {
    return m_plan->name.text() + '.' + std::string{m_plan->columns[column].name};
}

inserted_row table::insert(pqxx::transaction_base& tx, wire_row const& row) const {
    return m_plan->insert(tx, row);
}

std::optional<found_row> table::find(pqxx::transaction_base& tx, std::span<std::size_t const> places,
                                     std::span<wire_value const> values) const {
    pqxx::params bound;
    for (std::size_t i = 0; i < places.size(); ++i) {
        m_plan->bind(bound, values[i], places[i]);
    }
    return m_plan->at_most_one(tx.exec(m_plan->statements.find(places), bound), places);
}

found_row table::append(pqxx::transaction_base& tx, wire_row const& row) const {
    return m_plan->append(tx, row);
}

written_row table::update(pqxx::transaction_base& tx, wire_row const& row,
                          std::span<std::size_t const> changed) const {
    auto const& own = *m_plan;
    return own.write(tx, own.statements.update(own.id, own.version, changed), row, changed);
}

written_row table::erase(pqxx::transaction_base& tx, wire_row const& row) const {
    return m_plan->write(tx, m_plan->erase_one, row, {});
}

std::optional<std::string_view> read_field(found_row const& row, std::size_t column) {
    auto const field = row.rows[row.place][static_cast<pqxx::row_size_type>(column)];
    if (field.is_null()) {
        return std::nullopt;
    }
    return field.view();
}

void check_version(std::int64_t version, table const& table, std::size_t column) {
    if (version < 0) {
        throw invalid_argument{table.field(column), "a version is 0 or more"};
    }
}

void check_attempts(int attempts) {
    if (attempts < 1) {
        throw invalid_argument{"modify_options.attempts", "want 1 or more"};
    }
}

void refuse_value(table const& table, std::size_t column, value_error const& reason) {
    throw invalid_argument{table.field(column), reason.what()};
}

void refuse_member(table const& table) {
    throw invalid_argument{"member", "it is not in the mapping of " + table.name()};
}

void refuse_null(table const& table, std::size_t column) {
    throw corrupt_record{"once: a row of " + table.name() + " has NULL in " + table.field(column) +
                         ": make the member std::optional, or the column not null"};
}

void refuse_field(table const& table, std::size_t column, value_error const& reason) {
    throw corrupt_record{"once: a row of " + table.name() + " cannot be read, column " + table.field(column) +
                         ": " + reason.what()};
}

} // namespace once::detail
