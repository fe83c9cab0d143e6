// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace once::command {

using time_of_day = std::chrono::sys_time<std::chrono::microseconds>;

/// A timestamptz as a session of the command gets it (DateStyle ISO, UTC): 2026-11-30 16:40:01.5+00. Pure.
/// @return nothing for infinity, and for years that a clock does not reach
[[nodiscard]] std::optional<time_of_day> read_time(std::string_view text);

/// 2026-11-30T16:40:01.5Z; what is no such time stays as it is. Pure.
[[nodiscard]] std::string iso_time(std::string_view text);

/// The same without fractions of a second.
[[nodiscard]] std::string iso_seconds(std::string_view text);

/// For people: now, 3 min ago, in 2 h, 5 days ago. Pure.
[[nodiscard]] std::string relative_time(time_of_day at, time_of_day now);

/// An interval of IntervalStyle postgres for people: 12 ms, 3.4 s, 5 min 3 s, 2 h 5 min, 3 days 4 h. Pure.
/// What it does not read stays as it is.
[[nodiscard]] std::string short_interval(std::string_view text);

} // namespace once::command
