// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "support/effects.hpp"
#include "support/migrations_folder.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/nontransaction>
#include <pqxx/result>
#include <pqxx/row>

#include <string>
#include <vector>

namespace once::testing {

/// Everything in the schema, one name per line.
inline std::string objects(std::string const& dsn) {
    return ask(
        dsn, "select string_agg(what, E'\n' order by what) from ("
             "select 'class ' || relname from pg_class where relnamespace = 'once'::regnamespace union all "
             "select 'function ' || proname from pg_proc where pronamespace = 'once'::regnamespace union all "
             "select 'type ' || typname from pg_type where typnamespace = 'once'::regnamespace union all "
             "select 'constraint ' || conname from pg_constraint where connamespace = 'once'::regnamespace"
             ") as all_of_them (what)");
}

/// The first field of each row.
inline std::vector<std::string> column(std::string const& dsn, std::string const& sql) {
    pqxx::connection connection{dsn};
    pqxx::nontransaction tx{connection};
    std::vector<std::string> values;
    for (auto const& row : tx.exec(sql)) {
        values.push_back(row[0].as<std::string>());
    }
    return values;
}

/// Applies one file to the schema once, as the manual says.
inline void apply(std::string const& dsn, std::string const& name) {
    INFO(name);
    auto const done = apply_with_psql(dsn, "once", name);
    INFO(done.output);
    REQUIRE(done.status == 0);
}

} // namespace once::testing
