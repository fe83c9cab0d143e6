// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/request.hpp>

#include <cstddef>
#include <string>

namespace once::detail {

/// Printable ASCII, 1 to `most` bytes, no space at either end.
/// @throws once::invalid_argument naming the field
void require_key_text(std::string const& text, char const* field, std::size_t most = max_key_bytes);

} // namespace once::detail
