// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/message_id.hpp>

#include <array>
#include <cstddef>

namespace once::detail {

/// Many ids as message_id::random() makes them, with few calls of the system, which take longer than all else about an
/// id.
/**
 * Must not live longer than a transaction: after a fork, two processes would hand out the same ids.
 */
class random_ids {
public:
    /// @throws std::system_error when the system has no random bits to give.
    [[nodiscard]] message_id next();

private:
    static constexpr std::size_t most = 64;
    std::array<std::byte, 16 * most> m_bytes{};
    // One at first, then twice as many each time: most transactions stage a message or two.
    std::size_t m_drawn = 0;
    std::size_t m_given = 0;
};

} // namespace once::detail
