// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/database.hpp>
#include <once/request.hpp>
#include <once/response.hpp>
#include <once/statement.hpp>

#include "operation/operation_plan.hpp"
#include "sql/operation_statements.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace once::detail {

/// An operation as the database answered it; see operation_answer in SQL.
struct operation_state {
    std::string outcome{};
    std::string scope{};
    std::string key{};
    std::string name{};
    std::int64_t fence = 0;
    std::string recovery_point{};
    std::optional<std::string> call{};
    int attempt = 0;
    nlohmann::json data{};
    nlohmann::json call_keys{};
    std::chrono::milliseconds retry_after{0};
    std::optional<once::response> response{};
    /// By the steady clock of this process, from before the question was sent.
    std::chrono::steady_clock::time_point owned_until{};
};

/// The operations of one plan in the database: asks the functions of the schema, each in a transaction of its own.
class operation_store {
public:
    /// @param owner a random UUID
    operation_store(database& db, operation_plan const& plan, std::string owner);

    /// Empty when the answer to COMMIT was lost: ask again.
    [[nodiscard]] std::optional<operation_state> begin(request const& request, std::string const& data);
    [[nodiscard]] std::optional<operation_state> retake(std::string const& scope, std::string const& key);
    [[nodiscard]] std::optional<operation_state> next();

    /// @return the state it is in afterwards
    std::string release(operation_state const& state, std::string const& error,
                        std::chrono::milliseconds pause, int max_attempts, bool call_made);
    [[nodiscard]] std::string call_key(operation_state const& state, std::string const& phase);

    /// What travels with COMMIT.
    [[nodiscard]] statement advance(operation_state const& state, std::string const& to,
                                    std::optional<std::string> const& call, std::string const& data) const;
    [[nodiscard]] statement renew(operation_state const& state) const;
    [[nodiscard]] statement finish(operation_state const& state, std::string const& data,
                                   response const& made) const;

    /// Runs `work` in a transaction and commits it with the statement that it returns.
    /**
     * @return false when the answer to COMMIT was lost
     * @throws once::ownership_lost when the fence was refused
     */
    [[nodiscard]] bool commit(std::function<statement(transaction&)> const& work,
                              transaction_options const& options);
    /// The same without work.
    [[nodiscard]] bool commit(statement const& one);

private:
    [[nodiscard]] std::optional<operation_state> take(std::string const& sql, parameters const& values);
    std::string ask(std::string const& sql, parameters const& values);

    transaction_options m_own_transactions;
    database* m_db;
    operation_plan const* m_plan;
    std::string m_owner;
    sql::operation_statements m_sql;
};

} // namespace once::detail
