// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "text/quote.hpp"

#include <string>
#include <string_view>

namespace once::sql {

/// Takes one message in. One row, one text: the outcome.
///   $1  text    consumer
///   $2  uuid    message id
///   $3  bytea   SHA-256 of the message, or null
///   $4  bytea   what to make the SHA-256 of, or null
///   $5  bigint  when it was sent, in milliseconds since 1970, or null
///   $6  bigint  retention in milliseconds
///   $7  bigint  wait in milliseconds
/// Inserts into inbox by its primary key; waits for a transaction that holds the same message.
[[nodiscard]] inline std::string receive(std::string_view schema) {
    return "/* once: receive */ select " + quote_identifier(schema) +
           ".receive($1, $2, coalesce($3::bytea, sha256($4::bytea)), to_timestamp($5::bigint / 1000.0), "
           "$6::bigint * interval '1 millisecond', $7::bigint * interval '1 millisecond')";
}

/// Takes many in. One row for each, in the order given, one text: the outcome.
///   $1  text    consumer
///   $2 to $5    arrays of what receive() takes; elements may be null, but for ids
///   $6, $7      as in receive()
/// Inserts in the order of the ids. Raises 55P03 when a wait ran out.
[[nodiscard]] inline std::string receive_many(std::string_view schema) {
    return "/* once: receive_many */ select outcome from " + quote_identifier(schema) +
           ".receive_many($1, $2, "
           "array(select coalesce(digest, sha256(preimage)) from unnest($3::bytea[], $4::bytea[]) "
           "with ordinality as f (digest, preimage, n) order by n), "
           "array(select to_timestamp(ms / 1000.0) from unnest($5::bigint[]) with ordinality as t (ms, n) "
           "order by n), "
           "$6::bigint * interval '1 millisecond', $7::bigint * interval '1 millisecond') order by place";
}

/// Takes many in by their ids alone. One row for each that is new, in the order given: the id as text.
///   $1  text    consumer
///   $2  uuid[]  message ids
///   $3, $4      retention and wait in milliseconds
[[nodiscard]] inline std::string new_ones(std::string_view schema) {
    return "/* once: new_ones */ select new_one::text from " + quote_identifier(schema) +
           ".new_ones($1, $2, $3::bigint * interval '1 millisecond', $4::bigint * interval '1 millisecond') "
           "as new_one";
}

} // namespace once::sql
