// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/column_type.hpp>
#include <once/identifier.hpp>
#include <once/mapping.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace once::detail {

template <class T>
struct nullable {
    using value_type = T;
    static constexpr bool value = false;
};

template <class T>
struct nullable<std::optional<T>> {
    using value_type = T;
    static constexpr bool value = true;
};

template <class T>
concept mapped = requires { mapping<T>::columns; };

template <class T>
concept has_unique = requires { mapping<T>::unique; };

/// What the compiler finds out about a mapping, and refuses.
template <class T>
struct mapping_traits {
    static constexpr auto& columns = mapping<T>::columns;
    static constexpr std::size_t count = std::tuple_size_v<std::remove_cvref_t<decltype(columns)>>;

    static_assert(
        []<class... Columns>(std::tuple<Columns...> const&) {
            return (std::is_base_of_v<typename Columns::row_type, T> && ...);
        }(columns),
        "once: a column of this mapping is a member of another struct: write once::column(\"name\", "
        "&THIS_STRUCT::member)");

    template <std::size_t Place>
    using member_type =
        typename std::tuple_element_t<Place, std::remove_cvref_t<decltype(columns)>>::value_type;

    static constexpr auto names = std::apply(
        [](auto const&... column) { return std::array<std::string_view, count>{column.name...}; }, columns);
    static constexpr auto roles = std::apply(
        [](auto const&... column) { return std::array<column_role, count>{column.role...}; }, columns);
    static constexpr auto optional = []<std::size_t... Place>(std::index_sequence<Place...>) {
        return std::array<bool, count>{nullable<member_type<Place>>::value...};
    }(std::make_index_sequence<count>{});

    static constexpr std::size_t place_of(std::string_view name) {
        return static_cast<std::size_t>(std::ranges::find(names, name) - names.begin());
    }
    static constexpr std::size_t place_of(column_role role) {
        return static_cast<std::size_t>(std::ranges::find(roles, role) - roles.begin());
    }
    static constexpr auto count_of(column_role role) { return std::ranges::count(roles, role); }

    static constexpr bool given_id = count_of(column_role::id) == 1;
    static constexpr std::size_t id = place_of(given_id ? column_role::id : column_role::generated_id);
    static constexpr std::size_t version = place_of(column_role::version);
    static constexpr bool has_version = version < count;

    /// The columns that decide whether a row is new: the natural key, else the given id, else none.
    static constexpr auto key = [] {
        if constexpr (has_unique<T>) {
            std::array<std::size_t, mapping<T>::unique.columns.size()> places{};
            std::ranges::transform(mapping<T>::unique.columns, places.begin(),
                                   [](std::string_view name) { return place_of(name); });
            return places;
        } else if constexpr (given_id) {
            return std::array<std::size_t, 1>{id};
        } else {
            return std::array<std::size_t, 0>{};
        }
    }();

    static constexpr bool key_satisfies(auto condition) { return std::ranges::all_of(key, condition); }
    static constexpr bool is_written(column_role role) {
        return role == column_role::id || role == column_role::value || role == column_role::version;
    }

    static_assert(std::ranges::all_of(names, [](std::string_view name) { return is_identifier(name); }),
                  "once: a column name must match [a-z_][a-z0-9_]{0,62}");
    static_assert(
        [] {
            for (auto const name : names) {
                if (std::ranges::count(names, name) != 1) {
                    return false;
                }
            }
            return true;
        }(),
        "once: a column is mapped twice");
    static_assert(count_of(column_role::id) + count_of(column_role::generated_id) == 1,
                  "once: a mapping needs exactly one once::id or once::generated_id");
    static_assert(count_of(column_role::version) <= 1, "once: a mapping has at most one once::version");
    static_assert(std::ranges::any_of(roles, [](column_role role) { return is_written(role); }),
                  "once: a mapping needs a column that is written");
    static_assert(!optional[id < count ? id : 0], "once: the id must not be std::optional");
    static_assert(key_satisfies([](std::size_t place) { return place < count; }),
                  "once: once::unique names a column that is not in the mapping");
    static_assert(key_satisfies([](std::size_t place) { return place >= count || !optional[place]; }),
                  "once: a column of once::unique must not be std::optional: NULLs are never equal");
    static_assert(key_satisfies([](std::size_t place) { return place >= count || is_written(roles[place]); }),
                  "once: a column of once::unique must be written by the application");
    static_assert(
        []<std::size_t... Place>(std::index_sequence<Place...>) {
            return (column_value<typename nullable<member_type<Place>>::value_type> && ...);
        }(std::make_index_sequence<count>{}),
        "once: a member has a type without once::column_type; specialise it");
};

} // namespace once::detail
