// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "delivery/slice_lease.hpp"

#include <algorithm>

namespace once::detail {

namespace {

using namespace std::chrono_literals;

// A holder that ends in good order gives the lease back; so candidates look again long before it runs out.
constexpr std::chrono::milliseconds longest_candidacy = 500ms;

} // namespace

statement slice_lease::acquire(sql::lease_statements const& texts) const {
    return {texts.acquire, parameters{m_name, m_duration.count(), std::nullopt}};
}

statement slice_lease::renew(sql::lease_statements const& texts) const {
    return {texts.renew, parameters{m_name, m_fence, m_duration.count()}};
}

statement slice_lease::release(sql::lease_statements const& texts) const {
    return {texts.release, parameters{m_name, m_fence}};
}

statement slice_lease::assert_fence(sql::lease_statements const& texts) const {
    return {texts.assert_fence, parameters{m_name, m_fence}};
}

void slice_lease::held_until(clock::time_point end) noexcept {
    m_renew_at = end - m_needed;
}

bool slice_lease::acquired(pg_result const& answer, clock::time_point sent) {
    m_locked = false;
    if (answer.bytes(0) == "acquired") {
        m_fence = answer.int8(1);
        held_until(sent + m_duration);
        return answer.is_true(4);
    }
    auto const left = answer.is_null(3) ? longest_candidacy : std::chrono::milliseconds{answer.int8(3) + 1};
    m_locked = answer.is_null(3) || answer.int8(3) < 0;
    m_try_at = clock::now() + std::clamp<std::chrono::milliseconds>(left, 10ms, longest_candidacy);
    return false;
}

void slice_lease::renewed(pg_result const& answer, clock::time_point sent) {
    if (answer.is_true(0)) {
        held_until(sent + m_duration);
    } else {
        lost();
    }
}

void slice_lease::lost() noexcept {
    m_fence = 0;
    m_try_at = clock::now() + longest_candidacy / 5;
}

} // namespace once::detail
