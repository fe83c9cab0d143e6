// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/response.hpp>

#include <cstddef>

namespace once::detail {

inline constexpr std::size_t max_headers = 64;
inline constexpr std::size_t max_header_bytes = 8192;

/// Checks the limits that `response` documents.
/// @throws once::invalid_argument naming the field
void validate(response const& response, std::size_t max_body_bytes);

} // namespace once::detail
