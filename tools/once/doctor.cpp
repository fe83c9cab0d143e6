// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "doctor.hpp"

#include <once/database.hpp>
#include <once/error.hpp>
#include <once/migrations.hpp>

#include "doctor_queries.hpp"
#include "exit_status.hpp"
#include "output.hpp"
#include "printable.hpp"
#include "queries.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <ostream>
#include <random>
#include <string_view>
#include <tuple>

namespace once::command {

namespace {

std::string replace_all(std::string text, std::string const& from, std::string const& to) {
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
    return text;
}

// Of any of the row types of libpqxx 7 and 8.
template <typename Row>
std::string text_of(Row const& row, int column) {
    return row[column].is_null() ? std::string{} : std::string{row[column].view()};
}

std::vector<catalog_entry> read_catalog(pqxx::transaction_base& tx, std::string const& schema) {
    auto const rows = tx.exec(queries::catalog, pqxx::params{schema});
    std::vector<catalog_entry> made;
    for (auto const& row : rows) {
        made.push_back({text_of(row, 0), text_of(row, 1), text_of(row, 2), text_of(row, 3), text_of(row, 4)});
    }
    return made;
}

// Adds what one query finds: what, why, and the columns named.
void add_findings(pqxx::result const& rows, int fix, int advice, std::vector<finding>& findings) {
    for (auto const& row : rows) {
        findings.push_back({text_of(row, 0), text_of(row, 1), fix < 0 ? "" : text_of(row, fix),
                            advice < 0 ? "" : text_of(row, advice)});
    }
}

// What the migrations up to `version` make on this server, in a schema of its own: the truth that no list can get out
// of step with. It is gone with the transaction.
void make_scratch_schema(pqxx::work& tx, std::string const& scratch, int version) {
    tx.exec("create schema " + tx.quote_name(scratch));
    tx.exec(queries::use_schema, pqxx::params{scratch});
    tx.exec(queries::without_group_roles);
    for (auto const& step : migrations()) {
        if (step.version <= version) {
            tx.exec(std::string{step.up});
        }
    }
}

// Definitions in the scratch schema as they would be in the live one. Nothing else is called like the scratch schema,
// which cannot be said of the live one.
void rename_schema(std::vector<catalog_entry>& entries, std::string const& scratch, std::string const& quoted,
                   std::string const& plain) {
    for (auto& entry : entries) {
        for (auto* const text : {&entry.name, &entry.definition, &entry.fix, &entry.change}) {
            *text = replace_all(std::move(*text), scratch + '.', quoted + '.');
            *text = replace_all(std::move(*text), scratch, plain);
        }
    }
}

// What a service would say at its start. It knows by itself what the guarantees rest on, so it also sees what an event
// trigger or a default of the server does to every schema, the one that doctor compares with included.
void add_refusal(session& db, std::vector<finding>& findings) {
    try {
        once::database{db.where().conninfo, {.schema = db.where().schema, .prepared_statements = false}}
            .check();
    } catch (once::schema_error const& e) {
        findings.push_back({"services refuse this schema", e.what(), "",
                            "see What a schema error means in the operations guide"});
    } catch (once::configuration_error const& e) {
        findings.push_back({"services refuse this database", e.what(), "", ""});
    }
}

void check_may_make_schemas(pqxx::work& tx) {
    auto const row = tx.exec(queries::may_make_schemas)[0];
    if (!row[0].as<bool>()) {
        throw std::runtime_error{"doctor compares with a schema that it makes and rolls back, which " +
                                 row[1].as<std::string>() + " may not: grant create on database " +
                                 row[2].as<std::string>() + " to " + row[1].as<std::string>()};
    }
}

// Everything that the catalog tells of a schema at this version, in one transaction that is rolled back.
std::vector<finding> findings_of_schema(session& db, int version) {
    auto const& schema = db.where().schema;
    auto const scratch = "once_doctor_" + std::to_string(std::random_device{}());
    pqxx::work tx{db.connection()};
    db.begin(tx);
    tx.exec(queries::plain_settings);
    auto const quoted = tx.query_value<std::string>("select quote_ident($1)", pqxx::params{schema});
    check_may_make_schemas(tx);
    make_scratch_schema(tx, scratch, version);
    tx.exec(queries::plain_settings); // the search_path is that of the last file
    auto expected = read_catalog(tx, scratch);
    rename_schema(expected, scratch, quoted, schema);
    auto findings = compare_catalogs(std::move(expected), read_catalog(tx, schema));

    pqxx::params const of_schema{schema};
    if (version ==
        migrations().back().version) { // before the last one there are no roles, and not all tables
        auto const asked =
            replace_all(replace_all(queries::right_findings, "RIGHTS", queries::rights), "SCRATCH", scratch);
        add_findings(tx.exec(asked, of_schema), 2, -1, findings);
        add_findings(tx.exec(replace_all(queries::rotation_findings, "SCHEMA", quoted), of_schema), -1, 2,
                     findings);
    }
    add_findings(tx.exec(queries::owner_findings, of_schema), 2, -1, findings);
    add_findings(tx.exec(replace_all(queries::row_findings, "SCHEMA", quoted)), 2, 3, findings);
    add_findings(tx.exec(queries::publication_findings, of_schema), 2, -1, findings);
    tx.abort();
    return findings;
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
    // Comments in the end: what they are on has to be there first.
    auto const key = [](catalog_entry const& entry) {
        return std::tuple<bool, std::string_view, std::string_view>{entry.kind == "comment", entry.kind,
                                                                    entry.name};
    };
    std::ranges::sort(expected, {}, key);
    std::ranges::sort(live, {}, key);
    auto wanted = expected.begin();
    auto found = live.begin();
    while (wanted != expected.end() || found != live.end()) {
        if (found == live.end() || (wanted != expected.end() && key(*wanted) < key(*found))) {
            made.push_back({wanted->kind + " " + wanted->name + " is missing",
                            "it is part of the schema" + shown(*wanted), wanted->fix, ""});
            ++wanted;
        } else if (wanted == expected.end() || key(*found) < key(*wanted)) {
            made.push_back({found->kind + " " + found->name + " is not part of the schema",
                            "it was added later" + shown(*found), "", ""});
            ++found;
        } else {
            if (wanted->definition != found->definition) {
                made.push_back({wanted->kind + " " + wanted->name + " was altered",
                                is_short(*wanted)
                                    ? "it is: " + found->definition + "; it should be: " + wanted->definition
                                    : "its text is not that of the migration",
                                wanted->change.empty() ? wanted->fix : wanted->change, ""});
            }
            ++wanted;
            ++found;
        }
    }
    return made;
}

namespace {

// What runs stands alone; all else is a comment, on one line.
void print_sql(finding const& one, std::ostream& out) {
    auto const comment = [&](std::string const& text) {
        // Names of others, in SQL that people pipe into psql: no line break, of any kind, may end the comment.
        out << "-- " << printable(text) << '\n';
    };
    comment(one.what);
    if (!one.fix.empty()) {
        out << one.fix << ";\n";
    } else {
        comment(one.advice.empty() ? "nothing to run" : one.advice);
    }
    out << '\n';
}

void print_findings(std::vector<finding> const& findings, doctor_output how, std::ostream& out) {
    if (how == doctor_output::json) {
        auto list = nlohmann::ordered_json::array();
        for (auto const& one : findings) {
            list.push_back({{"what", one.what}, {"why", one.why}, {"fix", one.fix}, {"advice", one.advice}});
        }
        print_json(out, list);
        return;
    }
    if (how == doctor_output::text && findings.empty()) {
        out << "all is as it should be: no differences, no risky settings\n";
    }
    for (auto const& one : findings) {
        bool const long_text = one.fix.find('\n') != std::string::npos;
        if (how == doctor_output::sql) {
            print_sql(one, out);
            continue;
        }
        out << "* " << printable(one.what) << "\n  why: " << printable(one.why) << '\n';
        if (!one.fix.empty()) {
            out << "  fix: " << (long_text ? "once doctor --sql prints it" : printable(one.fix) + ';')
                << '\n';
        }
        if (!one.advice.empty()) {
            out << "  fix: " << printable(one.advice) << '\n';
        }
    }
}

} // namespace

int doctor(session& db, doctor_output how, std::ostream& out) {
    int const installed = db.installed_version();
    int const known = migrations().back().version;
    if (installed == 0) {
        throw not_found{"there is no schema \"" + db.where().schema + "\" of once here: see migrate up"};
    }
    if (installed > known) {
        throw std::runtime_error{"the schema is newer than this command: use the command of that release"};
    }
    auto findings = findings_of_schema(db, installed);
    if (installed == known) {
        add_refusal(db, findings);
    }
    if (installed < known) {
        findings.insert(findings.begin(),
                        {"the schema is at version " + std::to_string(installed),
                         "this release needs version " + std::to_string(known), "", "once migrate up"});
    }
    if (db.ask(queries::server_process)[0][0].as<int>() != db.connection().backendpid()) {
        findings.push_back({"this connection goes through a pooler",
                            "in transaction mode nobody can wake a reader there, and PgBouncer before 1.21 "
                            "mixes up prepared statements",
                            "", "see Connections and poolers in the operations guide"});
    }
    // A function of the schema says so: not to be asked before those are as they should be.
    bool const functions_fit =
        std::ranges::none_of(findings, [](finding const& one) { return one.what.starts_with("function "); });
    if (installed == known && functions_fit) {
        add_findings(db.ask(queries::copied_apart), 2, 3, findings);
    }
    add_findings(db.ask(queries::risky_settings), 2, 3, findings);

    print_findings(findings, how, out);
    return findings.empty() ? exit_status::ok : exit_status::found;
}

} // namespace once::command
