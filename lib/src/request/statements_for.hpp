// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/borrowed.hpp>
#include <once/claim.hpp>
#include <once/options.hpp>

#include "sql/claim_statements.hpp"
#include "sql/texts.hpp"

#include <chrono>

namespace once::detail {

/// The statements of claim, complete and redeem for the schema of the transaction.
[[nodiscard]] inline sql::claim_statements const& statements_for(borrowed const& tx) {
    return sql::texts<sql::claim_statements>(tx.schema());
}

/// @throws once::invalid_argument when an option is not valid
inline void check(claim_options const& options) {
    validate(call_options{
        .wait = options.wait, .retention = options.retention, .deadline = std::chrono::milliseconds{100}});
}

} // namespace once::detail
