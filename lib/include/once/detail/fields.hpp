// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <pqxx/strconv>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

/** @file
 * Types of fields that people fill in with designated initialisers. A value of a wrong type would make the compiler
 * list every overload of the function that takes the struct; these take it, and say in one line which field it is and
 * what to write.
 */
namespace once::detail {

/// For a static_assert that must fail only where a template is used.
template <class...>
inline constexpr bool never = false;

/// What such a template returns; there is none.
template <class Result>
Result nothing();

/// `call_options.wait`, as the compiler prints it in the line above the message.
template <std::size_t Size>
struct field_name {
    char text[Size];
    constexpr field_name(char const (&name)[Size]) { // NOLINT(google-explicit-constructor)
        for (std::size_t i = 0; i < Size; ++i) {
            text[i] = name[i];
        }
    }
};

/// Milliseconds, from any duration that fits into them. A number without a unit is refused.
template <field_name Field>
class time_field : public std::chrono::milliseconds {
public:
    template <class Number, class Period>
        requires std::convertible_to<std::chrono::duration<Number, Period>, std::chrono::milliseconds>
    constexpr time_field(std::chrono::duration<Number, Period> time) // NOLINT(google-explicit-constructor)
        : std::chrono::milliseconds{time} {}

    template <class Number>
        requires std::is_arithmetic_v<Number>
    constexpr time_field(Number) // NOLINT(google-explicit-constructor)
        : std::chrono::milliseconds{0} {
        static_assert(never<Number>,
                      "once: a time needs its unit: write std::chrono::milliseconds{500} or 500ms");
    }
};

/// A std::string. What is no text is refused.
template <field_name Field>
class text_field : public std::string {
public:
    text_field() = default;

    template <class Text>
        requires(std::convertible_to<Text, std::string> || std::constructible_from<std::string, Text>)
    text_field(Text&& text) // NOLINT(google-explicit-constructor,bugprone-forwarding-reference-overload)
        : std::string(as_string(std::forward<Text>(text))) {}

    template <class Value>
        requires(!std::convertible_to<Value, std::string> && !std::constructible_from<std::string, Value>)
    text_field(Value&&) { // NOLINT(google-explicit-constructor,bugprone-forwarding-reference-overload)
        static_assert(never<Value>, "once: this field is a text: write std::to_string(number)");
    }

private:
    template <class Text>
    static std::string as_string(Text&& text) {
        if constexpr (std::convertible_to<Text, std::string>) {
            return std::forward<Text>(text);
        } else {
            return std::string(std::forward<Text>(text));
        }
    }
};

} // namespace once::detail

// As what they hold, where a caller binds one to a statement.
template <once::detail::field_name Field>
struct pqxx::nullness<once::detail::text_field<Field>> : pqxx::nullness<std::string> {};
template <once::detail::field_name Field>
struct pqxx::string_traits<once::detail::text_field<Field>> : pqxx::string_traits<std::string> {};
