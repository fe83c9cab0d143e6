// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/migrations.hpp>

#include "integration/migration_checks.hpp"
#include "support/effects.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/nontransaction>
#include <pqxx/result>

#include <cctype>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

/** @file
 * What a reader of one migration file relies on: it needs nothing of a later file, and a function that runs under its
 * caller's search_path names the schema of everything.
 */
using namespace once::testing;

namespace {

std::string replaced(std::string const& text, char const* pattern, char const* by) {
    return std::regex_replace(text, std::regex{pattern}, by);
}

// Without comments and strings; of those that name an object ('outbox'::regclass), the name stays.
std::string code_of(std::string const& source) {
    auto const text =
        replaced(replaced(source, "--[^\n]*", ""), "'([^']*)'::(pg_catalog\\.)?reg", " $1 ::$2reg");
    return replaced(text, "'[^']*'", "''");
}

std::vector<std::string> matches(std::string const& text, char const* pattern, unsigned group) {
    std::vector<std::string> found;
    std::regex const expression{pattern};
    for (std::sregex_iterator at{text.begin(), text.end(), expression}, end; at != end; ++at) {
        found.push_back((*at)[group]);
    }
    return found;
}

// Names, those of functions with the bracket behind them; not those with the dot of an alias in front, which are
// columns.
std::set<std::string> words_of(std::string const& code) {
    auto const of_name = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
    std::set<std::string> found;
    for (std::size_t at = 0; at < code.size(); ++at) {
        auto end = at;
        while (end < code.size() && of_name(code[end])) {
            ++end;
        }
        if (end > at && (at == 0 || code[at - 1] != '.')) {
            found.insert(code.substr(at, end - at) + (end < code.size() && code[end] == '(' ? "(" : ""));
        }
        at = end;
    }
    return found;
}

// What of a function's source would be looked up along its caller's search_path.
std::vector<std::string> open_names(std::string const& source) {
    auto text = code_of(source);
    text = replaced(text, "operator\\(pg_catalog\\.[^)]*\\)", " ");
    text = replaced(text, ":=|\\bselect \\*|\\b(errcode|hint) =|get diagnostics \\w+ =", " ");
    // An assignment of UPDATE is no operator.
    text = replaced(text, "(\\bset|,)\\s+\\w+ =", "$1 ");
    std::vector<std::string> open = matches(text, "([-+*/<>=~!@#%^&|?]+)", 1);
    static std::set<std::string> const words{
        "and",     "any",  "array",    "as",   "case",   "coalesce", "conflict", "elsif", "exists",
        "extract", "from", "greatest", "if",   "in",     "lateral",  "least",    "not",   "on",
        "or",      "row",  "select",   "then", "values", "when",     "where"};
    for (auto const& name : matches(replaced(text, "\\bas \\w+ \\(", "("), "(^|[^.\\w])(\\w+)\\s*\\(", 2)) {
        if (!words.contains(name)) {
            open.push_back(name + "()");
        }
    }
    static std::set<std::string> const types{"bigint",   "record",  "boolean",  "integer",
                                             "interval", "numeric", "timestamp"};
    for (auto const* where : {"::\\s*([\\w.]+)", "\n\\s+v_\\w+\\s+(?:constant\\s+)?([a-z][\\w.]*)"}) {
        for (auto const& type : matches(text.substr(0, text.find("\nbegin")), where, 1)) {
            if (type.find('.') == std::string::npos && !types.contains(type)) {
                open.push_back("type " + type);
            }
        }
    }
    for (auto const& table : matches(text, "\\b(?:from|join|into|update)\\s+([\\w.]+)", 1)) {
        if (table.find('.') == std::string::npos && !table.starts_with("v_") && !table.starts_with("p_") &&
            table != "lateral") {
            open.push_back("table " + table);
        }
    }
    return open;
}

} // namespace

