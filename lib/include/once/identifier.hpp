// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/export.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace once {

/// Most bytes that PostgreSQL keeps of an identifier; it cuts longer ones without an error.
inline constexpr std::size_t max_identifier_size = 63;

/// Whether `name` is an identifier that this library puts into SQL: `[a-z_][a-z0-9_]{0,62}`.
/**
 * That is the set of names which mean the same quoted and unquoted. Names of other shapes are legal in PostgreSQL,
 * but they are refused here: an allow-list is easier to trust than an escape.
 */
[[nodiscard]] constexpr bool is_identifier(std::string_view name) noexcept {
    auto const is_letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
    auto const is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (name.empty() || name.size() > max_identifier_size || !is_letter(name.front())) {
        return false;
    }
    for (char const c : name) {
        if (!is_letter(c) && !is_digit(c)) {
            return false;
        }
    }
    return true;
}

/// Most bytes of the name of a schema that holds the library's objects: its group roles add `_administrator`.
inline constexpr std::size_t max_schema_name_size =
    max_identifier_size - std::string_view{"_administrator"}.size();

/// The rule for that name, in the words of the first migration, the library and the command.
inline constexpr std::string_view schema_name_rule =
    "its name must be lower-case letters, digits and underscores, not beginning with a digit, at most 49 "
    "bytes, and not public";

/// Whether a schema of this name may hold the library's objects: the first migration refuses others, and so does all
/// that connects to one.
[[nodiscard]] constexpr bool is_schema_name(std::string_view name) noexcept {
    return is_identifier(name) && name.size() <= max_schema_name_size && name != "public";
}

/// The name of a table: `table`, or `schema.table`.
/**
 * Without a schema, the `search_path` of the session decides which table is meant.
 *
 * @par Thread safety
 * An immutable value.
 */
class ONCE_EXPORT table_name {
public:
    /// @param text  each of its one or two parts satisfies `is_identifier`
    /// @param field how an error names this argument
    /// @throws once::invalid_argument for anything else: quotes, spaces, upper case, a third part, more than 63 bytes
    explicit table_name(std::string_view text, std::string const& field = "table");

    /// As it was given: `shop.orders`.
    [[nodiscard]] std::string const& text() const noexcept { return m_text; }

    /// As it stands in SQL: `"shop"."orders"`.
    [[nodiscard]] std::string const& quoted() const noexcept { return m_quoted; }

private:
    std::string m_text;
    std::string m_quoted;
};

} // namespace once
