// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace once::webhook {

/// The bytes of a secret.
/// @throws once::invalid_argument unless it is "whsec_" and the base64 of 24 to 64 bytes; the secret is not in the text
[[nodiscard]] std::string secret_bytes(std::string const& secret);

/// The signatures for secrets that are bytes already.
[[nodiscard]] std::string sign(std::vector<std::string> const& keys, std::string_view id,
                               std::string_view timestamp, std::string_view body);

} // namespace once::webhook
