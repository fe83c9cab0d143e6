// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "text/utc.hpp"

#include <array>
#include <cstdio>

namespace once::detail {

std::string utc_date(std::chrono::year_month_day date) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%04d-%02u-%02u", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
    return text.data();
}

std::string utc_text(std::chrono::sys_time<std::chrono::microseconds> moment, char between) {
    auto const day = std::chrono::floor<std::chrono::days>(moment);
    std::chrono::hh_mm_ss const time{moment - day};
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%c%02d:%02d:%02d.%06d", between,
                  static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                  static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
    return utc_date(day).append(text.data());
}

} // namespace once::detail
