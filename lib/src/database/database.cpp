// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/database.hpp>
#include <once/error.hpp>

#include "database/connection_pool.hpp"
#include "text/check_range.hpp"
#include "text/schema_name.hpp"

namespace once {

namespace {

database_options checked(database_options options) {
    using namespace std::chrono_literals;
    detail::checked_schema(options.schema, "database_options.schema");
    detail::check_range<std::size_t>(options.max_connections, 1, 1000, "database_options.max_connections",
                                     "1 and 1000");
    detail::check_range<std::chrono::milliseconds>(options.connect_timeout, 100ms, 1h,
                                                   "database_options.connect_timeout",
                                                   "100 milliseconds and 1 hour");
    return options;
}

} // namespace

database::database(std::string const& conninfo, database_options options)
    : m_pool{std::make_unique<detail::connection_pool>(conninfo, checked(std::move(options)))} {}

database::~database() = default;
database::database(database&&) noexcept = default;
database& database::operator=(database&&) noexcept = default;

void database::check() {
    static_cast<void>(m_pool->take(std::chrono::steady_clock::now() + m_pool->options().connect_timeout));
}

detail::connection_pool& detail::pool_of(database const& db) noexcept {
    return *db.m_pool;
}

std::string const& database::schema() const noexcept {
    return m_pool->options().schema;
}

} // namespace once
