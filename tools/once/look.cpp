// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "look.hpp"

#include "exit_status.hpp"
#include "printable.hpp"
#include "queries.hpp"
#include "screen.hpp"

#include <nlohmann/json.hpp>

#include <ostream>

namespace once::command {

namespace {

bool needs_a_person(pqxx::result const& subscriptions) {
    for (pqxx::result::size_type row = 0; row < subscriptions.size(); ++row) {
        auto const cell = [&](char const* name) {
            return subscriptions[row][subscriptions.column_number(name)];
        };
        bool const unread = cell("reader").is_null() && cell("waiting").as<long long>() > 0;
        if (cell("state").view() != "active" || cell("dead").as<long long>() > 0 || unread) {
            return true;
        }
    }
    return false;
}

} // namespace

int status(session& db, format how, std::ostream& out) {
    auto const overview = db.ask(queries::overview);
    auto const subscriptions = db.ask(queries::subscriptions);
    auto const oldest = db.ask(queries::oldest_transaction);
    bool const found = needs_a_person(subscriptions);
    if (how == format::json) {
        auto all = to_json(overview).front();
        all["subscriptions"] = to_json(subscriptions);
        all["oldest_transaction"] =
            oldest.empty() ? nlohmann::ordered_json(nullptr) : to_json(oldest).front();
        all["needs_a_person"] = found;
        print_json(out, all);
    } else {
        print_records(out, overview);
        out << "\nSubscriptions (waiting: at most so many messages, whatever their topic)\n";
        print_table(out, subscriptions, "none");
        out << "\nOldest transaction\n";
        print_table(out, oldest, "none is older than a minute");
        if (found) {
            out << painted(out, ink::doubtful,
                           "\nSomething needs a person: see once why, and once parked list --state dead\n");
        }
    }
    return found ? exit_status::found : exit_status::ok;
}

int explain_stall(session& db, std::optional<std::string> const& subscription,
                  std::optional<std::string> const& service, format how, std::ostream& out) {
    auto const rows = db.ask(queries::explain_stall, pqxx::params{subscription, service});
    if (how == format::json) {
        print_json(out, to_json(rows));
    } else if (rows.empty()) {
        out << "nothing stands in the way\n";
    } else {
        for (pqxx::result::size_type row = 0; row < rows.size(); ++row) {
            auto const text = [&](pqxx::row::size_type column) {
                return rows[row][column].is_null() ? std::string{} : printable(rows[row][column].view());
            };
            auto const place = text(0) + (text(1).empty() ? "" : "/") + text(1) +
                               (text(2).empty() ? "" : " slice ") + text(2) + (text(0).empty() ? "" : ": ");
            auto const advice = text(5);
            // SQL that runs as it stands; what is only a comment is told without its dashes.
            out << "* " << place << painted(out, ink::strong, text(3)) << "\n  " << text(4) << '\n'
                << (advice.starts_with("-- ") ? "  " + advice.substr(3) : "  fix: " + advice) << '\n';
        }
    }
    return rows.empty() ? exit_status::ok : exit_status::found;
}

int explain_key(session& db, key_choice const& choice, format how, std::ostream& out) {
    auto const rows = db.ask(queries::holders_of_key, pqxx::params{choice.scope, choice.key, choice.service});
    print(out, how, rows,
          "no transaction works on this request; once request show tells whether it was answered");
    return rows.empty() ? exit_status::ok : exit_status::found;
}

} // namespace once::command
