// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "sql/in_schema.hpp"
#include "text/quote.hpp"

#include <string>
#include <string_view>

namespace once::sql {

/// The statements of tokens for one schema; those that redeem are claims.
struct token_statements {
    /// @param schema a checked identifier; it is quoted here
    explicit token_statements(std::string_view schema)
        : issue{in_schema(R"sql(/* once: issue_tokens */
select {schema}.issue_tokens($1, $2, $3::bigint * interval '1 millisecond', $4::bytea[]))sql",
                          quote_identifier(schema))} {}

    /// Issues tokens.
    ///   $1  text     principal
    ///   $2  text     purpose
    ///   $3  bigint   lifetime in milliseconds
    ///   $4  bytea[]  the SHA-256 of each
    /// Columns: 0 integer how many. Inserts into token.
    std::string issue;
};

} // namespace once::sql
