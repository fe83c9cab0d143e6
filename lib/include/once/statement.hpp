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
 * (`$1::int`). A NUL inside of text is refused, since libpq would cut the text there; text must be UTF-8.
 *
 * @par Thread safety
 * A value: distinct objects are independent.
 */
class ONCE_EXPORT parameters {
public:
    struct value {
        std::optional<std::string> data;
        bool binary = false;
    };

    parameters() = default;

    /// One value for each placeholder: text, numbers, bool, bytes, std::optional of these, std::nullopt.
    /// @throws once::invalid_argument naming the placeholder when a text is not valid.
    template <class... T>
        requires(sizeof...(T) > 0) && (!(std::same_as<std::remove_cvref_t<T>, parameters>) && ...)
    explicit parameters(T const&... values) {
        m_values.reserve(sizeof...(T));
        (add(values), ...);
    }

    parameters& add(std::nullopt_t);
    parameters& add(bool truth);
    parameters& add(std::string_view text);
    parameters& add(char const* text) { return add(std::string_view{text}); }
    parameters& add(std::span<std::byte const> bytes);

    template <class T>
        requires(std::integral<T> || std::floating_point<T>) && (!std::same_as<T, bool>)
    parameters& add(T number) {
        char buffer[64];
        auto const end = std::to_chars(buffer, buffer + sizeof buffer, number).ptr;
        return add(std::string_view{buffer, end});
    }

    template <class T>
    parameters& add(std::optional<T> const& maybe) {
        return maybe ? add(*maybe) : add(std::nullopt);
    }

    [[nodiscard]] std::vector<value> const& values() const noexcept { return m_values; }
    [[nodiscard]] std::size_t size() const noexcept { return m_values.size(); }

private:
    std::vector<value> m_values;
};

/// SQL with its parameters, as data.
struct statement {
    /// One statement, without a semicolon.
    std::string sql;
    once::parameters parameters{};
};

} // namespace once
