// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace once {

/// How a struct lies in a table. Specialise it for each struct that a `repository` keeps:
/**
 * @code
 *     struct order {
 *         std::int64_t id{};
 *         std::string number{};
 *         std::optional<std::string> note{};
 *         once::timestamp placed_at{};
 *         std::int64_t version{1};
 *     };
 *
 *     template <> struct once::mapping<order> {
 *         static constexpr auto columns = once::columns(
 *             once::generated_id("id", &order::id),
 *             once::column("number", &order::number),
 *             once::column("note", &order::note),
 *             once::generated("placed_at", &order::placed_at),
 *             once::version("version", &order::version));
 *         static constexpr auto unique = once::unique("number");
 *     };
 * @endcode
 *
 * `columns` names exactly one id, at most one version, and at least one column that is written; the struct is default
 * constructible. Column names satisfy `is_identifier`. Columns of the table that are not named need a default.
 * `unique` is optional. All of this is checked by the compiler.
 */
template <class T>
struct mapping;

/// What a column is for.
enum class column_role {
    /// The primary key; the application gives it.
    id,
    /// The primary key; the database fills it.
    generated_id,
    /// Written and read.
    value,
    /// The database fills it: read back, never written.
    generated,
    /// Counts the updates of the row.
    version,
};

/// A column and the member that holds it. Made by `id`, `generated_id`, `column`, `generated` and `version`.
template <class T, class Value>
struct mapped_column {
    using row_type = T;
    using value_type = Value;

    std::string_view name;
    Value T::* member;
    column_role role;
};

/// The primary key, when the application chooses it. It is then also what `insert` dedups by, unless `unique` says
/// otherwise.
template <class T, class Value>
[[nodiscard]] constexpr mapped_column<T, Value> id(std::string_view name, Value T::* member) {
    return {name, member, column_role::id};
}

/// The primary key, when the database chooses it (identity, serial, gen_random_uuid()).
template <class T, class Value>
[[nodiscard]] constexpr mapped_column<T, Value> generated_id(std::string_view name, Value T::* member) {
    return {name, member, column_role::generated_id};
}

/// A column that the application writes.
template <class T, class Value>
[[nodiscard]] constexpr mapped_column<T, Value> column(std::string_view name, Value T::* member) {
    return {name, member, column_role::value};
}

/// A column that the database fills (a default, a trigger, a generated column): read back, never written.
template <class T, class Value>
[[nodiscard]] constexpr mapped_column<T, Value> generated(std::string_view name, Value T::* member) {
    return {name, member, column_role::generated};
}

/// The version of the row, a `bigint not null`. Each update adds 1.
/**
 * A copy of a row with the version that the table has is what is in the table. So no version of a key
 * may come again. Where the database chooses the id, no id comes again, and `insert` writes what the struct holds.
 * Where the application chooses it (`once::id`), a row can be erased and its id inserted again; so `insert` begins with
 * the clock of the database, in microseconds, and what the struct holds is not used. A service that inserts with SQL of
 * its own takes the same expression, as the default of the column: see docs/repository.md.
 */
template <class T, class Value>
[[nodiscard]] constexpr mapped_column<T, Value> version(std::string_view name, Value T::* member) {
    static_assert(std::is_same_v<Value, std::int64_t>,
                  "once: the member of once::version must be a std::int64_t, its column a bigint");
    return {name, member, column_role::version};
}

/// All columns of a mapping, in the order in which they are sent and read.
template <class... Rows, class... Values>
[[nodiscard]] constexpr std::tuple<mapped_column<Rows, Values>...>
columns(mapped_column<Rows, Values>... all) {
    return {all...};
}

/// The columns of a unique constraint. Made by `unique`.
template <std::size_t Count>
struct unique_key {
    std::array<std::string_view, Count> columns;
};

/// The natural key: `insert` dedups by it, `find_by_key` looks up by it.
/**
 * The table has a unique constraint or unique index on exactly these columns (in any order; not deferrable, not
 * partial). None of them may be `std::optional`: NULLs are never equal, so they would not dedup.
 */
template <class... Names>
[[nodiscard]] constexpr unique_key<sizeof...(Names)> unique(Names const&... names) {
    return {{std::string_view{names}...}};
}

} // namespace once
