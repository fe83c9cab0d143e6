// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "wire/pg_result.hpp"

#include <once/error.hpp>

#include <pqxx/except>

namespace once::detail {

// Number of fields; then for each its type, its length (-1: null) and its bytes. All numbers have 4 bytes.
void split_composite(std::string_view value, std::span<std::optional<std::string_view>> fields) {
    auto const wrong = [] {
        return error{"once: the answer of a function of the schema is not of the type that it was made with"};
    };
    auto const take = [&](std::size_t size) {
        if (value.size() < size) {
            throw wrong();
        }
        auto const taken = value.substr(0, size);
        value.remove_prefix(size);
        return taken;
    };
    if (int4(take(4)) != static_cast<std::int32_t>(fields.size())) {
        throw wrong();
    }
    for (auto& field : fields) {
        take(4);
        auto const length = int4(take(4));
        if (length < 0) {
            field.reset();
        } else {
            field = take(static_cast<std::size_t>(length));
        }
    }
}

void throw_sql_error(pg_result const& result, std::string const& sql) {
    std::string const state{result.sqlstate()};
    std::string const message = result.message();
    // An old primary, or a standby, behind a pooler: the next attempt may find the new one.
    if (state == "ON068") {
        throw pqxx::broken_connection{"once: " + message};
    }
    // The session is judged before the statement. Class 08 from PostgreSQL itself is about a statement, when the
    // session goes on: a wrong number of parameters (08P01), or a connection of dblink's.
    if (result.ended_session() || (!result.from_server() && state.starts_with("08"))) {
        throw pqxx::broken_connection{"once: connection lost: " + message};
    }
    if (state == "40001") {
        throw pqxx::serialization_failure{message, sql, state.c_str()};
    }
    if (state == "40P01") {
        throw pqxx::deadlock_detected{message, sql, state.c_str()};
    }
    if (state == "23505") {
        throw pqxx::unique_violation{message, sql, state.c_str()};
    }
    if (state == "23503") {
        throw pqxx::foreign_key_violation{message, sql, state.c_str()};
    }
    if (state == "23502") {
        throw pqxx::not_null_violation{message, sql, state.c_str()};
    }
    if (state == "23514") {
        throw pqxx::check_violation{message, sql, state.c_str()};
    }
    if (state == "26000" || state == "42P05") {
        throw session_is_shared{message, sql, state.c_str()};
    }
    throw pqxx::sql_error{message, sql, state.c_str()};
}

} // namespace once::detail
