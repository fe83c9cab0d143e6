// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/column_type.hpp>
#include <once/detail/mapping_traits.hpp>
#include <once/detail/table.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace once::detail {

/// Turns rows of the caller's type into what is sent and back, and names the column when one does not fit.
template <class T>
struct row_codec {
    using traits = mapping_traits<T>;
    static constexpr auto places = std::make_index_sequence<traits::count>{};

    template <std::size_t Place>
    static constexpr auto const& column() {
        return std::get<Place>(traits::columns);
    }

    static constexpr bool for_insert(column_role role) { return traits::is_written(role); }

    static std::vector<column_spec> specs() {
        return []<std::size_t... Place>(std::index_sequence<Place...>) {
            return std::vector<column_spec>{
                {column<Place>().name, column<Place>().role,
                 column_type<
                     typename nullable<typename traits::template member_type<Place>>::value_type>::form}...};
        }(places);
    }

    static std::vector<std::size_t> key() { return {traits::key.begin(), traits::key.end()}; }

    /// @param wanted which columns; the others stay NULL
    static wire_row encode(T const& row, bool (*wanted)(column_role), table const& table) {
        wire_row encoded(traits::count);
        [&]<std::size_t... Place>(std::index_sequence<Place...>) {
            ((wanted(column<Place>().role) ? static_cast<void>(encoded[Place] = encode_value(
                                                                   row.*column<Place>().member, table, Place))
                                           : void()),
             ...);
        }(places);
        return encoded;
    }

    /// Only the id and the version.
    template <class Id>
    static wire_row encode_identity(Id const& id, std::int64_t version, table const& table) {
        wire_row encoded(traits::count);
        encoded[traits::id] = encode_value(id, table, traits::id);
        encoded[traits::version] = encode_value(version, table, traits::version);
        return encoded;
    }

    /// What to write so that the row that was read as `before` becomes `after`: the id and version of `before`, and the
    /// columns whose values differ.
    /**
     * What the caller left as it was is not written at all. So nothing is lost of it that the C++ type cannot show or
     * write: digits, the order of keys, a moment before the year 1.
     */
    struct change {
        wire_row row;
        std::vector<std::size_t> columns;
    };

    static change difference(T const& before, T const& after, table const& table) {
        change made{encode_identity(before.*column<traits::id>().member, version_of(before), table), {}};
        [&]<std::size_t... Place>(std::index_sequence<Place...>) {
            (
                [&] {
                    if (column<Place>().role == column_role::value &&
                        differs(before.*column<Place>().member, after.*column<Place>().member, table,
                                Place)) {
                        made.row[Place] = encode_value(after.*column<Place>().member, table, Place);
                        made.columns.push_back(Place);
                    }
                }(),
                ...);
        }(places);
        return made;
    }

    static std::int64_t version_of(T const& row) { return row.*column<traits::version>().member; }

    /// The values of the natural key.
    template <class... Values>
    static std::vector<wire_value> encode_key(table const& table, Values const&... values) {
        static_assert(sizeof...(Values) == traits::key.size(),
                      "once: find_by_key wants one value for each column of once::unique, in that order");
        return [&]<std::size_t... Part>(std::index_sequence<Part...>) {
            return std::vector<wire_value>{encode_value(
                static_cast<typename traits::template member_type<traits::key[Part]> const&>(values), table,
                traits::key[Part])...};
        }(std::index_sequence_for<Values...>{});
    }

    template <class Value>
    static wire_value encode_value(Value const& value, table const& table, std::size_t place) {
        if constexpr (nullable<Value>::value) {
            return value ? encode_value(*value, table, place) : wire_value{};
        } else {
            if constexpr (std::is_same_v<Value, std::int64_t>) {
                if (place == traits::version) {
                    check_version(value, table, place);
                }
            }
            try {
                return column_type<Value>::encode(value);
            } catch (value_error const& reason) {
                refuse_value(table, place, reason);
            }
        }
    }

    static T decode(found_row const& row, table const& table) {
        T decoded{};
        [&]<std::size_t... Place>(std::index_sequence<Place...>) {
            ((decoded.*column<Place>().member =
                  decode_value<typename traits::template member_type<Place>>(row, table, Place)),
             ...);
        }(places);
        return decoded;
    }

    /// The key of a row that came back, as it would be sent; all other columns are left out.
    static wire_row key_of(found_row const& row, table const& table) {
        return [&]<std::size_t... Part>(std::index_sequence<Part...>) {
            return wire_row{
                encode_value(decode_value<typename traits::template member_type<traits::key[Part]>>(
                                 row, table, traits::key[Part]),
                             table, traits::key[Part])...};
        }(std::make_index_sequence<traits::key.size()>{});
    }

    /// Place of the column that this member is mapped to.
    template <class Value>
    static std::size_t place_of(Value T::* member, table const& table) {
        std::size_t found = traits::count;
        [&]<std::size_t... Place>(std::index_sequence<Place...>) {
            (
                [&] {
                    if constexpr (std::is_same_v<Value, typename traits::template member_type<Place>>) {
                        if (column<Place>().member == member) {
                            found = Place;
                        }
                    }
                }(),
                ...);
        }(places);
        if (found == traits::count) {
            refuse_member(table);
        }
        return found;
    }

private:
    /// Whether two values are written differently.
    template <class Value>
    static bool differs(Value const& before, Value const& after, table const& table, std::size_t place) {
        auto const was = try_encode(before);
        auto const is = try_encode(after);
        if (was.reason && is.reason) {
            // Neither can be written. It does not matter if they are the same.
            if constexpr (std::equality_comparable<Value>) {
                if (before == after) {
                    return false;
                }
            }
            refuse_value(table, place, *is.reason);
        }
        return was.reason || is.reason || was.value != is.value;
    }

    struct encoding {
        wire_value value{};
        std::optional<value_error> reason{};
    };

    template <class Value>
    static encoding try_encode(Value const& value) {
        if constexpr (nullable<Value>::value) {
            return value ? try_encode(*value) : encoding{};
        } else {
            try {
                return {.value = column_type<Value>::encode(value)};
            } catch (value_error const& reason) {
                return {.reason = reason};
            }
        }
    }

    template <class Value>
    static Value decode_value(found_row const& row, table const& table, std::size_t place) {
        auto const text = read_field(row, place);
        try {
            if constexpr (nullable<Value>::value) {
                return text ? Value{column_type<typename Value::value_type>::decode(*text)} : Value{};
            } else {
                if (!text) {
                    refuse_null(table, place);
                }
                return column_type<Value>::decode(*text);
            }
        } catch (value_error const& reason) {
            refuse_field(table, place, reason);
        }
    }
};

} // namespace once::detail
