// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "sql/inbox_statements.hpp"

#include "sql/in_schema.hpp"
#include "text/quote.hpp"

namespace once::sql {

inbox_statements::inbox_statements(std::string_view schema) {
    auto const quoted = quote_identifier(schema);
    receive = in_schema(R"sql(/* once: receive */
select {schema}.receive($1, $2, $3::bytea, to_timestamp($4::bigint / 1000.0),
                        $5::bigint * interval '1 millisecond', $6::bigint * interval '1 millisecond'))sql",
                        quoted);
    receive_many = in_schema(R"sql(/* once: receive_many */
select outcome
from {schema}.receive_many(
    $1, $2, $3::bytea[],
    array(select to_timestamp(ms / 1000.0) from unnest($4::bigint[]) with ordinality as t (ms, n) order by n),
    $5::bigint * interval '1 millisecond', $6::bigint * interval '1 millisecond')
order by place)sql",
                             quoted);
    new_ones = in_schema(R"sql(/* once: new_ones */
select new_one::text
from {schema}.new_ones($1, $2, $3::bigint * interval '1 millisecond', $4::bigint * interval '1 millisecond')
    as new_one)sql",
                         quoted);
}

} // namespace once::sql
