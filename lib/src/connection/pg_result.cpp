// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "connection/pg_result.hpp"

#include <pqxx/except>

namespace once::detail {

void throw_sql_error(pg_result const& result, std::string const& sql) {
    std::string const state{result.sqlstate()};
    std::string const message = result.message();
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
