// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string>
#include <string_view>

namespace once::detail {

/// What a person wrote as the statement for a message, in the form that a WITH can be put in front of.
struct statement_text {
    /// Behind WITH or WITH RECURSIVE, if it begins with that.
    std::string sql{};
    bool with = false;
    bool recursive = false;
};

/// Passes over a byte order mark, blanks and comments where they stand in front of a word, and drops a semicolon at
/// the end.
[[nodiscard]] statement_text read_statement(std::string_view given);

} // namespace once::detail
