// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/claim.hpp>
#include <once/statement.hpp>

#include "sql/claim_statements.hpp"

#include <pqxx/dbtransaction>
#include <pqxx/params>
#include <pqxx/result>

/** @file
 * What claim, complete and redeem on a borrowed transaction have in common.
 */
namespace once::detail {

/// The statements for the schema of the options.
/// @throws once::invalid_argument when an option is not valid
[[nodiscard]] sql::claim_statements statements_for(claim_options const& options);

[[nodiscard]] pqxx::params to_pqxx(parameters const& from);

/// In any other encoding the server would convert the texts, and a repeat would get other bytes.
/// @throws once::configuration_error
void require_utf8(pqxx::dbtransaction const& tx);

/// Reads the stored response out of an answer.
[[nodiscard]] replayed to_replayed(pqxx::result const& answer);

} // namespace once::detail
