// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/statement.hpp>

#include "sql/session_statements.hpp"

#include <cstddef>
#include <utility>
#include <vector>

namespace once::detail {

/// Statements of one round trip. Those behind one that fails are not run.
class pipeline {
public:
    /// @return the place of its answer
    std::size_t add(statement statement) {
        m_statements.push_back(std::move(statement));
        return m_statements.size() - 1;
    }

    /// Adds statements as a transaction of their own, so that what follows sees them committed.
    /// @return the place of the answer to the last of them
    template <class... Statements>
    std::size_t add_transaction(Statements... statements) {
        add({sql::begin(isolation::read_committed), {}});
        std::size_t place = 0;
        ((place = add(std::move(statements))), ...);
        add({sql::commit, {}});
        return place;
    }

    [[nodiscard]] std::vector<statement> const& statements() const noexcept { return m_statements; }

private:
    std::vector<statement> m_statements;
};

} // namespace once::detail
