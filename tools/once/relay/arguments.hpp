// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "relay/settings.hpp"

#include <CLI/CLI.hpp>

namespace once::command {

/// The options of `relay`: flags, keys of the section [relay], and variables ONCE_RELAY_....
void add_relay_options(CLI::App& app, relay_settings& settings);

} // namespace once::command
