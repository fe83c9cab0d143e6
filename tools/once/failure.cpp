// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "failure.hpp"

#include <once/migrations.hpp>

#include "conninfo.hpp"
#include "exit_status.hpp"
#include "output.hpp"
#include "queries.hpp"

#include <algorithm>
#include <array>

namespace once::command {

namespace {

template <std::size_t N>
bool is_one_of(std::string_view what, std::array<std::string_view, N> const& all) {
    return std::ranges::find(all, what) != all.end();
}

bool holds(std::string_view text, std::string_view what) {
    return text.find(what) != std::string_view::npos;
}

// The server's text on one line: its message and its hint. Not its severity, nor where in which statement or
// function it was; and not its detail, which can hold a row.
std::string bare(std::string const& text) {
    std::string made{bare_line(text)};
    for (std::string_view const level : {"ERROR:  ", "FATAL:  "}) {
        made.erase(0, made.starts_with(level) ? level.size() : 0);
    }
    constexpr std::string_view mark = "\nHINT:  ";
    auto const hint = made.find(mark);
    auto const said = hint == std::string::npos ? std::string{} : made.substr(hint + mark.size());
    made = made.substr(0, made.find('\n'));
    return said.empty() ? made : made + "; " + said.substr(0, said.find('\n'));
}

std::string option_of(place_facts const& facts) {
    return facts.schema == "once" ? "once" : "once -s " + shell_quoted(facts.schema);
}

// Something of the library is not there.
failure explain_missing(std::string const& text, place_facts const& facts) {
    auto const where = "schema \"" + facts.schema + "\" of database \"" + facts.database + "\"";
    if (!facts.tables_there) {
        auto const elsewhere =
            facts.other_schemas.empty()
                ? "apply it: " + option_of(facts) + " migrate up" +
                      (facts.schema_there ? "" : " --create-schema")
                : "it is in " + facts.other_schemas + " there: name it with --schema or ONCE_SCHEMA";
        return {exit_status::not_found,
                (facts.schema_there
                     ? where + " holds nothing of the library"
                     : "database \"" + facts.database + "\" has no schema \"" + facts.schema + "\"") +
                    "; " + elsewhere,
                text};
    }
    if (facts.installed > 0 && facts.installed < facts.known) {
        return {exit_status::refused,
                where + " is at version " + std::to_string(facts.installed) + ", this command needs " +
                    std::to_string(facts.known) + "; apply what is missing: " + option_of(facts) +
                    " migrate up",
                text};
    }
    if (facts.installed > facts.known) {
        return {exit_status::refused,
                where + " is at version " + std::to_string(facts.installed) +
                    ", newer than this command knows (" + std::to_string(facts.known) +
                    "); use the command of that release",
                text};
    }
    return {exit_status::refused,
            bare(text) + "\nsee what is wrong with the schema: " + option_of(facts) + " doctor", text};
}

failure explain_right(std::string const& text, place_facts const& facts, std::string const& needed) {
    auto const advice = needed == "owner"
                            ? "it is for the owner of the schema: connect as that role, or as a superuser"
                            : "it needs the rights of " + facts.schema + "_" + needed +
                                  "; as one who may grant them: " + option_of(facts) + " grant " +
                                  shell_quoted(facts.role) + " " + needed + " --apply";
    auto const what = facts.may_use_schema ? bare(text) : "no right to use schema \"" + facts.schema + "\"";
    return {exit_status::refused, "role \"" + facts.role + "\" may not do this (" + what + "); " + advice,
            text};
}

} // namespace

bool is_refused_right(pqxx::sql_error const& e) {
    return std::string_view{e.sqlstate()} == "42501" ||
           dynamic_cast<pqxx::insufficient_privilege const*>(&e) != nullptr;
}

failure explain_refusal(std::string_view sqlstate, std::string const& text, place_facts const& facts,
                        std::string const& needed) {
    constexpr std::array<std::string_view, 5> missing{"3F000", "42P01", "42883", "42703", "42704"};
    bool const is_missing = is_one_of(sqlstate, missing);
    bool const unseen = is_missing && facts.tables_there && !facts.may_use_schema;
    if (is_missing && !unseen) {
        return explain_missing(text, facts);
    }
    if (sqlstate == "42501" || unseen) {
        return explain_right(text, facts, needed);
    }
    auto const said = [&](std::string const& sentence) {
        return failure{exit_status::refused, sentence + " (" + bare(text) + ")", text};
    };
    if (sqlstate == "ON060") {
        return {exit_status::not_found, bare(text), text};
    }
    if (sqlstate == "25006") {
        return said(facts.standby
                        ? "this server is a standby and takes no writes; connect to the primary: list "
                          "all hosts, with target_session_attrs=read-write"
                        : "this transaction takes no writes");
    }
    if (sqlstate == "55P03") {
        return said("a lock was not to be had within 5 seconds; see who holds it in pg_stat_activity and "
                    "pg_locks, and try again");
    }
    if (sqlstate == "57014") {
        return said("the statement was cancelled, or took longer than 5 minutes");
    }
    if (sqlstate == "40001" || sqlstate == "40P01") {
        return said("another transaction was in the way; try again");
    }
    return {exit_status::refused, bare(text), text};
}

failure explain_no_connection(std::string const& text, std::string const& place) {
    struct known {
        std::string_view says;
        char const* advice;
        /// And this, too.
        std::string_view also = "";
    };
    // Before a session begins libpq hands on no SQLSTATE; so it is the text, and where that is in another language it
    // speaks for itself.
    constexpr std::array<known, 12> all{{
        {"password authentication failed",
         "the password is wrong, or the role has none: check ~/.pgpass, a service file, "
         "PGPASSWORD or ONCE_DATABASE"},
        {"no password supplied",
         "a password is wanted: put it into ~/.pgpass, a service file, PGPASSWORD or ONCE_DATABASE"},
        {"Peer authentication failed", "over the socket this server takes a role only from the system "
                                       "account of the same name: give user=, "
                                       "or host=localhost"},
        {"no pg_hba.conf entry", "pg_hba.conf of the server does not let this role in from here"},
        {"database \"",
         "there is no such database: create it, or name another one with -d dbname=", "does not exist"},
        {"role \"",
         "there is no such role: name another one with -d user= (libpq takes the name of the system "
         "account)",
         "does not exist"},
        {"too many c", "all connections of the server, or of the role, are taken"},
        {"remaining connection slots", "all connections of the server are taken"},
        {"starting up", "the server is starting, or recovering from a crash: try again soon"},
        {"could not translate host name", "there is no such host: is the name right?"},
        {"timeout expired", "nothing answers there: is the host right, is a firewall in between?"},
        {"Is the server running",
         "no server listens there: is it running, are host and port right? The default is the socket of this "
         "machine; give -d 'host=... port=...'"},
    }};
    auto const found = std::ranges::find_if(
        all, [&](known const& one) { return holds(text, one.says) && holds(text, one.also); });
    auto const what = "cannot connect to " + place + ": ";
    if (found == all.end()) {
        return {exit_status::unreachable, what + bare(text), text};
    }
    // The last line but one of libpq's text says what happened; the host stands in `place`.
    auto reason = bare(text);
    auto const colon = reason.rfind("failed: ");
    reason = colon == std::string::npos ? reason : reason.substr(colon + 8);
    reason = reason.substr(0, reason.find('\n'));
    reason.erase(0, reason.starts_with("FATAL:  ") ? 8 : 0);
    return {exit_status::unreachable, what + reason + "; " + found->advice, text};
}

failure explained(pqxx::sql_error const& e, session& db, std::string const& needed) {
    place_facts facts{.schema = db.where().schema, .known = migrations().back().version};
    try {
        auto const rows = db.ask(queries::place_facts, pqxx::params{db.where().schema});
        auto const text = [&](int column) {
            return rows[0][column].is_null() ? std::string{} : std::string{rows[0][column].view()};
        };
        facts.database = text(0);
        facts.role = text(1);
        facts.schema_there = text(2) == "t";
        facts.tables_there = text(3) == "t";
        facts.other_schemas = text(4);
        facts.standby = text(5) == "t";
        facts.may_use_schema = text(6) != "f";
        if (facts.tables_there && facts.may_use_schema) {
            facts.installed = db.ask(queries::newest_version)[0][0].as<int>();
        }
    } catch (std::exception const&) { // NOLINT(bugprone-empty-catch): then the error says less
    }
    return explain_refusal(is_refused_right(e) ? "42501" : e.sqlstate(), e.what(), facts, needed);
}

} // namespace once::command
