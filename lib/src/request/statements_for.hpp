// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/claim.hpp>
#include <once/options.hpp>

#include "sql/claim_statements.hpp"
#include "sql/texts.hpp"
#include "text/schema_name.hpp"

#include <chrono>

namespace once::detail {

/// The statements of claim, complete and redeem for the schema of the options.
/// @throws once::invalid_argument when an option is not valid
[[nodiscard]] inline sql::claim_statements const& statements_for(claim_options const& options) {
    auto const schema = checked_schema(options.schema, "claim_options.schema");
    validate(call_options{
        .wait = options.wait, .retention = options.retention, .deadline = std::chrono::milliseconds{100}});
    return sql::texts<sql::claim_statements>(schema);
}

} // namespace once::detail
