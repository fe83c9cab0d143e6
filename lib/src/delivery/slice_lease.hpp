// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/statement.hpp>

#include "sql/lease_statements.hpp"
#include "wire/pg_result.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace once::detail {

/// Who reads a slice: the lease `subscription/NAME/SLICE`, as its holder or a candidate sees it. No I/O.
/**
 * The lease is for liveness. That a reader which believes to hold it cannot do harm is the business of acknowledge(),
 * and of assert_fence() where a parked message is settled.
 */
class slice_lease {
public:
    using clock = std::chrono::steady_clock;

    /// @param needed for so long the lease must last when work is begun
    slice_lease(std::string const& subscription, int slice, std::chrono::milliseconds duration,
                std::chrono::milliseconds needed)
        : m_name{"subscription/" + subscription + '/' + std::to_string(slice)},
          m_duration{duration},
          m_needed{needed} {}

    [[nodiscard]] bool held() const noexcept { return m_fence != 0; }
    [[nodiscard]] bool wants_renewal(clock::time_point now) const noexcept {
        return held() && now >= m_renew_at;
    }
    [[nodiscard]] clock::time_point renew_at() const noexcept { return m_renew_at; }
    /// When it runs out, if nobody renews it.
    [[nodiscard]] clock::time_point end() const noexcept { return m_renew_at + m_needed; }
    /// A candidate: when to try again.
    [[nodiscard]] clock::time_point try_at() const noexcept { return m_try_at; }

    [[nodiscard]] statement acquire(sql::lease_statements const& texts) const;
    [[nodiscard]] statement renew(sql::lease_statements const& texts) const;
    [[nodiscard]] statement release(sql::lease_statements const& texts) const;
    [[nodiscard]] statement assert_fence(sql::lease_statements const& texts) const;

    /// The last answer to `acquire` names no holder whose time is not up: another transaction has the row locked.
    [[nodiscard]] bool locked() const noexcept { return m_locked; }

    /// @param sent when the statement was sent: the database counts from later
    /// @return whether the one who had it died
    bool acquired(pg_result const& answer, clock::time_point sent);
    void renewed(pg_result const& answer, clock::time_point sent);
    /// Somebody else has it, or it was given back.
    void lost() noexcept;
    /// Somebody else seems to be at work: ask before anything else is done.
    void doubt() noexcept { m_renew_at = {}; }

private:
    void held_until(clock::time_point end) noexcept;

    std::string m_name;
    std::chrono::milliseconds m_duration;
    std::chrono::milliseconds m_needed;
    std::int64_t m_fence = 0;
    clock::time_point m_renew_at{};
    clock::time_point m_try_at{};
    bool m_locked = false;
};

} // namespace once::detail
