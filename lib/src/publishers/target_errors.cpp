// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "publishers/target_errors.hpp"

#include <once/statement.hpp>

#include "judgement/failure.hpp"
#include "sql/postgres_publisher_statements.hpp"

#include <libpq-fe.h>

#include <utility>
#include <vector>

namespace once::detail {

std::string describe(pg_result const& failed) {
    auto text = "SQLSTATE " + std::string{failed.sqlstate()};
    for (auto const& [name, code] :
         {std::pair{"constraint", PG_DIAG_CONSTRAINT_NAME}, std::pair{"table", PG_DIAG_TABLE_NAME},
          std::pair{"column", PG_DIAG_COLUMN_NAME}}) {
        if (auto const field = failed.field(code); !field.empty()) {
            text += std::string{", "} + name + ' ' + std::string{field};
        }
    }
    return text;
}

std::string too_slow(std::size_t messages, std::chrono::steady_clock::duration allowed, std::size_t next) {
    return std::to_string(messages) + " messages in one transaction took longer than " +
           std::to_string(std::chrono::ceil<std::chrono::milliseconds>(allowed).count()) +
           " ms; the next ones have " + std::to_string(next);
}

std::optional<std::string> refusal_of(connection_pool& pool, std::string const& sql,
                                      std::chrono::steady_clock::time_point deadline) {
    parameters nothing;
    for (int i = 0; i < sql::columns_of_message; ++i) {
        nothing.add(std::optional<std::string>{});
    }
    statement const explain{"explain " + sql, std::move(nothing)};
    auto const taken = pool.take(deadline);
    auto const* const only = &explain;
    std::vector<pg_result> answers;
    taken->exchange({&only, 1}, deadline, answers);
    auto const& answer = answers.front();
    if (!answer.failed()) {
        return std::nullopt;
    }
    std::string const sqlstate{answer.sqlstate()};
    if (judge_sqlstate(sqlstate, during::own_statement) != fault::set_up) {
        return std::nullopt; // it does not speak of the statement
    }
    return std::string{answer.field(PG_DIAG_MESSAGE_PRIMARY)} + " (SQLSTATE " + sqlstate + ")";
}

} // namespace once::detail
