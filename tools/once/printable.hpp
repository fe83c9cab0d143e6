// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace once::command {

/// Text of others as a terminal may get it, on one line.
/**
 * Control characters (C0, DEL, C1), line breaks, characters that turn the direction of writing or are not seen at all,
 * and bytes that are not UTF-8 are shown escaped: \n, \t, \x1b, \u{202e}. All else stays as it is.
 */
[[nodiscard]] std::string printable(std::string_view text);

/// The same for a text of several lines: its line breaks stay.
[[nodiscard]] std::string printable_lines(std::string_view text);

/// JSON that a terminal may get: the same value, those characters as \u202e in its strings. `json` is well-formed.
[[nodiscard]] std::string printable_json(std::string_view json);

/// Columns that a terminal takes for a text that is printable.
[[nodiscard]] std::size_t columns_of(std::string_view text);

/// The text, cut to so many columns; what was cut is marked by an ellipsis.
[[nodiscard]] std::string cut_to_columns(std::string const& text, std::size_t columns);

} // namespace once::command
