// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "sql/lease_statements.hpp"

#include "sql/in_schema.hpp"
#include "text/quote.hpp"

namespace once::sql {

lease_statements::lease_statements(std::string_view schema) {
    auto const quoted = quote_identifier(schema);
    acquire = in_schema(R"sql(/* once: acquire_lease */
select a.outcome, a.fence, a.holder, floor(extract(epoch from a.expires_at - clock_timestamp()) * 1000)::bigint,
       a.taken_over
from {schema}.acquire_lease($1, $2::bigint * interval '1 millisecond', $3) as a)sql",
                        quoted);
    renew = in_schema(R"sql(/* once: renew_lease */
select {schema}.renew_lease($1, $2, $3::bigint * interval '1 millisecond') is not null)sql",
                      quoted);
    release = in_schema(R"sql(/* once: release_lease */
select {schema}.release_lease($1, $2))sql",
                        quoted);
    lease_held = in_schema(R"sql(/* once: lease_held */
select {schema}.lease_held($1, $2))sql",
                           quoted);
    assert_fence = in_schema(R"sql(/* once: assert_fence */
select {schema}.assert_fence($1, $2))sql",
                             quoted);
}

} // namespace once::sql
