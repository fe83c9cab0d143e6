// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/request.hpp>
#include <once/response.hpp>
#include <once/statement.hpp>

#include <optional>
#include <string>
#include <vector>

namespace once::detail {

/// Headers as they are stored: [["name","value"],...]; an array keeps order and repeated names.
[[nodiscard]] std::string to_stored_headers(std::vector<header> const& headers);
/// @throws once::corrupt_record when the text is not of that shape
[[nodiscard]] std::vector<header> from_stored_headers(std::string_view text);

/// Appends scope and key.
void add_key(parameters& to, request const& request);
/// Appends digest and preimage of the fingerprint, each null when it has none.
void add_fingerprint(parameters& to, fingerprint const& fingerprint);
/// Appends the five values of a response as complete() takes them; all null without one.
void add_response(parameters& to, std::optional<response> const& response);

} // namespace once::detail
