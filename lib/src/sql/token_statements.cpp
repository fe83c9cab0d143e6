// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "sql/token_statements.hpp"

#include "text/quote.hpp"

namespace once::sql {

std::string issue_tokens(std::string_view schema) {
    return "/* once: issue_tokens */ select " + quote_identifier(schema) +
           ".issue_tokens($1, $2, $3::bigint * interval '1 millisecond', $4::bytea[])";
}

} // namespace once::sql
