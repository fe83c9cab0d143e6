// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/error.hpp>
#include <once/identifier.hpp>

#include <string>
#include <string_view>

namespace once::detail {

/// `schema`, when it is a name that the migrations accept, too.
/// @param field how an error names the argument
/// @throws once::invalid_argument
inline std::string_view checked_schema(std::string_view schema, char const* field) {
    if (!is_schema_name(schema)) {
        throw invalid_argument{field, "the schema cannot hold once: " + std::string{schema_name_rule}};
    }
    return schema;
}

} // namespace once::detail
