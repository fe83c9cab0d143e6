// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <chrono>
#include <string>

namespace once::detail {

/// `2026-01-31`. For the years 0 to 9999.
[[nodiscard]] std::string utc_date(std::chrono::year_month_day date);

/// `2026-01-31T23:59:59.000001`, with microseconds always, in UTC; what says so (`Z`, `+00`) is the caller's to append.
/// @param between date and time: `T` or a space
[[nodiscard]] std::string utc_text(std::chrono::sys_time<std::chrono::microseconds> moment, char between);

} // namespace once::detail
