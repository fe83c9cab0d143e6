// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <algorithm>
#include <cstddef>

namespace once::detail {

/// How much is tried at once: a fixed amount in a bounded time would be tried for ever, once it takes longer. No I/O.
class call_size {
public:
    explicit call_size(std::size_t most, std::size_t first = static_cast<std::size_t>(-1)) noexcept
        : m_most{most}, m_now{std::clamp<std::size_t>(first, 1, most)} {}

    [[nodiscard]] std::size_t now() const noexcept { return m_now; }

    /// So much was tried, and all of it was done: try more.
    void fitted(std::size_t tried) noexcept {
        if (tried >= m_now) {
            m_now = std::min(m_most, m_now * 2);
        }
    }

    /// Only `done` of `tried` fitted: what fitted is the next amount, and an eighth when nothing did.
    void was_too_much(std::size_t tried, std::size_t done) noexcept {
        m_now = std::clamp<std::size_t>(done > 0 ? done : tried / 8, 1, m_now);
    }

private:
    std::size_t m_most;
    std::size_t m_now;
};

} // namespace once::detail
