// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "database/session.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace once::detail {

/// A checked connection string, ready to connect with.
class connect_plan {
public:
    /// @throws once::invalid_argument naming what libpq does not understand
    explicit connect_plan(std::string const& conninfo);

    /// Opens a connection.
    /// @throws pqxx::broken_connection when no server is reached by `deadline`
    [[nodiscard]] PGconn* connect(time_point deadline) const;

private:
    std::string m_conninfo;
    // With several hosts libpq itself has to give up on a silent one and go on to the next; it does so only when it
    // connects on its own, with a timeout of whole seconds per host.
    bool m_several_hosts = false;
    bool m_wants_primary = false;
};

/// A timeline as PostgreSQL writes it in the names of WAL files.
[[nodiscard]] std::string to_hex_digits(std::int64_t timeline);
[[nodiscard]] std::int64_t from_hex_digits(std::string_view digits) noexcept;

/// What a new connection turned out to lead to.
struct server_facts {
    bool standby = false;
    std::string system_identifier;
    std::int64_t timeline = 0;
    bool loses_data_in_crash = false;
    /// Another process answers than the one that the connection was made with.
    bool through_pooler = false;
    /// What its statements are carried out as.
    std::string role;
};

/// Asks a new connection what it leads to.
/// @throws once::configuration_error when the library cannot work there: encoding, version, string syntax
[[nodiscard]] server_facts inspect_server(session& session, time_point deadline);

/// Whether a second connection meets the statements that `first` has prepared: a pooler hands sessions of the server
/// from client to client and does not keep their statements apart.
/**
 * True is certain; false is not, since the second one can be given another session. Bounded by a second, and false
 * where no second connection is to be had.
 * @param first has been inspected, and prepares its statements
 */
[[nodiscard]] bool shares_prepared_statements(session& first, connect_plan const& plan, time_point deadline);

} // namespace once::detail