TEST_CASE("no function of a migration file needs what a later file makes", "[migrations]") {
    empty_database const server;
    pqxx::connection connection{server.dsn()};
    pqxx::nontransaction tx{connection};
    tx.exec("create schema once; set search_path = once");
    std::map<std::string, std::string> made_by; // object: file
    std::map<std::string, std::string> sources; // function: text
    for (auto const& step : once::migrations()) {
        tx.exec(std::string{step.up});
        for (auto const& row :
             tx.exec("select proname || '(', prosrc from pg_proc where pronamespace = 'once'::regnamespace "
                     "union all select relname, null from pg_class where relnamespace = 'once'::regnamespace "
                     "and relkind in ('r', 'p', 'v', 'S')")) {
            auto const name = row[0].as<std::string>();
            made_by.emplace(name, step.name);
            if (!row[1].is_null()) {
                auto const known = sources.emplace(name, row[1].c_str()).first;
                INFO(name << " of " << made_by.at(name) << " was replaced by " << step.name);
                CHECK(known->second == row[1].c_str());
            }
        }
    }
    CHECK(made_by.at("next_batch(") > made_by.at("parked_message"));
    for (auto const& [function, source] : sources) {
        for (auto const& word : words_of(code_of(source))) {
            auto const other = made_by.find(word);
            INFO(function << ") of " << made_by.at(function) << " names " << word);
            CHECK((other == made_by.end() || other->second <= made_by.at(function)));
        }
    }
}

TEST_CASE("no function that sets or writes something is called stable", "[migrations]") {
    test_database const server;
    CHECK(column(server.dsn(), R"sql(
        with recursive code as (
            select oid, proname, provolatile, regexp_replace(prosrc, '--[^\n]*|''[^'']*''', '', 'g') as text
            from pg_proc where pronamespace = 'once'::regnamespace
        ), changes as (
            select oid, proname from code where text ~ '\m(set_config|setval|nextval|pg_notify|insert|update|delete)\M'
            union
            select c.oid, c.proname from changes join code as c on c.text ~ ('\m' || changes.proname || '\(')
        )
        select distinct proname from changes join code using (oid, proname) where provolatile <> 'v')sql") ==
          std::vector<std::string>{});
}

TEST_CASE("what runs under its caller's search_path names the schema of everything", "[migrations]") {
    test_database const server;
    pqxx::connection connection{server.dsn()};
    pqxx::nontransaction tx{connection};
    tx.exec(
        "insert into once.service_role (role, service) values ('somebody', 'shop')"); // then groups are asked for
    // Those with their owner's rights, and whatever they call that has no search_path of its own either. (An SQL body
    // has looked up its names already, so its text is empty here; what it calls has not.)
    auto const unpinned = tx.exec(R"sql(
        with recursive open as (
            select oid, proname, prosrc from pg_proc where pronamespace = 'once'::regnamespace and prosecdef
               and array_to_string(proconfig, ' ') !~ 'search_path=' is not false
            union
            select p.oid, p.proname, p.prosrc from open join pg_proc as p
                on open.prosrc ~ ('once\.' || p.proname || '\(')
                or exists (select from pg_depend as d
                           where (d.classid, d.objid) = ('pg_proc'::regclass, open.oid)
                             and (d.refclassid, d.refobjid) = ('pg_proc'::regclass, p.oid))
            where p.pronamespace = 'once'::regnamespace
              and array_to_string(p.proconfig, ' ') !~ 'search_path=' is not false)
        select proname, prosrc from open)sql");
    std::set<std::string> names;
    for (auto const& row : unpinned) {
        names.insert(row[0].c_str());
        INFO(row[0].c_str());
        CHECK(open_names(row[1].c_str()) == std::vector<std::string>{});
    }
    CHECK(names.contains("claim"));
    CHECK(names.contains("complete"));
    CHECK(names.contains("service_by_membership"));

    // What a careless one would look like.
    CHECK(open_names("begin return p_a = p_b; end") == std::vector<std::string>{"="});
    CHECK(open_names("begin return clock_timestamp(); end") == std::vector<std::string>{"clock_timestamp()"});
    CHECK(open_names("\ndeclare\n    v_a text;\nbegin") == std::vector<std::string>{"type text"});
    CHECK(open_names("begin select count into v_a from lease; end") ==
          std::vector<std::string>{"table lease"});
    CHECK(open_names("begin update once.lease set a = 1, b = pg_catalog.now() where true; end").empty());
}
