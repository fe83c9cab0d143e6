// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "../support/wire_proxy.hpp"

#include <libpq-fe.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <unistd.h>

/** @file
 * A database of its own for each test of the wire proxy, and libpq without its corners.
 */
namespace wire_test {

using connection_ptr = std::unique_ptr<PGconn, decltype(&PQfinish)>;
using result_ptr = std::unique_ptr<PGresult, decltype(&PQclear)>;

inline connection_ptr connect(std::string const& dsn) {
    connection_ptr c{PQconnectdb(dsn.c_str()), &PQfinish};
    if (PQstatus(c.get()) != CONNECTION_OK) {
        throw std::runtime_error{PQerrorMessage(c.get())};
    }
    return c;
}

inline result_ptr exec(connection_ptr const& c, std::string const& sql) {
    return {PQexec(c.get(), sql.c_str()), &PQclear};
}

inline bool broken(connection_ptr const& c) {
    return PQstatus(c.get()) == CONNECTION_BAD;
}

/// The first field of the answer; an error text when there is none, so that a comparison shows it.
inline std::string value(connection_ptr const& c, std::string const& sql) {
    auto const r = exec(c, sql);
    return PQntuples(r.get()) > 0 ? PQgetvalue(r.get(), 0, 0)
                                  : std::string{"no row: "} + PQerrorMessage(c.get());
}

/// The server of ONCE_TEST_DSN with a fresh database that has the table `t(id int primary key)`.
class database {
public:
    database() {
        char const* const given = std::getenv("ONCE_TEST_DSN");
        if (given == nullptr) {
            throw std::runtime_error{"ONCE_TEST_DSN is not set: host=<socket folder> port=<port> user=..."};
        }
        m_admin = connect(given);
        m_host = PQhost(m_admin.get());
        m_port = std::atoi(PQport(m_admin.get()));
        m_user = PQuser(m_admin.get());
        static int count = 0;
        m_name = "wire_" + std::to_string(::getpid()) + "_" + std::to_string(++count);
        must("create database " + m_name);
        m_direct = connect("host=" + m_host + " port=" + std::to_string(m_port) + " user=" + m_user +
                           " dbname=" + m_name);
        exec(m_direct, "create table t (id int primary key)");
    }
    database(database const&) = delete;
    database& operator=(database const&) = delete;
    ~database() {
        m_direct.reset();
        exec(m_admin, "drop database " + m_name + " with (force)");
    }

    [[nodiscard]] once::testing::wire_upstream upstream() const { return {m_host, m_port}; }
    [[nodiscard]] std::string through(once::testing::wire_proxy const& proxy) const {
        return proxy.dsn(m_name, m_user);
    }
    /// A connection past the proxy.
    [[nodiscard]] connection_ptr const& direct() const { return m_direct; }
    [[nodiscard]] std::string const& name() const { return m_name; }
    [[nodiscard]] std::string const& user() const { return m_user; }
    [[nodiscard]] std::string rows() const { return value(m_direct, "select count(*) from t"); }

private:
    void must(std::string const& sql) {
        auto const r = exec(m_admin, sql);
        if (PQresultStatus(r.get()) != PGRES_COMMAND_OK) {
            throw std::runtime_error{PQerrorMessage(m_admin.get())};
        }
    }

    connection_ptr m_admin{nullptr, &PQfinish};
    connection_ptr m_direct{nullptr, &PQfinish};
    std::string m_host;
    int m_port = 0;
    std::string m_user;
    std::string m_name;
};

} // namespace wire_test
