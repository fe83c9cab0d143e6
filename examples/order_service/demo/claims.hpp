// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <span>

namespace demo {

/// What must hold at the end.
struct claim {
    char const* text;
    /// One row: how many contradict it, and how many were looked at.
    char const* sql;
};

/// Of the requests, and of what the clients were told.
[[nodiscard]] std::span<claim const> claims_of_requests() noexcept;
/// Of the messages, and of the ledger that billing makes of them.
[[nodiscard]] std::span<claim const> claims_of_billing() noexcept;
/// Of what the warehouse did.
[[nodiscard]] std::span<claim const> claims_of_warehouse() noexcept;

} // namespace demo
