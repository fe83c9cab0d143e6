// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "sql/operation_statements.hpp"

#include "sql/in_schema.hpp"
#include "text/quote.hpp"

namespace once::sql {

operation_statements::operation_statements(std::string_view schema) {
    auto const quoted = quote_identifier(schema);
    begin = in_schema(R"sql(/* once: begin_operation */
select outcome, scope, key, name, fence, recovery_point, call, attempt, data, call_keys,
       coalesce(ceil(extract(epoch from retry_after) * 1000)::bigint, 0), status, headers, content_type,
       encode(body, 'hex')
from {schema}.begin_operation(
    $1, $2, $3::bytea, $4, $5, $6, $7, $8, $9::bigint * interval '1 millisecond',
    $10::integer, $11::bigint * interval '1 millisecond', $12::bigint * interval '1 millisecond'))sql",
                      quoted);
    retake = in_schema(R"sql(/* once: retake_operation */
select outcome, scope, key, name, fence, recovery_point, call, attempt, data, call_keys,
       coalesce(ceil(extract(epoch from retry_after) * 1000)::bigint, 0), status, headers, content_type,
       encode(body, 'hex')
from {schema}.retake_operation($1, $2, $3, $4::bigint * interval '1 millisecond'))sql",
                       quoted);
    next = in_schema(R"sql(/* once: next_operation */
select outcome, scope, key, name, fence, recovery_point, call, attempt, data, call_keys,
       coalesce(ceil(extract(epoch from retry_after) * 1000)::bigint, 0), status, headers, content_type,
       encode(body, 'hex')
from {schema}.next_operation($1, $2, $3::bigint * interval '1 millisecond', $4::integer))sql",
                     quoted);
    advance = in_schema(R"sql(/* once: advance_operation */
select {schema}.advance_operation($1, $2, $3, $4, $5, $6, $7, $8::bigint * interval '1 millisecond'))sql",
                        quoted);
    renew = in_schema(R"sql(/* once: renew_operation */
select {schema}.renew_operation($1, $2, $3, $4::bigint * interval '1 millisecond'))sql",
                      quoted);
    release = in_schema(R"sql(/* once: release_operation */
select {schema}.release_operation($1, $2, $3, $4, $5::bigint * interval '1 millisecond', $6::integer, $7::boolean))sql",
                        quoted);
    call_key = in_schema(R"sql(/* once: call_key */
select {schema}.call_key($1, $2, $3)::text)sql",
                         quoted);
    finish = in_schema(R"sql(/* once: finish_operation */
select {schema}.finish_operation($1, $2, $3, $4, $5, $6, $7, $8, $9, $10))sql",
                       quoted);
}

} // namespace once::sql
