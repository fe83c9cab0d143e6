// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string>

namespace once::testing {

/// A database that one test has for itself; it is dropped together with everybody who is still connected to it.
/**
 * Lives on the server that ONCE_TEST_DSN names. Without ONCE_TEST_DSN the constructors skip the test, with a hint.
 * Not copyable, not movable; any thread may ask for the names.
 */
class own_database {
public:
    own_database(own_database const&) = delete;
    own_database& operator=(own_database const&) = delete;

    /// Connection string of this database, as a superuser.
    [[nodiscard]] std::string const& dsn() const noexcept { return m_dsn; }

    /// Name of this database; needs no quoting.
    [[nodiscard]] std::string const& name() const noexcept { return m_name; }

    /// Connection string of the server's maintenance database, which all tests share: for looking and for killing.
    [[nodiscard]] std::string const& admin_dsn() const noexcept { return m_admin_dsn; }

protected:
    /// @param source the database to copy
    explicit own_database(std::string const& source);
    ~own_database();

private:
    std::string m_admin_dsn;
    std::string m_name;
    std::string m_dsn;
};

/// All migrations are applied, in the schema `once`. The default search_path does not contain it.
class test_database : public own_database {
public:
    test_database() : own_database{"once_template"} {}
};

/// As CREATE DATABASE makes it: no schema `once`, no migrations.
class empty_database : public own_database {
public:
    empty_database() : own_database{"template1"} {}
};

/// @return `dsn` with another database; understands keyword/value strings and URIs
[[nodiscard]] std::string with_database(std::string const& dsn, std::string const& database);

} // namespace once::testing
