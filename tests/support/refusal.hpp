// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/error.hpp>

#include <pqxx/except>

#include <concepts>
#include <string>
#include <type_traits>

/** @file
 * How a call was refused, as a word to compare with.
 */
namespace once::testing {

/// What the call returned, when that is a text; otherwise "accepted".
template <class Call>
std::string called(Call&& call) {
    if constexpr (std::convertible_to<std::invoke_result_t<Call>, std::string>) {
        return call();
    } else {
        static_cast<void>(call());
        return "accepted";
    }
}

/// The field that the call refuses with `once::invalid_argument`; without that, as `called` says.
template <class Call>
[[nodiscard]] std::string refused_field(Call&& call) {
    try {
        return called(call);
    } catch (once::invalid_argument const& e) {
        return e.field();
    }
}

/// The SQLSTATE that the call fails with; without that, as `called` says.
template <class Call>
[[nodiscard]] std::string sqlstate_of(Call&& call) {
    try {
        return called(call);
    } catch (pqxx::insufficient_privilege const&) {
        return "42501"; // libpqxx 7 leaves its sqlstate() empty, which would look like none
    } catch (pqxx::sql_error const& e) {
        return std::string{e.sqlstate()};
    }
}

} // namespace once::testing
