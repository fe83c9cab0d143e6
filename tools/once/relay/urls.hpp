// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "relay/settings.hpp"

#include <string>

namespace once::command {

/// What --url or ONCE_RELAY_URL say.
/// @throws std::invalid_argument when there is none, or a password stands where others can read it
[[nodiscard]] std::string url_of(relay_settings const& settings);

/// Without what may be a secret: user, query and fragment; and the path, too, when it was given where secrets are. Of
/// several, separated by commas, each.
[[nodiscard]] std::string shown_url(std::string const& url);

} // namespace once::command
