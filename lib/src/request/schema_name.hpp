// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/error.hpp>
#include <once/identifier.hpp>

#include <string_view>

namespace once::detail {

/// `schema`, when it is a name that may go into SQL.
/// @param field how an error names the argument
/// @throws once::invalid_argument
inline std::string_view checked_schema(std::string_view schema, char const* field) {
    if (!is_identifier(schema)) {
        throw invalid_argument{field,
                               "only lower-case letters, digits and underscores are allowed, up to 63 bytes"};
    }
    return schema;
}

} // namespace once::detail
