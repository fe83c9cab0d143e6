// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "judgement/retry.hpp"

#include <algorithm>
#include <random>

namespace once::detail {

std::chrono::microseconds backoff(setback why, int attempt, std::uint64_t random) noexcept {
    using namespace std::chrono_literals;
    bool const conflict = why == setback::conflict;
    std::chrono::microseconds const base = conflict ? 2ms : 25ms;
    std::chrono::microseconds const cap = conflict ? 250ms : 2s;
    auto const limit = std::min(cap, base * (std::int64_t{1} << std::clamp(attempt - 1, 0, 20)));
    return std::chrono::microseconds{
        static_cast<std::int64_t>(random % (static_cast<std::uint64_t>(limit.count()) + 1))};
}

std::uint64_t random_bits() {
    thread_local std::mt19937_64 generator{[] {
        std::random_device device;
        return (static_cast<std::uint64_t>(device()) << 32U) | device();
    }()};
    return generator();
}

verdict judge(store policy, int status) noexcept {
    constexpr int first_client_error = 400;
    constexpr int first_server_error = 500;
    switch (policy) {
    case store::success_and_client_errors:
        return {.commit = status < first_server_error, .keep_response = true};
    case store::nothing:
        return {.commit = status < first_client_error, .keep_response = false};
    case store::success:
        break;
    }
    return {.commit = status < first_client_error, .keep_response = true};
}

} // namespace once::detail
