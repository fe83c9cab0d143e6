// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "database/schema_check.hpp"

#include <once/error.hpp>
#include <once/migrations.hpp>

#include "sql/in_schema.hpp"
#include "sql/schema_statements.hpp"
#include "sql/session_statements.hpp"
#include "text/quote.hpp"

#include <array>
#include <charconv>
#include <utility>
#include <vector>

namespace once::detail {

namespace {

std::string file_name(std::size_t number) {
    return std::string{migrations()[number].name} + ".up.sql";
}

std::size_t ask_number(session& session, std::string const& query, time_point deadline) {
    auto const answer = session.ask({query, {}}, deadline);
    std::size_t number = 0;
    auto const text = answer.bytes(0);
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

std::size_t installed_version(session& session, std::string const& schema, time_point deadline) {
    auto const presence =
        session.ask({std::string{sql::schema_presence}, parameters{std::string_view{schema}}}, deadline);
    bool const schema_exists = presence.is_true(0);
    bool const may_ask = presence.is_true(1);
    if (!schema_exists) {
        throw schema_error{"once: there is no schema \"" + schema + "\": create it, then apply migrations/" +
                           file_name(0) + " and those behind it"};
    }
    if (!may_ask) {
        throw schema_error{"once: schema \"" + schema + "\" does not hold migrations/" + file_name(0) +
                           ", or this role may not use it: apply the migrations, and grant " + schema +
                           "_producer to a role "
                           "that writes, " +
                           schema + "_consumer to one that reads messages"};
    }
    return ask_number(session, sql::in_schema(sql::installed_version, sql::quote_identifier(schema)),
                      deadline);
}

/// Throws where the schema is newer than this library knows, and its files do not serve this library any more.
void check_served(session& session, std::string const& schema, std::size_t installed, time_point deadline) {
    auto const known = migrations().size();
    auto const oldest =
        ask_number(session, sql::in_schema(sql::serves_from, sql::quote_identifier(schema)), deadline);
    if (known < oldest) {
        throw schema_error{"once: schema \"" + schema + "\" is at version " + std::to_string(installed) +
                           ", newer than this library knows (" + std::to_string(known) +
                           "), and it serves only libraries that know version " + std::to_string(oldest) +
                           " or a later one: upgrade the library"};
    }
}

/// Throws where rows, or a sequence, were copied without what they belong to.
void check_copied_whole(session& session, std::string const& schema, time_point deadline) {
    auto const may_ask =
        session.ask({std::string{sql::may_ask_copied_apart}, parameters{std::string_view{schema}}}, deadline);
    if (may_ask.rows() == 0 || !may_ask.is_true(0)) {
        return;
    }
    auto const found =
        session.ask({sql::in_schema(sql::copied_apart, sql::quote_identifier(schema)), {}}, deadline);
    if (found.rows() > 0) {
        throw schema_error{"once: schema \"" + schema +
                           "\" was copied in parts that do not agree: " + found.text(0)};
    }
}

// A large query that is asked once: where jit_above_cost is low, to compile it takes seconds. Statements of one
// exchange are one transaction, so the setting ends with it.
pg_result ask_without_jit(session& on, statement const& question, time_point deadline) {
    statement const no_jit{sql::no_jit, {}};
    std::array<statement const*, 2> const all{&no_jit, &question};
    std::vector<pg_result> answers;
    on.exchange(all, deadline, answers);
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (!answers[i].ok()) {
            throw_sql_error(answers[i], all[i]->sql);
        }
    }
    return std::move(answers.back());
}

} // namespace

void check_schema(session& session, std::string const& schema, time_point deadline) {
    auto const installed = installed_version(session, schema, deadline);
    if (installed < migrations().size()) {
        throw schema_error{"once: schema \"" + schema + "\" is too old: apply migrations/" +
                           file_name(installed) +
                           (installed + 1 < migrations().size() ? " and those behind it" : "")};
    }
    if (installed > migrations().size()) {
        check_served(session, schema, installed, deadline);
    }
    auto const differences = ask_without_jit(
        session, {std::string{sql::schema_differences}, parameters{std::string_view{schema}}}, deadline);
    if (differences.rows() == 0) {
        return check_copied_whole(session, schema, deadline);
    }
    std::string text = "once: schema \"" + schema + "\" was altered, so its guarantees do not hold:";
    for (int row = 0; row < differences.rows(); ++row) {
        text += "\n  - " + differences.text(0, row);
    }
    throw schema_error{text};
}

} // namespace once::detail
