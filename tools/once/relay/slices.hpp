// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "session.hpp"

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

namespace once::command {

/// A subscription has no more.
inline constexpr int most_slices = 64;

/// How many slices a subscription of the service that is connected has.
/**
 * It asks next_batch(), because a consumer may not read the table of subscriptions. While the subscription is paused or
 * expired it waits, and says so to `log` once.
 * @throws pqxx::sql_error ON060 when there is no such subscription
 */
[[nodiscard]] int count_slices(target const& where, std::string const& subscription,
                               std::stop_token const& stop, std::function<void(std::string_view)> const& log);

} // namespace once::command
