// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/export.hpp>

#include <charconv>
#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace once {

/// Values for $1, $2, … of a statement.
/**
 * Text goes as text, and the server decides its type from where it stands; cast in the SQL where that is not enough
 * (`$1::int`). A NUL inside of text is refused, since libpq would cut the text there; text must be UTF-8. Values are
 * copied, and never become part of the SQL.
 *
 * @code
 * once::statement const pay{"update account set balance = balance - $1 where owner = $2 returning balance",
 *                           once::parameters{amount, owner}};
 * @endcode
 *
 * @par Thread safety
 * A value: distinct objects are independent.
 */
class ONCE_EXPORT parameters {
public:
    /// One value as it travels.
    struct value {
        /// The text, or the bytes; empty for NULL.
        std::optional<std::string> data;
        /// Bytes of a `bytea` or an array in PostgreSQL's binary format; false: text.
        bool binary = false;
    };

    /// None yet: for a statement without placeholders, or to `add` one by one.
    parameters() = default;

    /// One value for each placeholder: text, numbers, bool, bytes, std::optional of these, std::nullopt.
    /// @throws once::invalid_argument naming the placeholder when a text is not valid.
    template <class... T>
        requires(sizeof...(T) > 0) && (!(std::same_as<std::remove_cvref_t<T>, parameters>) && ...)
    explicit parameters(T const&... values) {
        m_values.reserve(sizeof...(T));
        (add(values), ...);
    }

    /// Appends NULL. Each `add` returns the object, so that calls can be chained.
    parameters& add(std::nullopt_t);
    /// Appends `true` or `false`.
    parameters& add(bool truth);
    /// Appends a text.
    /// @throws once::invalid_argument naming the placeholder when it is not UTF-8, or has a NUL in it
    parameters& add(std::string_view text);
    parameters& add(char const* text) { return add(std::string_view{text}); }
    /// Appends bytes for a `bytea`, any bytes, not copied through a text form.
    parameters& add(std::span<std::byte const> bytes);

    /// Appends a number, so that the server reads the same one: a double with all of its digits.
    template <class T>
        requires(std::integral<T> || std::floating_point<T>) && (!std::same_as<T, bool>)
    parameters& add(T number) {
        char buffer[64];
        auto const end = std::to_chars(buffer, buffer + sizeof buffer, number).ptr;
        return add(std::string_view{buffer, end});
    }

    /// Appends the value in it, or NULL. NULL has no type, so the SQL may need a cast (`$1::timestamptz`).
    template <class T>
    parameters& add(std::optional<T> const& maybe) {
        return maybe ? add(*maybe) : add(std::nullopt);
    }

    /// All of them in the order of their placeholders, the first is $1.
    [[nodiscard]] std::vector<value> const& values() const noexcept { return m_values; }
    /// How many placeholders they fill, NULLs included.
    [[nodiscard]] std::size_t size() const noexcept { return m_values.size(); }

private:
    std::vector<value> m_values;
};

/// SQL with its parameters, as data: for `execute` in one round trip, and for `transaction::at_commit`.
/**
 * Both send it before they know what other statements of the transaction return, so it cannot use their results;
 * `with … as (insert … returning id) …` can, within one statement.
 */
struct statement {
    /// One statement, without a semicolon at its end. Prepared on the server under a name that follows from the text,
    /// so keep the text the same and let values be parameters.
    std::string sql;
    /// As many as the SQL has placeholders; the server refuses another number (SQLSTATE 08P01).
    once::parameters parameters{};
};

} // namespace once
