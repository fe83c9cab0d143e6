// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "database/session.hpp"

#include <string>

namespace once::detail {

/// Checks that the schema holds what this version of the library expects, with its guarantees unaltered.
/// @throws once::schema_error naming the missing file, or every difference found.
void check_schema(session& session, std::string const& schema, time_point deadline);

} // namespace once::detail
