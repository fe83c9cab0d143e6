// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/detail/fields.hpp>
#include <once/export.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace once {

class database;

namespace detail {
class connection_pool;
/// Its connections, for the library.
[[nodiscard]] connection_pool& pool_of(database const& db) noexcept;
}

/// How a `database` connects. Checked when it is constructed.
struct database_options {
    /// The schema that holds the library's objects. Which names it can have: `schema_name_rule`.
    std::string schema = "once";

    /// Most connections open at once, 1 to 1000. A call that finds all of them busy waits within its deadline.
    std::size_t max_connections = 8;

    /// Longest time for one attempt to connect, from 100 milliseconds.
    detail::time_field<"database_options.connect_timeout"> connect_timeout{std::chrono::milliseconds{5'000}};

    /// Prepare statements on the server. Turn it off behind a pooler in transaction mode that does not track them
    /// (PgBouncer before 1.21). The first connection is refused where the library finds that out.
    bool prepared_statements = true;

    /// Called with a line of text when the library notices something that nobody returns to the caller: a notice of
    /// the server, a connection given up. Never with payloads or passwords. May be called from any thread.
    std::function<void(std::string_view)> log{};
};

/// The database that services share: a small pool of connections, opened when needed, replaced when broken.
/**
 * Each new connection is checked before it is used, in one round trip: it must reach a primary (not a standby, not an
 * old primary after a failover that this object has seen), speak UTF-8, and hold the schema that this version of the
 * library expects, with its guarantees unaltered. The schema is checked once per object. A server that runs with
 * fsync or full_page_writes off is used, and logged.
 *
 * A pooler in transaction mode may stand between: the only settings that outlive a transaction tell functions of the
 * schema where to read next (`once.look_*`, `once.place_*`). What a callback sets for its session is reset before
 * another call gets it, in the first round trip of that call; not behind a pooler, whose sessions are the pooler's.
 *
 * @par Thread safety
 * Safe: any number of threads may use one object. Do not fork while it is in use.
 */
class ONCE_EXPORT database {
public:
    /// @param conninfo a libpq connection string or URI, e.g. "dbname=shop" or "postgresql://db1,db2/shop"
    /// @throws once::invalid_argument when the string or an option is not valid. Does not connect yet.
    explicit database(std::string const& conninfo, database_options options = {});
    ~database();

    database(database&&) noexcept;
    database& operator=(database&&) noexcept;
    database(database const&) = delete;
    database& operator=(database const&) = delete;

    /// Connects and checks everything now; a service calls it at its start to fail early.
    /// @throws once::schema_error, once::configuration_error, pqxx::broken_connection
    void check();

    /// The schema given at construction.
    [[nodiscard]] std::string const& schema() const noexcept;

private:
    friend detail::connection_pool& detail::pool_of(database const& db) noexcept;

    std::unique_ptr<detail::connection_pool> m_pool;
};

} // namespace once
