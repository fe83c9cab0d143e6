// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/database.hpp>

#include <chrono>
#include <httplib.h>

namespace shop {

struct route_options {
    /// How long each order takes; so that impatient people can be played.
    std::chrono::milliseconds slowness{0};
    /// How long a second click waits for the first one. Long, because a person without JavaScript would otherwise be
    /// told to ask again.
    std::chrono::milliseconds wait{10'000};
};

void add_routes(httplib::Server& server, once::database& db, route_options const& options);

} // namespace shop
