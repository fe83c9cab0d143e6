// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/reply.hpp>
#include <once/request.hpp>

#include <nlohmann/json.hpp>

#include <string_view>

/** @file
 * What clients tell of a request: that it was sent, and what came of it.
 */
namespace demo {

[[nodiscard]] nlohmann::json sent(std::string_view action, std::string_view variant,
                                  once::request const& request);

[[nodiscard]] nlohmann::json answered(std::string_view action, std::string_view variant,
                                      once::request const& request, once::reply const& got);

/// There was no answer, and nothing took effect: it will be sent again.
[[nodiscard]] nlohmann::json failed(std::string_view action, std::string_view variant,
                                    once::request const& request, std::string_view why);

} // namespace demo
