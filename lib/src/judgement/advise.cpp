// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/advise.hpp>
#include <once/error.hpp>

#include <pqxx/except>

#include <algorithm>
#include <array>
#include <string>

namespace once {

advice advise_sqlstate(std::string_view state) noexcept {
    // 26000, 42P05: the server does not know a prepared statement, or knows one that it should not: the session behind
    // the connection is another one.
    constexpr std::array<std::string_view, 8> lost{"57P01", "57P02", "57P03", "57P05",
                                                   "53300", "25P03", "26000", "42P05"};
    if (state == "40001" || state == "40P01" || state == "55P03") {
        return advice::retry_transaction;
    }
    // 08001, 08004: there was no session yet.
    if (state == "08001" || state == "08004" || std::ranges::find(lost, state) != lost.end()) {
        return advice::reconnect;
    }
    // A pooler says 08P01, 08006 or 08000 when it has lost the server, also while that one carries out COMMIT.
    if (state == "40003" || state.starts_with("08")) {
        return advice::ask_database_first;
    }
    return advice::give_up;
}

advice advise(std::exception const& error) noexcept {
    if (dynamic_cast<pqxx::in_doubt_error const*>(&error) != nullptr ||
        dynamic_cast<pqxx::statement_completion_unknown const*>(&error) != nullptr) {
        return advice::ask_database_first;
    }
    if (dynamic_cast<pqxx::broken_connection const*>(&error) != nullptr) {
        return advice::reconnect;
    }
    if (auto const* const sql = dynamic_cast<pqxx::sql_error const*>(&error)) {
        return advise_sqlstate(sql->sqlstate());
    }
    return advice::give_up;
}

std::string_view to_string(advice value) noexcept {
    switch (value) {
    case advice::retry_transaction:
        return "retry_transaction";
    case advice::reconnect:
        return "reconnect";
    case advice::ask_database_first:
        return "ask_database_first";
    case advice::give_up:
        break;
    }
    return "give_up";
}

} // namespace once
