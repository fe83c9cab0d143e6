// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "sql/lease_statements.hpp"

#include "text/quote.hpp"

namespace once::sql {

lease_statements::lease_statements(std::string_view schema) {
    auto const quoted = quote_identifier(schema);
    acquire = "/* once: acquire_lease */ select a.outcome, a.fence, a.holder,"
              " floor(extract(epoch from a.expires_at - clock_timestamp()) * 1000)::bigint,"
              " a.taken_over from " +
              quoted + ".acquire_lease($1, $2::bigint * interval '1 millisecond', $3) as a";
    renew = "/* once: renew_lease */ select " + quoted +
            ".renew_lease($1, $2, $3::bigint * interval '1 millisecond') is not null";
    release = "/* once: release_lease */ select " + quoted + ".release_lease($1, $2)";
    lease_held = "/* once: lease_held */ select " + quoted + ".lease_held($1, $2)";
    assert_fence = "/* once: assert_fence */ select " + quoted + ".assert_fence($1, $2)";
}

} // namespace once::sql
