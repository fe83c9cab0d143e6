// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "sql/in_schema.hpp"
#include "text/quote.hpp"

#include <string>
#include <string_view>

namespace once::sql {

/// The statements of request windows for one schema.
struct window_statements {
    /// @param schema a checked identifier; it is quoted here
    explicit window_statements(std::string_view schema)
        : open{in_schema(R"sql(/* once: open_window */
select a.outcome, a.status, a.headers, a.content_type, encode(a.body, 'hex')
from {schema}.open_window($1, $2, $3::bytea, $4::bigint * interval '1 millisecond',
                          $5::bigint * interval '1 millisecond') as a)sql",
                         quote_identifier(schema))} {}

    /// Asks whether another key asked the same lately.
    ///   $1  text    scope
    ///   $2  text    key
    ///   $3  bytea   SHA-256 of the request, or null
    ///   $4  bigint  window in milliseconds
    ///   $5  bigint  wait in milliseconds
    /// Columns: outcome, status, headers, content_type, body in hex.
    /// Inserts into request_window by its primary key; waits for a transaction that asks the same.
    std::string open;
};

} // namespace once::sql
