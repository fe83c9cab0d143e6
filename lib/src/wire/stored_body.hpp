// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/response.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace once::detail {

/// Headers as they are stored: [["name","value"],...]; an array keeps order and repeated names.
[[nodiscard]] std::string to_stored_headers(std::vector<header> const& headers);

/// @param where what the text was read from, for the error
/// @throws once::corrupt_record when the text is not of that shape
[[nodiscard]] std::vector<header> from_stored_headers(std::string_view text, char const* where);

/// Whether a body goes into a json column, where people can read it and ->> works. What only claims to be JSON is kept
/// as the bytes that it is.
[[nodiscard]] bool is_stored_as_json(body const& body);

} // namespace once::detail
