// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <libpq-fe.h>
#include <pqxx/connection>
#include <pqxx/transaction>

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

/// `conninfo` for sessions that find their tables in the schema once_example_NAME, and nowhere else. Makes the schema
/// where it is not there. So an example can be tried on a database that is in use: it touches no table of anybody else.
/// @throws std::runtime_error when there is such a schema that no example has made
inline std::string in_own_schema(std::string const& conninfo, std::string const& name) {
    std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> const given{
        PQconninfoParse(conninfo.c_str(), nullptr), &PQconninfoFree};
    if (!given) {
        throw std::runtime_error{"this is no connection string: dbname=shop, or postgresql://host/shop"};
    }
    auto const* const from_environment = std::getenv("PGOPTIONS");
    std::string options = from_environment != nullptr ? from_environment : "";
    std::string own;
    auto const add = [&own](std::string_view keyword, std::string_view value) {
        own.append(own.empty() ? "" : " ").append(keyword).append("='");
        for (char const c : value) {
            own.append(c == '\'' || c == '\\' ? "\\" : "").push_back(c);
        }
        own.push_back('\'');
    };
    for (auto const* option = given.get(); option->keyword != nullptr; ++option) {
        if (option->val == nullptr) {
            continue;
        }
        if (std::string_view{option->keyword} == "options") {
            options = option->val;
        } else {
            add(option->keyword, option->val);
        }
    }
    auto const schema = "once_example_" + name;
    add("options", options + " -c search_path=" + schema);

    constexpr auto mark = "made by an example of once; drop it when you like";
    pqxx::connection connection{own};
    pqxx::work tx{connection};
    auto const there = tx.exec("select coalesce(obj_description(oid, 'pg_namespace'), '') from pg_namespace "
                               "where nspname = $1",
                               pqxx::params{schema});
    if (there.empty()) {
        tx.exec("create schema " + schema);
        tx.exec("comment on schema " + schema + " is '" + mark + "'");
    } else if (there[0][0].view() != mark) {
        throw std::runtime_error{"the schema " + schema + " was not made by an example: it is left alone"};
    }
    tx.commit();
    return own;
}
