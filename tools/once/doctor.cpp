// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "doctor.hpp"

#include <once/migrations.hpp>

#include "exit_status.hpp"
#include "output.hpp"
#include "queries.hpp"

#include <algorithm>
#include <ostream>
#include <random>
#include <tuple>

namespace once::command {

namespace {

std::string replace_all(std::string text, std::string const& from, std::string const& to) {
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
    return text;
}

std::vector<catalog_entry> read_catalog(pqxx::transaction_base& tx, std::string const& schema) {
    auto const rows = tx.exec(queries::catalog, pqxx::params{schema});
    std::vector<catalog_entry> made;
    for (auto const& row : rows) {
        auto const text = [](auto const& cell) {
            return cell.is_null() ? std::string{} : std::string{cell.view()};
        };
        made.push_back({text(row[0]), text(row[1]), text(row[2]), text(row[3])});
    }
    return made;
}

// What the migrations up to `version` make on this server: the truth that no list can get out of step with.
std::vector<catalog_entry> expected_catalog(session& db, int version) {
    auto const scratch = "once_doctor_" + std::to_string(std::random_device{}());
    pqxx::work tx{db.connection()};
    tx.exec(queries::bounds);
    tx.exec("create schema " + tx.quote_name(scratch));
    tx.exec(queries::use_schema, pqxx::params{scratch});
    for (auto const& step : migrations()) {
        if (step.version <= version) {
            tx.exec(std::string{step.up});
        }
    }
    // The definitions name no schema that is first in the search_path; so it is not, here and for the live one.
    tx.exec("set local search_path = ''");
    auto made = read_catalog(tx, scratch);
    tx.abort();
    // Nothing else is called like the scratch schema, which cannot be said of the live one.
    for (auto& entry : made) {
        for (auto* const text : {&entry.name, &entry.definition, &entry.mend}) {
            *text = replace_all(std::move(*text), scratch, db.where().schema);
        }
    }
    return made;
}

std::vector<catalog_entry> live_catalog(session& db) {
    pqxx::work tx{db.connection()};
    tx.exec(queries::bounds);
    tx.exec("set local search_path = ''");
    return read_catalog(tx, db.where().schema);
}

bool is_short(catalog_entry const& entry) {
    return entry.kind != "function" && entry.kind != "view" && entry.kind != "comment";
}

std::string shown(catalog_entry const& entry) {
    return is_short(entry) ? ": " + entry.definition : "";
}

} // namespace

std::vector<finding> compare_catalogs(std::vector<catalog_entry> expected, std::vector<catalog_entry> live) {
    std::vector<finding> made;
    auto const key = [](catalog_entry const& entry) { return std::tie(entry.kind, entry.name); };
    std::ranges::sort(expected, {}, key);
    std::ranges::sort(live, {}, key);
    auto wanted = expected.begin();
    auto found = live.begin();
    while (wanted != expected.end() || found != live.end()) {
        if (found == live.end() || (wanted != expected.end() && key(*wanted) < key(*found))) {
            made.push_back({wanted->kind + " " + wanted->name + " is missing",
                            "it is part of the schema" + shown(*wanted), wanted->mend});
            ++wanted;
        } else if (wanted == expected.end() || key(*found) < key(*wanted)) {
            made.push_back({found->kind + " " + found->name + " is not part of the schema",
                            "somebody added it" + shown(*found), ""});
            ++found;
        } else {
            if (wanted->definition != found->definition) {
                made.push_back({wanted->kind + " " + wanted->name + " was altered",
                                is_short(*wanted)
                                    ? "it is: " + found->definition + "; it should be: " + wanted->definition
                                    : "its text is not that of the migration",
                                wanted->mend});
            }
            ++wanted;
            ++found;
        }
    }
    return made;
}

namespace {

void print_findings(std::vector<finding> const& findings, doctor_output how, std::ostream& out) {
    if (how == doctor_output::json) {
        auto list = nlohmann::ordered_json::array();
        for (auto const& one : findings) {
            list.push_back({{"what", one.what}, {"why", one.why}, {"mend", one.mend}});
        }
        print_json(out, list);
        return;
    }
    if (how == doctor_output::text && findings.empty()) {
        out << "all is as it should be: no differences, no risky settings\n";
    }
    for (auto const& one : findings) {
        bool const long_text = one.mend.find('\n') != std::string::npos;
        if (how == doctor_output::sql) {
            out << "-- " << one.what << '\n'
                << (one.mend.empty() ? "-- nothing to run" : one.mend + ';') << "\n\n";
        } else {
            out << "* " << one.what << "\n  why:  " << one.why << '\n';
            if (!one.mend.empty()) {
                out << "  mend: " << (long_text ? "once doctor --sql prints it" : one.mend) << '\n';
            }
        }
    }
}

} // namespace

int doctor(session& db, doctor_output how, std::ostream& out) {
    int const installed = db.installed_version();
    int const known = migrations().back().version;
    std::vector<finding> findings;
    if (installed == 0) {
        throw not_found{"there is no schema \"" + db.where().schema + "\" of once here: see migrate up"};
    }
    if (installed < known) {
        findings.push_back({"the schema is at version " + std::to_string(installed),
                            "this release needs version " + std::to_string(known), "once migrate up"});
    }
    if (installed > known) {
        throw std::runtime_error{"the schema is newer than this command: use the command of that release"};
    }
    for (auto& one : compare_catalogs(expected_catalog(db, installed), live_catalog(db))) {
        findings.push_back(std::move(one));
    }
    if (db.ask(queries::server_process)[0][0].as<int>() != db.connection().backendpid()) {
        findings.push_back({"this connection goes through a pooler",
                            "in transaction mode nobody can wake a reader there, and PgBouncer before 1.21 "
                            "mixes up prepared "
                            "statements; see Connections and poolers in the operations guide",
                            ""});
    }
    auto const risky = db.ask(queries::risky_settings);
    for (auto const& row : risky) {
        findings.push_back(
            {std::string{row[0].view()}, std::string{row[1].view()}, std::string{row[2].view()}});
    }

    print_findings(findings, how, out);
    return findings.empty() ? exit_status::ok : exit_status::found;
}

} // namespace once::command
