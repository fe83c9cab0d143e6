// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/lease.hpp>

#include "database/connection_pool.hpp"
#include "sql/lease_statements.hpp"
#include "sql/texts.hpp"
#include "text/check_range.hpp"
#include "text/key_text.hpp"

#include <pqxx/params>
#include <pqxx/result>

#include <algorithm>
#include <ctime>
#include <exception>
#include <utility>

namespace once {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// steady_clock stands still while the machine sleeps; the lease does not.
nanoseconds since_boot() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return std::chrono::seconds{now.tv_sec} + nanoseconds{now.tv_nsec};
}

milliseconds margin_of(milliseconds duration, lease_options const& options) {
    return options.margin.value_or(duration / 10);
}

void validate(milliseconds duration, lease_options const& options) {
    using namespace std::chrono_literals;
    detail::check_range<milliseconds>(duration, 100ms, 366 * 24h, "duration",
                                      "100 milliseconds and 366 days");
    if (!options.holder.empty()) {
        detail::require_key_text(options.holder, "lease_options.holder");
    }
    auto const margin = margin_of(duration, options);
    if (margin < 0ms || margin >= duration) {
        throw invalid_argument{"lease_options.margin", "it must be less than the duration and not negative"};
    }
    detail::check_range<milliseconds>(options.timeout, 100ms, 1h, "lease_options.timeout",
                                      "100 milliseconds and 1 hour");
}

detail::time_point deadline_of(lease_options const& options) {
    return std::chrono::steady_clock::now() + options.timeout;
}

} // namespace

acquire_result acquire(database& db, std::string const& name, milliseconds duration,
                       lease_options const& options) {
    detail::require_key_text(name, "name");
    validate(duration, options);
    statement ask{detail::pool_of(db).texts<sql::lease_statements>().acquire,
                  parameters{name, duration.count()}};
    if (options.holder.empty()) {
        ask.parameters.add(std::nullopt);
    } else {
        ask.parameters.add(options.holder);
    }
    auto const asked_at = since_boot();
    auto const answer = detail::pool_of(db).ask(ask, deadline_of(options), false);
    auto const fence_number = answer.int8(1);
    if (answer.bytes(0) != "acquired") {
        return held{
            .holder = answer.text(2), .fence = fence_number, .expires_in = milliseconds{answer.int8(3)}};
    }
    return lease{
        db, fence{.lease = name, .number = fence_number}, duration, options, asked_at, answer.is_true(4)};
}

lease::lease(database& db, once::fence fence, milliseconds duration, lease_options options,
             nanoseconds asked_at, bool taken_over)
    : m_database{&db},
      m_fence{std::move(fence)},
      m_duration{duration},
      m_options{std::move(options)},
      m_trusted_until{asked_at + duration - margin_of(duration, m_options)},
      m_taken_over{taken_over} {}

lease::lease(lease&& other) noexcept
    : m_database{std::exchange(other.m_database, nullptr)},
      m_fence{std::move(other.m_fence)},
      m_duration{other.m_duration},
      m_options{std::move(other.m_options)},
      m_trusted_until{std::exchange(other.m_trusted_until, nanoseconds{0})},
      m_taken_over{other.m_taken_over} {}

lease& lease::operator=(lease&& other) noexcept {
    if (this != &other) {
        std::destroy_at(this);
        std::construct_at(this, std::move(other));
    }
    return *this;
}

lease::~lease() {
    try {
        static_cast<void>(release());
    } catch (std::exception const&) { // NOLINT(bugprone-empty-catch): it runs out by itself
    }
}

bool lease::still_trusted() const noexcept {
    return m_database != nullptr && since_boot() < m_trusted_until;
}

milliseconds lease::trusted_for() const noexcept {
    return still_trusted()
               ? std::chrono::floor<milliseconds>(std::max(nanoseconds{0}, m_trusted_until - since_boot()))
               : milliseconds{0};
}

bool lease::renew() {
    return renew(m_duration);
}

bool lease::renew(milliseconds duration) {
    validate(duration, m_options);
    if (m_database == nullptr) {
        return false;
    }
    auto const asked_at = since_boot();
    auto const answer = detail::pool_of(*m_database)
                            .ask({detail::pool_of(*m_database).texts<sql::lease_statements>().renew,
                                  parameters{m_fence.lease, m_fence.number, duration.count()}},
                                 deadline_of(m_options), true);
    if (!answer.is_true(0)) {
        detach();
        return false;
    }
    m_duration = duration;
    m_trusted_until = asked_at + duration - margin_of(duration, m_options);
    return true;
}

bool lease::release() {
    auto* const db = std::exchange(m_database, nullptr);
    if (db == nullptr) {
        return false;
    }
    return detail::pool_of(*db)
        .ask({detail::pool_of(*db).texts<sql::lease_statements>().release,
              parameters{m_fence.lease, m_fence.number}},
             deadline_of(m_options), true)
        .is_true(0);
}

fence lease::detach() noexcept {
    m_database = nullptr;
    return m_fence;
}

void assert_fence(borrowed const& tx, fence const& fence) {
    validate(fence);
    tx->exec(sql::texts<sql::lease_statements>(tx.schema()).assert_fence,
             pqxx::params{fence.lease, fence.number})
        .expect_rows(1);
}

} // namespace once
