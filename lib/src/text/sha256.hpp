// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace once::detail {

/// SHA-256 (FIPS 180-4). Of tokens, so that they need not leave the process, and of what a message goes by; all else is
/// hashed by the database.
[[nodiscard]] std::array<std::uint8_t, 32> sha256(std::string_view message);

} // namespace once::detail
