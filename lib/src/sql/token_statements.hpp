// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string>
#include <string_view>

namespace once::sql {

/// Issues tokens.
///   $1  text     principal
///   $2  text     purpose
///   $3  bigint   lifetime in milliseconds
///   $4  bytea[]  the SHA-256 of each
/// Columns: 0 integer how many. Inserts into token.
/// @param schema a checked identifier; it is quoted here
[[nodiscard]] std::string issue_tokens(std::string_view schema);

} // namespace once::sql
