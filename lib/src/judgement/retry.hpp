// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/options.hpp>

#include <chrono>
#include <cstdint>

namespace once::detail {

/// Why an attempt is to be run again; decides how long to wait before.
enum class setback {
    /// 40001, 40P01: another transaction was faster; a short pause is enough.
    conflict,
    /// The connection was lost or refused; the server may be restarting.
    connection,
};

/// Capped exponential backoff with full jitter: uniform in [0, min(cap, base * 2^(attempt - 1))].
/// Full jitter keeps many clients that failed together from coming back together.
/// @param attempt the attempt that failed, from 1
/// @param random  64 uniformly random bits
[[nodiscard]] std::chrono::microseconds backoff(setback why, int attempt, std::uint64_t random) noexcept;

/// 64 uniformly random bits for a pause, from a generator of the calling thread. Not for secrets.
[[nodiscard]] std::uint64_t random_bits();

/// What happens with a response of this status under a policy.
struct verdict {
    bool commit;
    bool keep_response;
};
[[nodiscard]] verdict judge(store policy, int status) noexcept;

} // namespace once::detail
