// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <chrono>
#include <cstdint>

namespace once::detail {

/// Where PostgreSQL's binary format counts from.
inline constexpr std::chrono::sys_time<std::chrono::microseconds> pg_epoch =
    std::chrono::sys_days{std::chrono::year{2000} / 1 / 1};

/// A `timestamptz` in the binary format: microseconds since 2000.
[[nodiscard]] constexpr std::int64_t
to_pg_time(std::chrono::sys_time<std::chrono::microseconds> moment) noexcept {
    return (moment - pg_epoch).count();
}

/// Back from it.
[[nodiscard]] constexpr std::chrono::sys_time<std::chrono::microseconds>
from_pg_time(std::int64_t since_2000) noexcept {
    return pg_epoch + std::chrono::microseconds{since_2000};
}

} // namespace once::detail
