// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "database.hpp"

#include "wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <libpq-fe.h>
#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/nontransaction>
#include <pqxx/result>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <random>
#include <stdexcept>
#include <unistd.h>

namespace once::testing {
namespace {

using namespace std::chrono_literals;

std::string server_dsn() {
    char const* const dsn = std::getenv("ONCE_TEST_DSN");
    if (dsn == nullptr || *dsn == '\0') {
        SKIP("NO DATABASE: ONCE_TEST_DSN is not set. Run tests/run, or tools/dev/cluster run -- ctest ...");
    }
    return dsn;
}

/// The random part is for servers that are shared between machines, where a process id says little.
std::string unique_name() {
    static auto const process = std::to_string(::getpid()) + "_" + std::to_string(std::random_device{}());
    static std::atomic<unsigned> counter{0};
    return "once_test_" + process + "_" + std::to_string(++counter);
}

/// Outside of a transaction, as CREATE and DROP DATABASE demand.
void execute(std::string const& dsn, std::string const& sql) {
    pqxx::connection connection{dsn};
    pqxx::nontransaction session{connection};
    session.exec(sql);
}

/// @return whether it worked; false means that somebody, for example autovacuum, is in the source right now
bool try_copy(std::string const& admin_dsn, std::string const& source, std::string const& name) {
    constexpr auto object_in_use = "55006";
    try {
        execute(admin_dsn, "create database " + name + " template " + source);
        return true;
    } catch (pqxx::sql_error const& e) {
        if (std::string{e.sqlstate()} == object_in_use) {
            return false;
        }
        throw;
    }
}

} // namespace

std::string with_database(std::string const& dsn, std::string const& database) {
    char* reason = nullptr;
    std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> const options{
        PQconninfoParse(dsn.c_str(), &reason), &PQconninfoFree};
    std::unique_ptr<char, decltype(&PQfreemem)> const reason_owner{reason, &PQfreemem};
    if (!options) {
        throw std::invalid_argument{"ONCE_TEST_DSN: " +
                                    std::string{reason == nullptr ? "out of memory" : reason}};
    }
    std::string text;
    auto const append = [&text](std::string const& keyword, std::string const& value) {
        text += keyword + "='";
        for (char const c : value) {
            if (c == '\'' || c == '\\') {
                text += '\\';
            }
            text += c;
        }
        text += "' ";
    };
    for (auto const* option = options.get(); option->keyword != nullptr; ++option) {
        if (option->val != nullptr && std::string{option->keyword} != "dbname") {
            append(option->keyword, option->val);
        }
    }
    append("dbname", database);
    text.pop_back();
    return text;
}

own_database::own_database(std::string const& source)
    : m_admin_dsn{server_dsn()}, m_name{unique_name()}, m_dsn{with_database(m_admin_dsn, m_name)} {
    if (!wait_until([&] { return try_copy(m_admin_dsn, source, m_name); }, 30s)) {
        throw std::runtime_error{"database " + source + " is in use without end: cannot copy it"};
    }
}

own_database::~own_database() {
    try {
        execute(m_admin_dsn, "drop database if exists " + m_name + " with (force)");
    } catch (std::exception const& e) {
        // A test may have stopped the server on purpose; the cluster's end removes what is left.
        std::fprintf(stderr, "database %s stays behind: %s\n", m_name.c_str(), e.what());
    }
}

} // namespace once::testing
