// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "migrations_folder.hpp"

#include <pqxx/connection>
#include <pqxx/transaction>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace once::testing {

namespace {

std::string shell_quoted(std::string const& text) {
    std::string quoted = "'";
    for (char const c : text) {
        quoted += c == '\'' ? "'\\''" : std::string{c};
    }
    return quoted + "'";
}

} // namespace

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

psql_result apply_with_psql(std::string const& dsn, std::string const& schema, std::string const& name,
                            std::string const& options) {
    auto const command = "psql -X -q " + options + " -v ON_ERROR_STOP=1 -d " + shell_quoted(dsn) + " -c " +
                         shell_quoted("set search_path = " + schema) + " -f " +
                         shell_quoted(migration_path(name)) + " 2>&1";
    auto* const pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) {
        throw std::runtime_error{"psql cannot be started"};
    }
    psql_result result;
    std::array<char, 4096> buffer{};
    while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) {
        result.output += buffer.data();
    }
    result.status = ::pclose(pipe);
    return result;
}

} // namespace once::testing
