// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/export.hpp>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

namespace once::detail {

/// @throws once::value_error
[[noreturn]] ONCE_EXPORT void refuse_integer(bool out_of_range);

/// Digits with at most a minus in front, nothing else: no plus, blank, exponent, base.
/// @throws once::value_error also when the number does not fit into Integer
template <class Integer>
[[nodiscard]] Integer parse_integer(std::string_view text) {
    Integer value{};
    auto const end = text.data() + text.size();
    auto const [stopped, problem] = std::from_chars(text.data(), end, value);
    if (problem != std::errc{} || stopped != end) {
        refuse_integer(problem == std::errc::result_out_of_range);
    }
    return value;
}

/// @throws once::value_error outside of the years 1 to 9999
ONCE_EXPORT void check_writable(std::chrono::sys_time<std::chrono::duration<std::int64_t>> moment);

/// `2026-01-31 23:59:59.000001+00`: the same moment under every DateStyle and TimeZone.
[[nodiscard]] ONCE_EXPORT std::string format_instant(std::chrono::sys_time<std::chrono::microseconds> moment);

} // namespace once::detail
