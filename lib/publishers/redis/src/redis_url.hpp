// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string>

namespace once::redis {

/// Where a server is, and as whom to talk to it.
struct address {
    std::string host{};
    int port = 6379;
    std::string user{};
    std::string password{};
    int database = 0;
};

/// @throws once::invalid_argument when it is no redis://
[[nodiscard]] address parse_url(std::string const& url);

} // namespace once::redis
