// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <chrono>
#include <thread>

namespace once::testing {

/// Asks `predicate` again and again until it says true. The one place in the tests where time passes on purpose.
/**
 * @param limit how long to try; the deadline is there to end a broken test, so it is generous
 * @return whether the condition came true; it is asked once more after the deadline, so a machine that slept through
 *         the whole time does not fail a test
 */
template <typename Predicate>
[[nodiscard]] bool wait_until(Predicate predicate,
                              std::chrono::milliseconds limit = std::chrono::seconds{20}) {
    auto const deadline = std::chrono::steady_clock::now() + limit;
    while (!predicate()) {
        if (std::chrono::steady_clock::now() >= deadline) {
            return predicate();
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{2});
    }
    return true;
}

} // namespace once::testing
