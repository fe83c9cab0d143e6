// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/token.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace once::detail {

/// A token of 256 random bits.
/// @throws std::system_error when the kernel gives none
[[nodiscard]] std::string make_token();

/// The values of sql::issue_tokens.
[[nodiscard]] parameters issue_values(token_terms const& terms, std::vector<std::string> const& tokens);

} // namespace once::detail
