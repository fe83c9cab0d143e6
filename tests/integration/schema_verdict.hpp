// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/database.hpp>
#include <once/error.hpp>

#include <string>

namespace once::testing {

/// The text of the schema_error that `check` throws, "accepted" without one.
[[nodiscard]] inline std::string verdict(std::string const& dsn, std::string const& schema = "once") {
    once::database db{dsn, {.schema = schema}};
    try {
        db.check();
        return "accepted";
    } catch (once::schema_error const& e) {
        return e.what();
    }
}

[[nodiscard]] inline bool contains(std::string const& text, std::string const& part) {
    return text.find(part) != std::string::npos;
}

} // namespace once::testing
