// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string>
#include <string_view>

namespace once::sql {

/// The library's statements on leases for one schema.
struct lease_statements {
    /// @param schema a checked identifier; it is quoted here
    explicit lease_statements(std::string_view schema);

    /// Acquires a lease; locks its row unless it is held.
    ///   $1  text    name
    ///   $2  bigint  duration in milliseconds
    ///   $3  text    holder, or null for the application_name
    /// Columns: 0 text outcome, 1 bigint fence, 2 text holder, 3 bigint milliseconds until it expires,
    ///          4 boolean taken over
    std::string acquire;

    /// Lets a lease run out later; locks its row.
    ///   $1  text name, $2 bigint fence, $3 bigint duration in milliseconds
    /// Columns: 0 boolean renewed
    std::string renew;

    /// Gives a lease back; locks its row.
    ///   $1  text name, $2 bigint fence
    /// Columns: 0 boolean released
    std::string release;

    /// A look whether a lease is held; takes no lock.
    ///   $1  text name, $2 bigint fence
    /// Columns: 0 boolean held
    std::string lease_held;

    /// Raises ON010 unless the lease is held; locks its row FOR KEY SHARE until the transaction ends.
    ///   $1  text name, $2 bigint fence
    std::string assert_fence;
};

} // namespace once::sql
