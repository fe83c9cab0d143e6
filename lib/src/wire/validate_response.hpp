// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/response.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace once::detail {

inline constexpr std::size_t max_headers = 64;
inline constexpr std::size_t max_header_bytes = 8192;

/// Checks the limits that `response` documents.
/// @throws once::invalid_argument naming the field
void validate(response const& response, std::size_t max_body_bytes);

/// The rules for headers and media types, which messages keep, too.
/// @throws once::invalid_argument naming `field`
void validate_headers(std::vector<header> const& headers, char const* field);
void validate_content_type(std::string const& type, char const* field);

} // namespace once::detail
