// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <algorithm>
#include <chrono>

namespace once::detail {

/// For poll(): whole milliseconds until `deadline`, rounded up, from 0 to one hour.
[[nodiscard]] inline int poll_timeout(std::chrono::steady_clock::time_point deadline) {
    auto const left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    return static_cast<int>(std::clamp<std::chrono::milliseconds::rep>(left.count(), 0, 3'600'000));
}

} // namespace once::detail
