// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "migrations_folder.hpp"

#include <pqxx/connection>
#include <pqxx/transaction>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace once::testing {

std::vector<std::string> migration_names(std::string const& suffix) {
    std::vector<std::string> names;
    for (auto const& entry : std::filesystem::directory_iterator{ONCE_MIGRATIONS_FOLDER}) {
        auto const name = entry.path().filename().string();
        if (name.ends_with(suffix)) {
            names.push_back(name);
        }
    }
    std::ranges::sort(names);
    return names;
}

std::string migration_path(std::string const& name) {
    return std::string{ONCE_MIGRATIONS_FOLDER} + "/" + name;
}

std::string migration_text(std::string const& name) {
    std::ifstream const file{migration_path(name), std::ios::binary};
    if (!file) {
        throw std::runtime_error{migration_path(name) + " cannot be read"};
    }
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

void migrate(std::string const& dsn, std::string const& schema) {
    pqxx::connection connection{dsn};
    {
        pqxx::work tx{connection};
        tx.exec("create schema " + schema);
        tx.commit();
    }
    for (auto const& name : migration_names(".up.sql")) {
        pqxx::work tx{connection};
        tx.exec("set local search_path = " + schema + "; " + migration_text(name));
        tx.commit();
    }
}

namespace {

shell_result apply_path(std::string const& dsn, std::string const& schema, std::string const& path,
                        std::string const& options) {
    return run_in_shell("psql -X -q " + options + " -v ON_ERROR_STOP=1 -d " + shell_quoted(dsn) + " -c " +
                        shell_quoted("set search_path = " + schema) + " -f " + shell_quoted(path));
}

std::string const next_migration = ONCE_MIGRATIONS_FOLDER "/../tests/support/next_migration/next.";

} // namespace

shell_result apply_with_psql(std::string const& dsn, std::string const& schema, std::string const& name,
                             std::string const& options) {
    return apply_path(dsn, schema, migration_path(name), options);
}

shell_result apply_next(std::string const& dsn, std::string const& schema) {
    return apply_path(dsn, schema, next_migration + "up.sql", "-1");
}

shell_result take_back_next(std::string const& dsn, std::string const& schema) {
    return apply_path(dsn, schema, next_migration + "down.sql", "-1");
}

} // namespace once::testing
